"""Free text on the command line."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from fiber.utils.configs import plain
from fiber.utils.errors import UserError
from fiber.utils.overrides import quoted, require_pairs, with_command

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
        "null and void",
        "12",
        "ein süßer Hund",
    ],
)
def test_hydra_hands_on_what_was_typed(text: str) -> None:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        assert compose("predict", quoted([f"text={text}"], texts=["text"])).text == text


def test_null_is_no_word_unless_it_has_quotes() -> None:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        assert compose("predict", quoted(["text=null"], texts=["text"])).text is None
        assert compose("predict", quoted(["text='null'"], texts=["text"])).text == "null"


def test_quotes_that_hydra_sees_already_are_left() -> None:
    assert quoted(["text='a [dog]'", 'text="a dog"'], texts=["text"]) == ["text='a [dog]'", 'text="a dog"']


def test_other_keys_and_flags_stay_as_they_are() -> None:
    arguments = ["top_k=3", "--help", "text="]
    assert quoted(arguments, texts=["text"], lists=["image"]) == arguments
    assert quoted(["image=a (1).jpg"], texts=["text"], lists=["image"]) == ["image='a (1).jpg'"]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("[a.jpg,b.jpg]", ["a.jpg", "b.jpg"]),
        ("[what's this?, is it {red}]", ["what's this?", "is it {red}"]),
        ("""["a red, round thing",'[b] or c', 7]""", ["a red, round thing", "[b] or c", "7"]),
        ("[true,null,${task},]", ["true", "null", "${task}"]),
        ("[]", []),
        ("[a] left of [b]", "[a] left of [b]"),
        ("what is it? [a], {b}", "what is it? [a], {b}"),
    ],
)
def test_items_of_a_list_are_texts(typed: str, expected: list[str] | str) -> None:
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = compose("predict", quoted([f"image={typed}"], texts=(), lists=["image"]))
    assert plain(config)["image"] == expected


def test_where_brackets_mark_phrases_a_list_has_quotes() -> None:
    assert quoted(["text=[a dog,a cat]"], texts=["text"]) == ["text='[a dog,a cat]'"]
    assert quoted(["text=[\"[a dog], running\",'a cat']"], texts=["text"]) == ["text=['[a dog], running','a cat']"]


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["top_k=3", "text=what", "color", "is it?", "a=b"],
            "'color' is no key=value: .* whole: 'text=what color is it\\?'$",
        ),
        (["cat.jpg"], "'cat.jpg' is no key=value: .*: 'KEY=cat.jpg'$"),
        (["topk=3"], "topk is no key: give top_k."),
        (["x=3"], "x is no key: give text, top_k."),
    ],
)
def test_what_hydra_would_not_explain_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        require_pairs(arguments, ["text", "top_k"])


def test_flags_and_keys_of_hydra_are_left_to_it() -> None:
    require_pairs(
        ["--cfg", "job", "text=a=b", "hydra.run.dir=.", "+new=1", "~text", "hydra/job_logging=none"], ["text"]
    )
