"""The readers that a data file names."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from fiber.data.readers.base import Reader
from fiber.tasks.building import build_reader
from fiber.tasks.suite import expand
from fiber.utils.configs import convert
from fiber.utils.errors import UserError

PLACES = ("annotation_file", "question_file", "path", "paths", "yaml_file", "folder", "data_dir")
"""Arguments by which readers of files are told apart, the particular before the general."""


class DataSplit(NamedTuple):
    """One reader of a data file."""

    name: str
    """`train`, `val`, or a name in the data file's `splits`."""
    config: DictConfig
    """The reader's class and arguments."""
    required: bool
    """Whether one cannot train without it; a data set may lack some of `splits`."""

    @property
    def arguments(self) -> Mapping[str, Any]:
        """Of the reader."""
        return cast(Mapping[str, Any], OmegaConf.to_container(self.config, resolve=True))

    @property
    def label(self) -> str:
        """What the data file says of the data set, for tables: its name, else its file or folder, else the format."""
        arguments = self.arguments
        if isinstance(name := arguments.get("dataset"), str):
            return name
        for key in PLACES:
            if key in arguments:
                place = arguments[key] if isinstance(arguments[key], str) else arguments[key][0]
                return "/".join(Path(place).parts[-2:])
        return self.format

    @property
    def format(self) -> str:
        """Name of the reader's class."""
        return str(self.config._target_).rpartition(".")[2]

    def lies_in(self, folder: str) -> bool:
        """Whether an argument is a path in a folder."""
        lists = [given if isinstance(given, list) else [given] for given in self.arguments.values()]
        return any(isinstance(one, str) and Path(one).is_relative_to(folder) for given in lists for one in given)

    def build(self) -> Reader:
        """The reader.

        Raises:
            UserError: what the reader says.
        """
        return build_reader(self.config, Reader, wanted="images")  # type: ignore[type-abstract]


def data_splits(config: DictConfig) -> list[DataSplit]:
    """Every reader of `data`: the training sets, what is validated on, then `splits`.

    Args:
        config: has `data`, whose `dataset` may be a list or `all`.

    Raises:
        UserError: `data` refers to a key that is not there.
    """
    found = []
    for run in expand(config).runs:
        data = run.config.data
        try:
            OmegaConf.to_container(data, resolve=True)
        except OmegaConfBaseException as error:
            reason = str(error).partition("\n")[0]
            raise UserError(
                f"data: {reason}: give the value on the command line, as in data.dataset=refcoco."
            ) from error
        found += [DataSplit("train", one, required=True) for one in data.train]
        found += [DataSplit("val", one, required=True) for one in listed(data.val)]
        for name, further in (data.get("splits") or {}).items():
            found += [DataSplit(str(name), one, required=False) for one in listed(further)]
    return found


def chosen_set(config: DictConfig) -> DataSplit:
    """The set of `split`, `train` unless it is given; of several that of `set_number`.

    Raises:
        UserError: there is no such split or set, or there are several and none is chosen; also as `data_splits`.
    """
    number: int | None = convert(int | None, config.set_number, "set_number")
    splits = data_splits(config)
    wanted = "train" if config.split is None else str(config.split)
    sets = [one for one in splits if one.name == wanted]
    if not sets:
        raise UserError(f"split={wanted}: these data have {', '.join(dict.fromkeys(one.name for one in splits))}.")
    if number is None and len(sets) > 1:
        raise UserError(
            f"split={wanted}: these data have {len(sets)} sets: write each to a folder of its own with "
            f"set_number=0 to {len(sets) - 1}."
        )
    if not 0 <= (number or 0) < len(sets):
        raise UserError(f"set_number={number}: split={wanted} has {len(sets)}, counted from 0.")
    return sets[number or 0]


def listed(readers: DictConfig | ListConfig) -> Sequence[DictConfig]:
    """One reader or several as a list."""
    return [readers] if isinstance(readers, DictConfig) else list(readers)
