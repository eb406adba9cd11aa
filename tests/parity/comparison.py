"""Reading fixtures of reference numbers, and comparing with them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

OUTPUT_TOLERANCE, GRADIENT_TOLERANCE = 2e-6, 1e-5
EXPECTED = ("out/", "infer/", "v3/", "grad")
"""Beginnings of the names of expected values; other entries are inputs or extras."""
ROUNDING = 1e-10
"""Smallest magnitude of an entry that means anything. A softmax ignores what its logits have in common, so the
gradients of key biases are zero, and stored as rounding noise around 1e-17."""

Tensors = dict[str, Tensor]


def read_meta(folder: Path) -> dict[str, Any]:
    meta: dict[str, Any] = json.loads((folder / "meta.json").read_text())
    return meta


def is_coarse(folder: Path) -> bool:
    """Whether this is the layout of `coarse_small`; that of the fine stage tells of frozen parameters."""
    return "resized_image_size" in read_meta(folder)["config"]


def expected_entries(folder: Path) -> list[str]:
    """Names of all expected values: outputs and gradients."""
    with safe_open(folder / "io.safetensors", framework="pt") as file:
        return sorted(name for name in file.keys() if name.startswith(EXPECTED))  # noqa: SIM118


def read_doubled(path: Path) -> Tensors:
    """All tensors of a file, floating ones in float64."""
    return {name: doubled(value) for name, value in load_file(path).items()}


def doubled(value: Tensor) -> Tensor:
    return value.double() if value.is_floating_point() else value


def largest_difference(value: Tensor, expected: Tensor) -> float:
    """Largest absolute difference over the expected entry's largest magnitude."""
    value, expected = value.detach().double(), expected.double()
    assert value.shape == expected.shape
    if expected.numel() == 0:
        return 0.0
    return float((value - expected).abs().max() / expected.abs().max().clamp(min=ROUNDING))


def compare_entries(
    folder: Path, values: Tensors, expected: Tensors, report: list[str], *, left_out_because: Mapping[str, str]
) -> None:
    """Compare every expected entry, print each difference, and fail on one that is too large or missing.

    Args:
        folder: of the fixture.
        values: ours by entry.
        expected: the fixture's tensors.
        report: lines printed at the end of the session.
        left_out_because: part of an entry's name -> why entries with it are not compared.
    """
    names = expected_entries(folder)
    differences = {name: largest_difference(values[name], expected[name]) for name in names if name in values}
    left_out = {name: reason_for(name, left_out_because) for name in names if name not in values}
    report.append(f"{folder.name}: largest difference of each entry over its largest magnitude")
    report.extend(f"  {difference:9.2e}  {name}" for name, difference in differences.items())
    report.extend(f"  left out   {name} ({reason})" for name, reason in left_out.items())
    report.append(f"compared {len(differences)} of {len(names)} entries")
    assert not [name for name, reason in left_out.items() if reason is None]
    wrong = {
        name: difference
        for name, difference in differences.items()
        if not difference <= (GRADIENT_TOLERANCE if "grad" in name else OUTPUT_TOLERANCE)  # NaN is wrong too
    }
    assert not wrong


def reason_for(name: str, reasons: Mapping[str, str]) -> str | None:
    return next((reason for part, reason in reasons.items() if part in name), None)
