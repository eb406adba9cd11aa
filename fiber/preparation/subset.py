"""A small copy of a data set: some samples of every split, in the layout of the whole."""

from collections.abc import Sequence
from typing import NamedTuple

from omegaconf import DictConfig

from fiber.data.readers.base import Reader, UnknownSplitError
from fiber.data.readers.files import MissingFileError
from fiber.preparation.data_splits import DataSplit, data_splits
from fiber.preparation.options import required_output, required_positive
from fiber.preparation.progress import quantity, shown
from fiber.preparation.subsets.chosen_samples import ChosenSamples, choose_samples, grouped
from fiber.preparation.subsets.formats import SubsetWriter, writer_of
from fiber.preparation.subsets.small_folder import SmallFolder
from fiber.utils.configs import convert
from fiber.utils.errors import UserError


class ChosenSplit(NamedTuple):
    """What is taken of one reader."""

    place: int
    """Of the reader among those of the data file."""
    split: DataSplit
    samples: ChosenSamples[Reader]
    writer: SubsetWriter


def write_subset(config: DictConfig) -> None:
    """Write a folder that serves as `data_dir` of the same data file.

    Readers of one annotation file get one file, with the samples of all.

    Args:
        config: composed from `configs/prepare_data.yaml`: `max_samples` of every reader of `data`, chosen by `seed`
            (null = the first), from `data_dir` to `output`.

    Raises:
        UserError: no `output`, or one that holds something; fewer than one sample; data that are no files, lie outside
            of `data_dir` or of which nothing is there; or so few samples that a reader cannot do with them.
    """
    output = required_output(config)
    limit = required_positive(config, "max_samples", example=100)
    seed: int | None = convert(int | None, config.seed, "seed")
    folder = SmallFolder(config.data_dir, output)
    chosen = choose_all(data_splits(config), limit, seed)
    for writer, splits in grouped(chosen, lambda one: one.writer).items():
        writer([one.samples for one in splits], folder)
    copy_images([one.samples for one in chosen], folder)
    read_again(config, chosen)
    print(f"give data_dir={output} to read them")


def choose_all(splits: Sequence[DataSplit], limit: int, seed: int | None) -> list[ChosenSplit]:
    """Choose of every reader; a line says what is passed over, and which one is left out for its missing files."""
    chosen = []
    for place, split in enumerate(splits):
        try:
            reader = split.build()
        except MissingFileError as error:
            print(f"{split.name} is left out: {error.path} is missing")
            continue
        except UnknownSplitError as error:
            print(f"{split.name} is left out: {error}")
            continue
        writer = writer_of(reader)
        if writer is None:
            raise UserError(f"{split.format} reads no files of which a small copy can be made: choose other data.")
        indices, passed_over = choose_samples(reader, limit, seed=seed)
        if not indices:
            print(f"{split.name} is left out: no image of {reader.name} can be read, such as {reader.location(0)}")
            continue
        if passed_over:
            print(
                f"{split.name}: {quantity(passed_over, 'sample')} of {reader.name} passed over, whose image is missing "
                "or cannot be decoded"
            )
        chosen.append(ChosenSplit(place, split, ChosenSamples(reader, split.arguments, indices), writer))
    if not chosen:
        raise UserError("nothing of these data is there: is data_dir right?")
    return chosen


def copy_images(chosen: Sequence[ChosenSamples[Reader]], folder: SmallFolder) -> None:
    """Copy the image files of the samples."""
    files = dict.fromkeys(file for part in chosen for index in part.indices for file in part.reader.image_files(index))
    for file in shown(files, "copying images", total=len(files)):
        folder.copy(file)


def read_again(config: DictConfig, chosen: Sequence[ChosenSplit]) -> None:
    """Build the readers on the small copy, and say what they find.

    Raises:
        UserError: one of them cannot do with so few samples.
    """
    small = config.copy()
    small.data_dir = config.output
    splits = data_splits(small)
    for one in chosen:
        try:
            reader = splits[one.place].build()
        except UserError as error:
            raise UserError(f"{config.output} is too small: {error} Delete it, and give more max_samples.") from error
        print(f"{one.split.name}: {len(reader):,} of {len(one.samples.reader):,} samples of {reader.name}")
