"""Objects365 as the original packs it: tables of tab-separated values that a yaml file names."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from PIL import Image
from yaml import YAMLError  # type: ignore[import-untyped]

from fiber.data.readers.base import BrokenImageError
from fiber.data.readers.files import load_rgb, read_json, require_file
from fiber.data.readers.task_readers import DetectionReader
from fiber.data.readers.tsv import TsvFile, read_numbers
from fiber.data.records import LabeledBox
from fiber.detection.prompts import BACKGROUND
from fiber.utils.errors import UserError

EXPECTED = "a yaml file with the keys img, label, jsondict or labelmap, and, if wanted, hw and linelist"
EXPECTED_MAP = 'names and numbers of classes: {"person": 1}, also below "label_to_idx"; or a .tsv with one name a line'


class Objects365Tsv(DetectionReader):
    """Rows of a table in the order of a list that may name a row several times (or in file order without a list).

    Files, all named by the yaml file, as absolute paths or relative to its folder:

    * `img`: key, ..., base64 of the image. `label`: key, json list of `{"class", "rect": [x1, y1, x2, y2]}` in pixels
      (or that list below `"objects"`). `hw`: key, `[{"height", "width"}]`, that object itself, or `height width`.
      All have their rows in the same order.
    * `linelist`: one row number a line.
    * `jsondict` or `labelmap`: class numbers from 1; `__background__` is no class.

    Args:
        yaml_file: such as `objects365_train_vgoiv6.cas2000.yaml`.

    Raises:
        UserError: a missing file or key, tables of different length, or a file of another format. An object of an
            unknown class is named by file and row when it is met.
    """

    def __init__(self, yaml_file: str) -> None:
        self.yaml_file = yaml_file
        path = Path(yaml_file)
        files = read_yaml(path)
        self.name = path.stem
        self.images = TsvFile(resolve(files, "img", path))
        self.labels = TsvFile(resolve(files, "label", path))
        self.shapes = TsvFile(resolve(files, "hw", path)) if "hw" in files else None
        for table in (self.labels, self.shapes):
            if table is not None and len(table) != len(self.images):
                raise UserError(f"{table.path} has {len(table)} rows and {self.images.path} {len(self.images)}.")
        if "linelist" in files:
            line_list = resolve(files, "linelist", path)
            self.rows = read_numbers(line_list)
            if not len(self.rows) or self.rows.min() < 0 or self.rows.max() >= len(self.images):
                raise UserError(f"{line_list} names rows outside of {self.images.path}, which has {len(self.images)}.")
        else:
            self.rows = np.arange(len(self.images))
        numbers = read_label_map(resolve(files, "labelmap" if "labelmap" in files else "jsondict", path))
        names = {number: name for name, number in numbers.items()}
        self.category_ids = tuple(sorted(names))
        self.classes = tuple(names[number] for number in self.category_ids)
        self.class_of = {name: self.category_ids.index(number) for name, number in numbers.items()}

    def __reduce__(self) -> tuple[type["Objects365Tsv"], tuple[str]]:
        """Pickle the path alone; the copy maps the files anew."""
        return type(self), (self.yaml_file,)

    def __len__(self) -> int:
        return len(self.rows)

    def objects(self, index: int) -> Sequence[LabeledBox]:
        row = int(self.rows[index])
        where = f"{self.labels.path}:{row + 1}"
        content = json_field(self.labels[row], where)
        objects = content.get("objects") if isinstance(content, dict) else content
        if not isinstance(objects, list):
            raise UserError(f"{where} holds no list of objects: expected {EXPECTED}.")
        return [self.labeled_box(item, where) for item in objects]

    def labeled_box(self, item: Any, where: str) -> LabeledBox:
        """One object of a label row.

        Raises:
            UserError: it has no box, or its class is unknown.
        """
        if not isinstance(item, dict) or not is_box(item.get("rect")):
            raise UserError(f'{where} holds an object without "rect": [x1, y1, x2, y2].')
        if item.get("class") not in self.class_of:
            raise UserError(f"{where} holds an object of class {item.get('class')!r}, which the label map lacks.")
        left, top, right, bottom = item["rect"]
        return LabeledBox((left, top, right, bottom), self.class_of[item["class"]])

    def sizes(self) -> NDArray[np.int64]:
        if self.shapes is None:
            return np.zeros((len(self), 2), dtype=np.int64)
        wanted, places = np.unique(self.rows, return_inverse=True)
        sizes = (row_size(self.shapes[row], f"{self.shapes.path}:{row + 1}") for row in wanted.tolist())
        return np.array(list(sizes), dtype=np.int64)[places]

    def image_id(self, index: int) -> str:
        return self.labels[int(self.rows[index])][0]

    def location(self, index: int) -> str:
        return f"{self.images.path}:{self.rows[index] + 1}"

    def encoded_images(self, index: int) -> list[bytes]:
        try:
            return [base64.b64decode(self.images[int(self.rows[index])][-1], validate=True)]
        except ValueError as error:
            raise BrokenImageError(f"{self.location(index)}: {error}") from error

    def load_image(self, index: int) -> Image.Image:
        (content,) = self.encoded_images(index)
        return load_rgb(io.BytesIO(content), self.location(index))


def read_yaml(path: Path) -> dict[str, Any]:
    """The files that belong together.

    Raises:
        UserError: the yaml file is missing or lacks a key.
    """
    require_file(path, expected=EXPECTED)
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except (YAMLError, OmegaConfBaseException, OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no yaml file ({error}): expected {EXPECTED}.") from error
    if not isinstance(content, dict) or not {"img", "label"} <= set(content):
        raise UserError(f"{path} lacks img or label: expected {EXPECTED}.")
    if not {"jsondict", "labelmap"} & set(content):
        raise UserError(f"{path} lacks jsondict or labelmap: expected {EXPECTED}.")
    if content.get("imageid2idx"):
        raise UserError(f"{path}: imageid2idx is not supported: pack images in the order of the labels and remove it.")
    return {str(key): value for key, value in content.items() if value}


def resolve(files: Mapping[str, Any], key: str, path: Path) -> Path:
    """The file that a key names.

    Raises:
        UserError: it does not exist.
    """
    named = Path(str(files[key]))
    places = (named, path.parent / named)
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise UserError(f"{path}: {key}={named} is neither a file nor one beside it.")
    return found


def read_label_map(path: Path) -> dict[str, int]:
    """Number of every class by name, background left out.

    Raises:
        UserError: the file is of another format, or numbers a class 0.
    """
    if "json" not in path.name:
        lines = path.read_text(encoding="utf-8").splitlines()
        return {line.strip(): number for number, line in enumerate(lines, start=1)}
    content = read_json(path, expected=EXPECTED_MAP)
    content = content.get("label_to_idx", content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(isinstance(number, int) for number in content.values()):
        raise UserError(f"{path} is of another format: expected {EXPECTED_MAP}.")
    numbers = {name: number for name, number in content.items() if name != BACKGROUND}
    if not numbers or min(numbers.values()) < 1:
        raise UserError(f"{path} numbers a class below 1, or none: 0 is {BACKGROUND}.")
    return numbers


def json_field(fields: Sequence[str], where: str) -> Any:
    """Content of the second field.

    Raises:
        UserError: it is missing or not json.
    """
    try:
        return json.loads(fields[1])
    except (IndexError, json.JSONDecodeError) as error:
        raise UserError(f"{where} has no json in its second column ({error}).") from error


def row_size(fields: Sequence[str], where: str) -> tuple[int, int]:
    """Height and width of an image.

    Raises:
        UserError: they are missing.
    """
    plain = fields[1].split() if len(fields) > 1 else []
    if len(plain) == 2 and all(side.isdecimal() for side in plain):
        return int(plain[0]), int(plain[1])
    content = json_field(fields, where)
    size = content[0] if isinstance(content, list) and content else content
    if not isinstance(size, dict) or not {"height", "width"} <= set(size):
        raise UserError(f"{where} states no height and width.")
    return int(size["height"]), int(size["width"])


def is_box(rect: Any) -> bool:
    """Whether this is a list of four numbers."""
    return isinstance(rect, list) and len(rect) == 4 and all(isinstance(side, int | float) for side in rect)
