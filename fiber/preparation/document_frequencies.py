"""Document frequencies of the training captions, for rewarding captions by CIDEr-D."""

from omegaconf import DictConfig

from fiber.data.readers.base import CaptionReader
from fiber.evaluation.captioning.cider import caption_frequencies
from fiber.preparation.options import require_writable, required_output
from fiber.preparation.progress import shown
from fiber.tasks.building import build_reader


def write_document_frequencies(config: DictConfig) -> None:
    """Count in how many images' captions every run of one to four words occurs, and write the counts as JSON.

    Args:
        config: `data.train` lists the readers, `output` names the file.

    Raises:
        UserError: no `output`, or one that cannot be written, or data without captions.
    """
    output = require_writable(required_output(config, example="frequencies.json"))
    readers = [build_reader(one, CaptionReader, wanted="captions") for one in config.data.train]  # type: ignore[type-abstract]
    captions = (reader.captions(index) for reader in readers for index in range(len(reader)))
    frequencies = caption_frequencies(shown(captions, "counting", total=sum(map(len, readers))))
    frequencies.save(output)
    print(
        f"{len(frequencies.counts):,} runs of one to four words that occur in several of {frequencies.num_documents:,} "
        f"images: {output}"
    )
