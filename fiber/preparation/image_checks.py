"""Whether the images of a reader exist and can be decoded."""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

from fiber.data.readers.base import BrokenImageError, ImageReader, Reader
from fiber.data.readers.files import load_rgb
from fiber.data.readers.packed import PackedImages, PackedReader
from fiber.data.readers.task_readers import StatementReader
from fiber.preparation.progress import shown
from fiber.utils.errors import UserError

T = TypeVar("T")

MIN_PARALLEL = 512
"""Images below which starting processes takes longer than decoding."""
CHUNK = 64
"""Images that a process is given at a time."""


class ImageState(Enum):
    """What was found of an image."""

    FOUND = auto()
    MISSING = auto()
    UNREADABLE = auto()


class ImageCounts(NamedTuple):
    """Images of one reader, each counted once however many samples show it."""

    images: int
    missing: tuple[str, ...] = ()
    """Where the files should be."""
    unreadable: tuple[str, ...] = ()
    """Where those lie that cannot be decoded."""

    @property
    def found(self) -> int:
        """Images that can be used."""
        return self.images - len(self.missing) - len(self.unreadable)


class ImageChecker:
    """Looks at images; one that several readers share is looked at once.

    Args:
        decode: decode every image; False only looks whether it is there, and takes what lies in tables and shards for
            found unless it was missing when it was packed.
        num_workers: processes, 1 or more; None = as many as there are cores.
    """

    def __init__(self, *, decode: bool = True, num_workers: int | None = None) -> None:
        self.decode = decode
        self.num_workers = num_workers if num_workers is not None else os.cpu_count() or 1
        self.known: dict[str, ImageState] = {}
        """Files that were looked at."""

    def check(self, reader: Reader) -> ImageCounts:
        """Look at all images of a reader.

        Raises:
            UserError: a process was killed.
        """
        if not len(reader) or reader.image_files(0):
            return self.check_files(reader)
        return self.check_embedded(reader)

    def check_files(self, reader: Reader) -> ImageCounts:
        """Of a reader whose images are a file each."""
        samples = shown(range(len(reader)), f"listing {reader.name}", total=len(reader))
        files = list(dict.fromkeys(str(file) for index in samples for file in reader.image_files(index)))
        new = [file for file in files if file not in self.known]
        look = partial(file_state, decode=self.decode)
        self.known.update(zip(new, self.map(look, new, reader), strict=True))
        return counted({file: self.known[file] for file in files})

    def check_embedded(self, reader: Reader) -> ImageCounts:
        """Of a reader whose images lie in tables or shards; what is said of a pair counts for both."""
        places = {reader.location(index): index for index in range(len(reader) - 1, -1, -1)}
        rows = dict(sorted(places.items(), key=lambda item: item[1]))
        states = [ImageState.FOUND] * len(rows)
        if self.decode or isinstance(reader, PackedReader):
            states = list(self.map(partial(embedded_state, decode=self.decode), list(rows.values()), reader))
        if isinstance(reader, StatementReader):
            pairs = zip(rows, states, strict=True)
            return counted({f"{row} {side}": state for row, state in pairs for side in ("left", "right")})
        found = dict(zip(rows, states, strict=True))
        return counted(one_of_copies(reader, rows, found) if isinstance(reader, PackedImages) else found)

    def map(self, look: Callable[[T], ImageState], units: Sequence[T], reader: Reader) -> Iterator[ImageState]:
        """The state of every image, in their order."""
        title = f"{'decoding' if self.decode else 'looking for'} {reader.name}"
        if self.num_workers <= 1 or len(units) < MIN_PARALLEL:
            hold_reader(reader)
            yield from shown(map(look, units), title, total=len(units))
            return
        with ProcessPoolExecutor(self.num_workers, initializer=start_process, initargs=(reader,)) as pool:
            try:
                yield from shown(pool.map(look, units, chunksize=CHUNK), title, total=len(units))
            except KeyboardInterrupt:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            except BrokenProcessPool as error:
                raise UserError(
                    f"{reader.name}: a process that decodes images was killed, as a rule for want of memory: "
                    "give num_workers=1."
                ) from error


class HeldReader:
    """The reader of which a process decodes images, handed over once and not with every image."""

    reader: Reader


def hold_reader(reader: Reader) -> None:
    """Make a reader known to `embedded_state` in this process."""
    HeldReader.reader = reader


def start_process(reader: Reader) -> None:
    """Make a reader known to a process of its own, which leaves Ctrl-C to the one that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hold_reader(reader)


def file_state(file: str, *, decode: bool) -> ImageState:
    """Of a file."""
    if not os.path.isfile(file):
        return ImageState.MISSING
    if decode:
        try:
            load_rgb(Path(file), file)
        except BrokenImageError:
            return ImageState.UNREADABLE
    return ImageState.FOUND


def embedded_state(index: int, *, decode: bool) -> ImageState:
    """Of the image, or the pair, of a sample of the reader that this process holds."""
    reader = HeldReader.reader
    if isinstance(reader, PackedReader) and reader.was_missing(index):
        return ImageState.MISSING
    return ImageState.FOUND if not decode or can_be_decoded(reader, index) else ImageState.UNREADABLE


def can_be_decoded(reader: Reader, index: int) -> bool:
    """Whether the image, or both, of a sample are there and whole."""
    try:
        if isinstance(reader, StatementReader):
            reader.load_images(index)
        else:
            assert isinstance(reader, ImageReader)
            reader.load_image(index)
    except BrokenImageError:
        return False
    return True


def one_of_copies(
    reader: PackedImages, rows: Mapping[str, int], states: Mapping[str, ImageState]
) -> dict[str, ImageState]:
    """One place of each image, for packed ones lie in every shard with a sample about them: a faulty one if there is.

    Ids of captions with boxes are those of the captions, so that their images stay as many as there are places.

    Args:
        reader: of the shards.
        rows: a sample of every place.
        states: by place.
    """
    kept: dict[str, str] = {}
    for row, index in rows.items():
        name = reader.image_id(index)
        if name not in kept or states[row] is not ImageState.FOUND:
            kept[name] = row
    return {row: states[row] for row in kept.values()}


def counted(states: dict[str, ImageState]) -> ImageCounts:
    """Images by state."""
    missing, unreadable = (
        tuple(place for place, state in states.items() if state is wanted)
        for wanted in (ImageState.MISSING, ImageState.UNREADABLE)
    )
    return ImageCounts(len(states), missing, unreadable)
