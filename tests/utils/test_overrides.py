"""Free text on the command line."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from fiber.utils.overrides import quoted, with_command

CONFIGS = Path(__file__).parents[2] / "configs" / "predict"


@pytest.mark.parametrize(
    "text",
    [
        "[a small dog] chases [two black cats]",
        "[a dog]",
        "a dog, a cat",
        "it's a dog's",
        'a "dog"',
        r"a\b \' \\' \"",
        "ends in \\",
        "${checkpoint} or \\${x}",
        "a=b (1).jpg: {c}",
        "null",
        "12",
        "ein süßer Hund",
    ],
)
def test_hydra_hands_on_what_was_typed(text: str) -> None:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        assert compose("predict", quoted([f"text={text}"], texts=["text"])).text == text


def test_quotes_that_hydra_sees_already_are_left() -> None:
    assert quoted(["text='a [dog]'", 'text="a dog"'], texts=["text"]) == ["text='a [dog]'", 'text="a dog"']


def test_other_keys_flags_and_lists_stay_as_they_are() -> None:
    arguments = ["classes=[person,dog]", "--help", "image=[a.jpg,b.jpg]", "text="]
    assert quoted(arguments, texts=["text"], lists=["image"]) == arguments
    assert quoted(["image=a (1).jpg"], texts=["text"], lists=["image"]) == ["image='a (1).jpg'"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["verify", "data=coco"], ["command=verify", "data=coco"]),
        (["data=coco", "verify"], ["data=coco", "verify"]),
        (["--help"], ["--help"]),
        ([], []),
    ],
)
def test_the_first_word_is_the_command(arguments: list[str], expected: list[str]) -> None:
    assert with_command(arguments) == expected
