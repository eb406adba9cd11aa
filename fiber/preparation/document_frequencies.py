"""Document frequencies of the training captions, for rewarding captions by CIDEr-D."""

from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console
from rich.progress import track

from fiber.data.readers.base import CaptionReader
from fiber.evaluation.captioning.cider import caption_frequencies
from fiber.tasks.building import build_reader
from fiber.utils.errors import UserError


def write_document_frequencies(config: DictConfig) -> None:
    """Count in how many images' captions every run of one to four words occurs, and write the counts as JSON.

    Args:
        config: `data.train` lists the readers, `output` names the file.

    Raises:
        UserError: no `output`, or data without captions.
    """
    if config.output is None:
        raise UserError("output is missing: give output=frequencies.json.")
    readers = [build_reader(one, CaptionReader, wanted="captions") for one in config.data.train]  # type: ignore[type-abstract]
    captions = (reader.captions(index) for reader in readers for index in range(len(reader)))
    console = Console(stderr=True)
    counted = track(captions, "counting", total=sum(map(len, readers)), console=console, transient=True)
    frequencies = caption_frequencies(counted)
    frequencies.save(Path(config.output))
    print(
        f"{len(frequencies.counts):,} runs of one to four words that occur in several of {frequencies.num_documents:,} "
        f"images: {config.output}"
    )
