"""What users read."""

import pytest
from torch.utils.data import DataLoader, Dataset

from fiber.utils.errors import UserError, exit_on_user_error


class Broken(Dataset[int]):
    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> int:
        try:
            raise OSError("cut short")
        except OSError as error:
            raise UserError("cat.jpg is broken: mend it.\nOr leave it out.") from error


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_error_says_the_same_whoever_reads_the_data(num_workers: int) -> None:
    with pytest.raises(UserError) as caught:
        list(DataLoader(Broken(), num_workers=num_workers))
    assert str(caught.value) == "cat.jpg is broken: mend it.\nOr leave it out."


def test_a_script_prints_the_message_alone_and_exits_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped, exit_on_user_error():
        raise UserError("cat.jpg is broken: mend it.")
    assert stopped.value.code == 2
    assert capsys.readouterr().err == "error: cat.jpg is broken: mend it.\n"
    with pytest.raises(OSError, match="disk"), exit_on_user_error():
        raise OSError("disk full")  # whose traceback is wanted


@pytest.mark.parametrize(("said", "line"), [((), "interrupted\n"), (("2 kept",), "interrupted: 2 kept\n")])
def test_ctrl_c_is_one_line_and_status_130(
    said: tuple[str, ...], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped, exit_on_user_error():
        raise KeyboardInterrupt(*said)
    assert stopped.value.code == 130
    assert capsys.readouterr().err == line
