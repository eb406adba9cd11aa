"""Predictions for the pictures and texts that a configuration names."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file

from fiber.checkpoints.model_description import ModelKind
from fiber.inference.fiber import Fiber
from fiber.inference.image_files import read_image
from fiber.inference.predicting import predict
from fiber.utils.errors import UserError

from .exported_models import write_model
from .fine_run import CONFIGS, composed

TEXT = "text='[a red circle] above [two squares]'"
PICTURES = ("one/cat.png", "two/cat.png")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with two pictures of one name."""
    for seed, name in enumerate(PICTURES):
        pixels = np.random.default_rng(seed).integers(0, 256, (70 + seed, 90, 3), dtype=np.uint8)
        (tmp_path / name).parent.mkdir()
        Image.fromarray(pixels).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[ModelKind], Path]:
    """Folder of an exported model of a kind; only to be read."""
    root = tmp_path_factory.mktemp("exported")
    return lambda kind: root / kind if (root / kind).is_dir() else write_model(root / kind, kind)


def run(*overrides: str) -> tuple[Path, ...]:
    return predict(composed("predict", "device=cpu", *overrides, folder=CONFIGS / "predict"))


def written(folder: str = "outputs/predictions") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (Path(folder) / "predictions.jsonl").read_text().splitlines()]


def pngs(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).glob("*.png"))


