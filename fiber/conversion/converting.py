"""What `convert_checkpoint.py` does."""

from collections.abc import Callable, Mapping
from pathlib import Path

from omegaconf import DictConfig
from rich.console import Console

from fiber.checkpoints.foreign_state import ForeignState, read_foreign_state
from fiber.checkpoints.initialization import OURS
from fiber.checkpoints.run_folder import (
    CONFIG_FILE,
    EXPORTED_WEIGHTS,
    TOKENIZER_FOLDER,
    find_weights,
    is_sharded,
    refuse_sharded,
    run_of,
)
from fiber.conversion.config import ConversionConfig, Target, read_conversion
from fiber.conversion.from_halves import convert_halves
from fiber.conversion.from_original import convert_original, rewrite_original
from fiber.conversion.from_run import export_programs, export_run, write_original
from fiber.conversion.key_report import KeyReport
from fiber.conversion.report_table import report_table
from fiber.conversion.ways import Way, refuse_unused
from fiber.data.tokenization import TOKENIZER_FILE
from fiber.utils.errors import UserError

EXPECTED = "a checkpoint in the original's format, the directory of a run, or an exported model"
FROM_OURS: Mapping[Target, tuple[Way, Callable[[ConversionConfig, Path], KeyReport]]] = {
    Target.FIBER: (Way.EXPORT, export_run),
    Target.REFERENCE: (Way.TO_ORIGINAL, write_original),
    Target.PROGRAMS: (Way.TO_PROGRAMS, export_programs),
}
FROM_ORIGINAL: Mapping[Target, tuple[Way, Callable[[ForeignState, ConversionConfig, Path], KeyReport]]] = {
    Target.FIBER: (Way.FROM_ORIGINAL, convert_original),
    Target.REFERENCE: (Way.ORIGINAL_AGAIN, rewrite_original),
}
ENDINGS = (".ckpt", ".pth", ".pt")
"""Of files that the original reads."""


def convert(config: DictConfig) -> KeyReport:
    """Write the folder or file, and print what became of every tensor.

    Args:
        config: composed from `configs/convert/convert.yaml`.

    Returns:
        The account that is printed.

    Raises:
        UserError: the input cannot be read or is something else, an option is wrong, or the output exists.
    """
    settings = read_conversion(config)
    output = new_output(settings)
    report = write(settings, output)
    console = Console()
    console.print(report_table(report))
    console.print(f"written to {output}", soft_wrap=True, highlight=False, markup=False)
    return report


def write(settings: ConversionConfig, output: Path) -> KeyReport:
    """Write the output from whatever the input is."""
    if settings.input is None:
        if settings.to is not Target.FIBER:
            raise UserError(f"to={settings.to}: published halves are no whole model yet: convert them first.")
        refuse_unused(settings, Way.FROM_HALVES)
        return convert_halves(settings, output)
    path = Path(settings.input)
    if not path.exists():
        raise UserError(f"input={path} does not exist: give {EXPECTED}.")
    foreign = None
    if not is_own(path):
        foreign = read_foreign_state(path, option="input", expected=EXPECTED, weights=settings.chosen_weights)
    if foreign is None or is_own_state(foreign):
        way, write_own = FROM_OURS[settings.to]
        refuse_unused(settings, way)
        require_whole(path)
        return write_own(settings, output)
    if settings.to not in FROM_ORIGINAL:
        raise UserError(f"input={path}: programs are made of models of this library. Convert it first, to=fiber.")
    way, write_foreign = FROM_ORIGINAL[settings.to]
    refuse_unused(settings, way)
    return write_foreign(foreign, settings, output)


def is_own(path: Path) -> bool:
    """Whether this is the directory of a run or of an exported model, or weights in one.

    Raises:
        UserError: it is another directory.
    """
    if path.is_dir():
        if not is_sharded(path) and find_weights(path) is None:
            raise UserError(f"input={path} is a directory without checkpoints: give {EXPECTED}.")
        return True
    run = run_of(path)
    return path.absolute() in (find_weights(run), run / EXPORTED_WEIGHTS) and (run / CONFIG_FILE).is_file()


def require_whole(path: Path) -> None:
    """Raise a UserError unless weights of ours are one file, with configuration and tokeniser where a run has them."""
    found = find_weights(path) if path.is_dir() and not is_sharded(path) else path
    assert found is not None  # a directory without any is refused before
    refuse_sharded(found, key="input")
    run = run_of(found)
    for file in (run / CONFIG_FILE, run / TOKENIZER_FOLDER / TOKENIZER_FILE):
        if not file.is_file():
            raise UserError(f"input={path} holds weights of a run, but {file} is missing: give the run's directory.")


def is_own_state(foreign: ForeignState) -> bool:
    """Whether these are tensors of a run."""
    return all(name.startswith(OURS) for name in foreign.tensors) and len(foreign.tensors) > 0


def new_output(settings: ConversionConfig) -> Path:
    """Where to write.

    Raises:
        UserError: there is something, or the name does not suit what is written.
    """
    assert settings.output is not None  # the settings insist on it
    output = Path(settings.output)
    if settings.to is Target.REFERENCE and output.suffix not in ENDINGS:
        raise UserError(f"output={output}: to=reference writes a file, give a name that ends in .ckpt or .pth.")
    if output.is_dir() and not any(output.iterdir()) and settings.to is not Target.REFERENCE:
        return output
    if output.exists():
        raise UserError(f"output={output} exists: give another, or remove it.")
    return output
