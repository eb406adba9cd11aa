"""Scripts as they are typed, run in this process."""

import runpy
import sys

import pytest

from .conftest import ROOT


def run_script(call: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a script as the command line calls it.

    Args:
        call: the script, such as `scripts/predict.py`, and its arguments.
        monkeypatch: of the test.

    Returns:
        Status to exit with.
    """
    monkeypatch.setattr(sys, "argv", call)
    try:
        runpy.run_path(str(ROOT / call[0]), run_name="__main__")
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    return 0