def test_every_picture_has_a_line_and_a_drawing(fine_run: Path, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("task=ground", f"checkpoint={fine_run}", "image='*/cat.png'", TEXT, "max_detections=3") == ()
    assert pngs("outputs/predictions") == ["cat-2.png", "cat.png"]
    model, printed = Fiber.from_pretrained(fine_run, device="cpu", max_detections=3), capsys.readouterr().out
    for name, stem, line in zip(PICTURES, ("cat", "cat-2"), written(), strict=True):
        expected = model.ground(read_image(here / name), "[a red circle] above [two squares]")
        assert line == {"image": name, **json.loads(json.dumps(expected.to_json())), "drawing": f"{stem}.png"}
        assert len(line["detections"]) == 3
        drawn = read_image(here / "outputs/predictions" / f"{stem}.png")
        assert np.array_equal(np.asarray(drawn), np.asarray(expected.draw()))
        assert f"{name}: 3 found\n  {expected.detections[0]}\n" in printed
        assert f"  drawn in outputs/predictions/{stem}.png\n" in printed
    assert printed.endswith("2 predictions: outputs/predictions/predictions.jsonl\n")


def test_classes_come_from_the_command_line_or_a_file(
    fine_run: Path, here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"red circle {number}" for number in range(20)]
    Path("names.txt").write_text("\n".join(["", *names, " "]))
    asked = ("task=detect", f"checkpoint={fine_run}/checkpoints/best.ckpt", "image=[one/cat.png]")
    with caplog.at_level(logging.WARNING):
        run(*asked, "classes_file=names.txt", "output=first")
    assert caplog.text.count("20 classes are asked for in") == 1
    run(*asked, f"classes=[{','.join(names)}]", "output=second", "draw=false")
    (first,), (second,) = written("first"), written("second")
    assert first.pop("drawing") == "cat.png" and first == second and first["classes"] == names
    assert pngs("second") == []
    run(*asked, "classes=7", "short_side=32", "output=third")
    assert written("third")[0]["classes"] == ["7"]


@pytest.mark.parametrize("batch_size", ["1", "null"])
def test_every_picture_gets_every_question(exported: Callable[[ModelKind], Path], here: Path, batch_size: str) -> None:
    folder = exported(ModelKind.QUESTION_ANSWERING)
    Path("questions.txt").write_text("is it red?\nhow many squares are there?\n")
    asked = ("task=answer", f"checkpoint={folder}", "text_file=questions.txt", f"batch_size={batch_size}")
    run(*asked, "image=[one,two/cat.png]", "top_k=2")
    model = Fiber.from_pretrained(folder, device="cpu")
    lines = iter(written())
    for name in PICTURES:
        for question in ("is it red?", "how many squares are there?"):
            line, expected = next(lines), model.answer(read_image(here / name), question, top_k=2)
            assert (line["image"], line["question"]) == (name, question)
            assert [one["answer"] for one in line["answers"]] == [one.answer for one in expected.answers]
            probabilities = [one.probability for one in expected.answers]
            assert [one["probability"] for one in line["answers"]] == pytest.approx(probabilities, abs=2e-4)
    assert [line["drawing"] for line in written()] == ["cat.png", "cat-2.png", "cat-3.png", "cat-4.png"]
    assert len(pngs("outputs/predictions")) == 4


def test_lines_of_a_file_have_texts_of_their_own(exported: Callable[[ModelKind], Path], here: Path) -> None:
    lines = [
        {"image": "one/cat.png", "text": ["a circle", "a red square"]},
        {"image": str(here / "two/cat.png"), "text": "two crosses"},
    ]
    (here / "asked.jsonl").write_text("\n".join(map(json.dumps, lines)))
    folder = here / "elsewhere"
    for task, kind in (("answer", ModelKind.QUESTION_ANSWERING), ("match", ModelKind.RETRIEVAL)):
        run(f"task={task}", f"checkpoint={exported(kind)}", f"inputs={here / 'asked.jsonl'}", f"output={folder / task}")
    answers, matches = written(str(folder / "answer")), written(str(folder / "match"))
    assert [line["question"] for line in answers] == ["a circle", "a red square", "two crosses"]
    assert [Path(line["image"]).parent.name for line in answers] == ["one", "one", "two"]
    assert [sorted(one["text"] for one in line["texts"]) for line in matches] == [
        ["a circle", "a red square"],
        ["two crosses"],
    ]


def test_pairs_are_left_and_right_images_in_order(exported: Callable[[ModelKind], Path], here: Path) -> None:
    folder = exported(ModelKind.VISUAL_REASONING)
    asked = ("task=reason", f"checkpoint={folder}")
    run(*asked, "image=[one/cat.png,one/cat.png]", "second_image=[two/cat.png,one/cat.png]", "text=[it is red,no]")
    found = [(line["image"], line["second_image"], line["statement"]) for line in written()]
    pairs = [("one/cat.png", "two/cat.png"), ("one/cat.png", "one/cat.png")]
    assert found == [(*pair, statement) for pair in pairs for statement in ("it is red", "no")]
    one, two = (read_image(Path(name)) for name in PICTURES)
    expected = Fiber.from_pretrained(folder, device="cpu").reason(one, two, "it is red")
    assert written()[0]["probability"] == pytest.approx(expected.probability, abs=2e-4)
    line = {"image": "one/cat.png", "second_image": "two/cat.png", "text": "it is red"}
    Path("pairs.jsonl").write_text(json.dumps(line))
    run(*asked, "inputs=pairs.jsonl", "output=lines")
    assert written("lines")[0] == written()[0]
    with pytest.raises(UserError, match="image gives 2 pictures and second_image 1: give as many of both"):
        run(*asked, "image=[one,two]", "second_image=two/cat.png", "text=no")


def test_rows_of_embeddings_are_named_by_lines(exported: Callable[[ModelKind], Path], here: Path) -> None:
    folder = exported(ModelKind.RETRIEVAL)
    run("task=embed", f"checkpoint={folder}", "image='*/cat.png'", "text=[a circle,two squares]", "batch_size=3")
    texts = [{"text": "a circle", "row": 0}, {"text": "two squares", "row": 1}]
    assert written() == [*({"image": name, "row": row} for row, name in enumerate(PICTURES)), *texts]
    vectors = load_file("outputs/predictions/embeddings.safetensors")
    model = Fiber.from_pretrained(folder, device="cpu")
    for row, name in enumerate(PICTURES):
        assert np.allclose(vectors["image"][row], model.embed_image(read_image(Path(name))), atol=1e-5)
    assert np.allclose(vectors["text"][1], model.embed_text("two squares"), atol=1e-5)
    assert pngs("outputs/predictions") == []


def test_captions_are_written_as_the_configuration_says(exported: Callable[[ModelKind], Path], here: Path) -> None:
    folder = exported(ModelKind.CAPTIONING)
    run("task=caption", f"checkpoint={folder}", "image=one", "search=greedy", "max_length=6")
    expected = Fiber.from_pretrained(folder, device="cpu").caption(
        read_image(Path("one/cat.png")), search="greedy", max_length=6
    )
    assert written()[0]["caption"] == expected.caption


def test_broken_pictures_are_left_out_and_named(
    exported: Callable[[ModelKind], Path], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("task=match", f"checkpoint={exported(ModelKind.RETRIEVAL)}", "text=a circle")
    Path("one/bad.png").write_bytes(b"no picture")
    assert run(*asked, "image=[one,two]", "batch_size=1") == (Path("one/bad.png"),)
    assert [line["image"] for line in written()] == list(PICTURES)
    printed = capsys.readouterr()
    assert printed.err.startswith("left out: one/bad.png: cannot identify image file")
    assert printed.out.endswith("predictions.jsonl; left out: 1 that cannot be read\n")
    with pytest.raises(UserError, match=r"none of the pictures can be read \(one/bad.png: .*give JPEG or PNG"):
        run(*asked, "image=one/bad.png", "output=other")
    assert not Path("other").exists()


def test_a_picture_that_is_broken_in_every_line_is_told_once(
    exported: Callable[[ModelKind], Path], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("bad.png").write_bytes(b"no picture")
    asked = [{"image": image, "text": "a circle"} for image in ("bad.png", "one/cat.png", "bad.png")]
    Path("asked.jsonl").write_text("\n".join(map(json.dumps, asked)))
    run("task=match", f"checkpoint={exported(ModelKind.RETRIEVAL)}", "inputs=asked.jsonl", "batch_size=1")
    assert capsys.readouterr().err.count("left out: bad.png") == 1


def test_long_lists_are_printed_in_part_and_a_bar_follows(
    exported: Callable[[ModelKind], Path], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = [f"circle {number}" for number in range(30)]
    lines = [{"image": "one/cat.png", "text": "a circle"}] * 22 + [{"image": "two/cat.png", "text": texts}]
    Path("many.jsonl").write_text("\n".join(map(json.dumps, reversed(lines))))
    run("task=match", f"checkpoint={exported(ModelKind.RETRIEVAL)}", "inputs=many.jsonl", "draw=false")
    printed = capsys.readouterr()
    assert printed.out.count("one/cat.png: a circle ") == 19
    first = printed.out.split("one/cat.png")[0].splitlines()
    assert len(first) == 23 and first[-1] == "  and 8 more"
    assert printed.out.endswith(
        "23 predictions, of which 20 are printed above: outputs/predictions/predictions.jsonl\n"
    )
    assert "predicting" in printed.err and "23/23" in printed.err
    assert len(written()) == 23


def test_what_is_written_before_an_error_stays(fine_run: Path, here: Path) -> None:
    lines = [{"image": "one/cat.png", "text": "[a cross]"}, {"image": "two/cat.png", "text": "a dog " * 40}]
    Path("asked.jsonl").write_text("\n".join(map(json.dumps, lines)))
    with pytest.raises(UserError, match="tokens, of which the model reads 40"):
        run("task=ground", f"checkpoint={fine_run}", "inputs=asked.jsonl", "batch_size=1")
    assert [line["image"] for line in written()] == ["one/cat.png"]


def test_a_second_run_replaces_the_drawings_of_the_first_and_no_other_file(
    exported: Callable[[ModelKind], Path], here: Path
) -> None:
    asked = ("task=caption", f"checkpoint={exported(ModelKind.CAPTIONING)}", "output=drawn", "max_length=3")
    run(*asked, "image='*/cat.png'")
    Path("drawn/mine.png").write_bytes(b"")
    lines = Path("drawn/predictions.jsonl")
    lines.write_text(lines.read_text() + 'no JSON\n{"drawing": "../one/cat.png"}\n')
    with pytest.raises(UserError, match="output=drawn would overwrite the picture drawn/cat-2"):
        run(*asked, "image=drawn/cat-2.png", "draw=false")
    run(*asked, "image=one/cat.png")
    assert pngs("drawn") == ["cat.png", "mine.png"] and Path("one/cat.png").is_file()


def test_an_interrupt_says_what_is_kept(
    exported: Callable[[ModelKind], Path], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path) -> Image.Image:
        if path.parent.name == "two":
            raise KeyboardInterrupt
        return read_image(path)

    monkeypatch.setattr("fiber.inference.predicting.read_image", interrupted)
    asked = ("task=embed", f"checkpoint={exported(ModelKind.RETRIEVAL)}", "output=kept", "batch_size=1")
    with pytest.raises(KeyboardInterrupt, match="1 prediction kept in kept"):
        run(*asked, "image='*/cat.png'")
    assert [line["image"] for line in written("kept")] == [PICTURES[0]]
    vectors = Path("kept/embeddings.safetensors")
    assert len(load_file(vectors)["image"]) == 1
    assert vectors.stat().st_mode == Path("kept/predictions.jsonl").stat().st_mode


GROUND, DETECT, PICTURE = ("task=ground", TEXT), ("task=detect", "classes=[dog]"), "image=one/cat.png"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((TEXT, PICTURE), "task=None is not one of embed, match, answer, reason, caption, ground, detect"),
        (("task=ground", PICTURE), "text is missing: task=ground is asked by, for example, image=cat.jpg text="),
        ((*GROUND, "classes=[dog]", PICTURE), "task=ground takes no classes: type image=cat.jpg text="),
        ((*GROUND, "classes_file=a.txt", PICTURE), "task=ground takes no classes_file"),
        ((*GROUND, "num_beams=3", PICTURE), "task=ground takes no num_beams"),
        (("task=detect", PICTURE), "classes is missing: .* or classes_file=names.txt"),
        ((*DETECT, TEXT, PICTURE), "task=detect takes no text: type image=cat.jpg classes="),
        ((*DETECT, "classes_file=a.txt", PICTURE), "classes and classes_file=a.txt are both given"),
        (("task=detect", "classes_file=a.txt", PICTURE), "classes_file=a.txt cannot be read"),
        (("task=answer", PICTURE, "text_file=one"), "text_file=one cannot be read"),
        (("task=reason", PICTURE, TEXT), "second_image is missing: task=reason"),
        (("task=embed",), "image or text is missing: task=embed"),
        (GROUND, "image is missing"),
        ((*GROUND, "image=absent.jpg"), "image=absent.jpg does not exist"),
        (("task=ground", PICTURE, "text_file=predictions.jsonl", "output=."), "overwrite the text_file pred"),
        (("task=detect", PICTURE, "classes_file=predictions.jsonl", "output=."), "overwrite the classes_file pred"),
        (("task=ground", "inputs=predictions.jsonl", "output=."), "overwrite the inputs predictions.jsonl: give an"),
        ((*GROUND, PICTURE, "inputs=a.jsonl"), "inputs=a.jsonl and image are both given"),
        (("task=ground", PICTURE, "text=[a dog,a cat]", "phrases=[dog]"), "phrases are of one text, and text has 2"),
        ((*GROUND, PICTURE, "checkpoint=null"), "checkpoint is missing"),
        ((*GROUND, PICTURE, "checkpoint=nowhere"), "checkpoint=nowhere does not exist"),
        ((*GROUND, PICTURE, "device=tpu"), "device=tpu: give auto, cpu or cuda"),
        ((*GROUND, PICTURE, "batch_size=0"), "batch_size=0: give 1 or more"),
        ((*GROUND, PICTURE, "score_threshold=high"), "score_threshold='high': give float"),
        (
            (*GROUND, PICTURE, "output=predictions.jsonl"),
            r"output=predictions.jsonl cannot be a folder \(File exists\)",
        ),
        (
            (*GROUND, PICTURE, "output=one/cat.png/new"),
            r"output=one/cat.png/new cannot be a folder \(Not a directory\)",
        ),
        ((*GROUND, PICTURE, "output=one"), "output=one would overwrite the picture one/cat.png"),
        (("task=ground", "text='[a dog'", PICTURE), r"a '\[' is not closed"),
        (("task=caption", PICTURE), "is a model of kind detector, which cannot caption but ground, detect"),
    ],
)
def test_one_message_says_what_to_type_and_nothing_is_written(
    fine_run: Path, here: Path, overrides: tuple[str, ...], message: str
) -> None:
    Path("predictions.jsonl").write_text('{"image": "one/cat.png", "text": "a dog"}')
    before = sorted(here.rglob("*"))
    with pytest.raises(UserError, match=message):
        run(f"checkpoint={fine_run}", *overrides)
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", 'line 2 is no JSON .*: write {"image": "a.jpg", "text": "a small dog"}, phrases if you like'),
        ("[1]", "line 2 is not as task=ground takes it: write"),
        ('{"image": "one/cat.png"}', "line 2 is not as task=ground takes it"),
        ('{"image": "one/cat.png", "text": "a dog", "box": 1}', "line 2 is not as task=ground takes it"),
        ('{"image": "one/cat.png", "text": 3}', r"line 2: text is 3: write words, or a list of such"),
        ('{"image": ["a.png", "b.png"], "text": "a dog"}', "line 2: image is a list: write a line for each picture"),
        ('{"image": "no.png", "text": "a dog"}', "line 2: no.png does not exist"),
        ('{"image": "one/cat.png", "text": ["a", "b"], "phrases": ["a"]}', "line 2: phrases are of one text"),
    ],
)
def test_a_wrong_line_is_named(here: Path, line: str, message: str) -> None:
    (here / "asked.jsonl").write_text('{"image": "one/cat.png", "text": "a dog", "phrases": ["dog"]}\n' + line)
    with pytest.raises(UserError, match=f"inputs=asked.jsonl, {message}"):
        run("task=ground", "checkpoint=run", "inputs=asked.jsonl")


def test_a_file_of_blank_lines_names_nothing(here: Path) -> None:
    (here / "names.txt").write_text("\n \n")
    with pytest.raises(UserError, match=r"text_file=names\.txt names nothing"):
        run("task=answer", "checkpoint=run", "image=one", "text_file=names.txt")
