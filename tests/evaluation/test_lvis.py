"""LVIS' figures: its own sample, examples by hand, and the rules word by word."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fiber.data.readers.lvis_detection import LvisDetection
from fiber.data.records import LabeledBox
from fiber.evaluation.lvis import AREA_RANGES, evaluate_lvis
from fiber.evaluation.lvis_boxes import BestPerClass, ScoredBoxes, best_per_class, best_per_image, join
from fiber.evaluation.lvis_matching import IOU_THRESHOLDS
from fiber.evaluation.lvis_truth import GroundTruth

from ..data.federated_memory import CAT, DOG, EXAMPLE, EXAMPLE_FOUND, OWL, CheckedImage, Found, MemoryFederated

BOX, ELSEWHERE = (10.0, 10.0, 60.0, 60.0), (200.0, 200.0, 260.0, 260.0)


def scored(*rows: tuple[int, Found]) -> ScoredBoxes:
    """Image and detection each."""
    return ScoredBoxes(
        np.array([image for image, _ in rows], dtype=np.int32),
        np.array([label for _, (_, label, _) in rows], dtype=np.int32),
        np.array([box for _, (box, _, _) in rows], dtype=np.float64).reshape(-1, 4),
        np.array([score for _, (_, _, score) in rows]),
    )


def of_images(found: Sequence[Sequence[Found]]) -> ScoredBoxes:
    return scored(*((image, one) for image, some in enumerate(found) for one in some))


def truth_of(reader: MemoryFederated) -> GroundTruth:
    return GroundTruth.read(reader, len(reader))


def figures(reader: MemoryFederated, *rows: tuple[int, Found]) -> dict[str, float]:
    return evaluate_lvis(truth_of(reader), scored(*rows)).metrics


def randomly_found(number: int, *, num_images: int, num_classes: int, seed: int) -> ScoredBoxes:
    """Detections with many equal scores."""
    generator = np.random.default_rng(seed)
    corner = generator.random((number, 2)) * 60
    return ScoredBoxes(
        generator.integers(0, num_images, number).astype(np.int32),
        generator.integers(0, num_classes, number).astype(np.int32),
        np.concatenate([corner, corner + 20 + generator.random((number, 2)) * 60], axis=1).astype(np.float32),
        (generator.integers(1, 20, number) / 20).astype(np.float32),
    )


def rows_of(boxes: ScoredBoxes) -> list[tuple[object, ...]]:
    columns = (
        boxes.image.tolist(),
        boxes.class_index.tolist(),
        map(tuple, boxes.boxes.tolist()),
        boxes.scores.tolist(),
    )
    return list(zip(*columns, strict=True))


def test_lvis_s_own_sample_has_the_official_figures(shared: Path, cache: Path, tmp_path: Path) -> None:
    folder = shared / "data" / "metrics" / "lvis"
    reader = LvisDetection(str(folder / "lvis_val_99.json"), image_folder=str(tmp_path), training=False)
    place = {int(reader.image_id(index)): index for index in range(len(reader))}
    results = json.loads((folder / "synthetic_detections_99.json").read_text())
    found = scored(
        *(
            (place[one["image_id"]], ((x, y, x + width, y + height), label, one["score"]))
            for one in results
            for (x, y, width, height), label in [(one["bbox"], reader.category_ids.index(one["category_id"]))]
        )
    )
    metrics = evaluate_lvis(GroundTruth.read(reader, len(reader)), best_per_image(found, 300)).metrics
    expected = json.loads((folder / "expected.json").read_text())["computed"]
    assert metrics == pytest.approx({name.removesuffix("@300"): value for name, value in expected.items()}, abs=1e-12)


def test_the_original_s_example_under_the_fixed_protocol() -> None:
    result = evaluate_lvis(truth_of(EXAMPLE), best_per_class(of_images(EXAMPLE_FOUND), 10_000))
    cat = (51 + 50 * 2 / 3) / 101
    expected = {"AP": (cat + 0.5) / 2, "AP50": (cat + 0.5) / 2, "AP75": (cat + 0.5) / 2, "APr": -1, "APc": 0.5}
    expected |= {"APf": cat, "APs": -1, "APm": 0.5, "APl": 1, "AR": 1, "ARs": -1, "ARm": 1, "ARl": 1}
    assert result.metrics == pytest.approx(expected, abs=1e-12)
    assert round(result.metrics["AP"], 6) == 0.667492
    assert result.class_precision.tolist() == pytest.approx([cat, 0.5, -1])


def test_a_limit_per_class_counts_what_is_not_judged_as_well() -> None:
    metrics = evaluate_lvis(truth_of(EXAMPLE), best_per_class(of_images(EXAMPLE_FOUND), 1)).metrics
    assert (round(metrics["AP"], 6), metrics["APf"], metrics["APc"]) == (0.252475, pytest.approx(51 / 101), 0)
    unchecked = [(0, (BOX, OWL, 0.9)), (1, (BOX, OWL, 0.8))]
    reader = MemoryFederated(CheckedImage(), CheckedImage([LabeledBox(BOX, OWL)]))
    assert evaluate_lvis(truth_of(reader), best_per_class(scored(*unchecked), 2)).metrics["AP"] == pytest.approx(1)
    assert evaluate_lvis(truth_of(reader), best_per_class(scored(*unchecked), 1)).metrics["AP"] == 0


def test_an_image_handed_in_twice_counts_against_the_model() -> None:
    first, second = EXAMPLE_FOUND
    metrics = evaluate_lvis(truth_of(EXAMPLE), of_images([[*first, *first], second])).metrics
    assert {name: round(metrics[name], 3) for name in ("AP", "APc", "APf")} == {"AP": 0.518, "APc": 0.333, "APf": 0.703}


def test_of_equal_scores_the_one_found_first_comes_first() -> None:
    reader = MemoryFederated(CheckedImage([LabeledBox(BOX, CAT)]))
    right, wrong = (0, (BOX, CAT, 0.5)), (0, (ELSEWHERE, CAT, 0.5))
    assert figures(reader, right, wrong)["AP"] == pytest.approx(1)
    assert figures(reader, wrong, right)["AP"] == pytest.approx(0.5)


def test_of_equal_scores_the_earlier_image_comes_first_whichever_was_judged_first() -> None:
    reader = MemoryFederated(CheckedImage(negative=[CAT]), CheckedImage([LabeledBox(BOX, CAT)]))
    wrong, right = (0, (ELSEWHERE, CAT, 0.5)), (1, (BOX, CAT, 0.5))
    assert figures(reader, right, wrong) == figures(reader, wrong, right)
    assert figures(reader, right, wrong)["AP"] == pytest.approx(0.5)


def test_an_object_is_found_once_and_counted_ones_come_before_those_of_another_size() -> None:
    small, large = (0.0, 0.0, 30.0, 30.0), (0.0, 0.0, 36.0, 30.0)
    reader = MemoryFederated(CheckedImage([LabeledBox(small, CAT), LabeledBox(large, CAT)]))
    # It overlaps the large box more; among the small ones alone it finds the small one.
    metrics = figures(reader, (0, ((0.0, 0.0, 35.0, 30.0), CAT, 0.9)))
    assert metrics["AR"] == pytest.approx(0.5)  # one of the two
    assert metrics["ARs"] == pytest.approx(0.8)  # IoU 0.857: 0.5 to 0.85
    assert metrics["ARm"] == pytest.approx(1.0)  # IoU 0.972


def test_of_objects_overlapped_alike_the_last_annotated_is_found() -> None:
    left, between, right = ((x, 0.0, x + 40.0, 40.0) for x in (0.0, 10.0, 20.0))
    reader = MemoryFederated(CheckedImage([LabeledBox(left, CAT), LabeledBox(right, CAT)]))
    metrics = figures(reader, (0, (between, CAT, 0.9)), (0, (right, CAT, 0.8)))
    assert metrics["AR"] == pytest.approx(0.5)  # the second detection comes too late where the first finds anything


def test_areas_are_those_of_masks_where_annotated() -> None:
    reader = MemoryFederated(CheckedImage([LabeledBox((0.0, 0.0, 40.0, 40.0), CAT, area=900.0)]))
    metrics = figures(reader, (0, ((0.0, 0.0, 40.0, 40.0), CAT, 0.9)))
    assert (metrics["APs"], metrics["APm"]) == (pytest.approx(1), -1)


def test_where_nothing_is_found_all_is_missed_and_where_nothing_is_there_is_no_figure() -> None:
    reader = MemoryFederated(CheckedImage([LabeledBox(BOX, CAT)], negative=[DOG]))
    for rows in ([], [(0, (BOX, DOG, 0.9))]):
        metrics = figures(reader, *rows)
        assert (metrics["AP"], metrics["APf"], metrics["AR"], metrics["APm"]) == (0, 0, 0, 0)
        assert (metrics["APc"], metrics["APr"], metrics["APs"]) == (-1, -1, -1)
    empty = figures(MemoryFederated(CheckedImage(negative=[CAT])), (0, (BOX, CAT, 0.9)))
    assert set(empty.values()) == {-1}


def iou(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    inner = float(np.prod(sides.clip(min=0)))
    return inner / (float(np.prod(first[2:] - first[:2])) + float(np.prod(second[2:] - second[:2])) - inner)


def by_the_letter(reader: MemoryFederated, found: ScoredBoxes, label: int, number: int, threshold: float) -> float:
    """Average precision of one class, area range and threshold, detection by detection."""
    outside, flags, num_objects = AREA_RANGES[number].excludes, [], 0
    for image, known in enumerate(reader.images):
        objects = [one for one in known.objects if one.class_index == label]
        ignored = [bool(outside(np.array(one.area))) for one in objects]
        num_objects += ignored.count(False)
        if not objects and label not in known.negative:
            continue
        mine = np.flatnonzero((found.image == image) & (found.class_index == label))
        free = [True] * len(objects)
        for row in sorted(mine, key=lambda row: -found.scores[row]):
            box = found.boxes[row].astype(np.float64)
            choices = [
                (not ignored[place], overlap, place)
                for place, one in enumerate(objects)
                if free[place] and (overlap := iou(box, np.array(one.box))) >= threshold
            ]
            if choices:
                counts, _, place = max(choices)
                free[place] = False
                right, wrong = counts, False
            else:
                unclear = label in known.not_exhaustive or outside(np.prod(box[2:] - box[:2]))
                right, wrong = False, not unclear
            flags.append((-found.scores[row], image, right, wrong))
    if not num_objects:
        return -1.0
    flags.sort(key=lambda flag: flag[:2])
    points = []
    for end in range(1, len(flags) + 1):
        rights, wrongs = (sum(flag[kind] for flag in flags[:end]) for kind in (2, 3))
        points.append((rights / num_objects, rights / max(1, rights + wrongs)))
    reached = [max((p for r, p in points if r >= recall), default=0.0) for recall in np.linspace(0, 1, 101)]
    return sum(reached) / 101


@pytest.mark.parametrize("seed", range(3))
def test_random_images_are_judged_by_the_letter_of_the_rules(seed: int) -> None:
    generator = np.random.default_rng(seed)
    drawn = randomly_found(50, num_images=6, num_classes=3, seed=seed)
    images = []
    for image in range(6):
        some = drawn.select(drawn.image == image)
        areas = (generator.random(len(some)) * 3000).tolist()
        columns = zip(some.boxes.tolist(), some.class_index.tolist(), areas, strict=True)
        objects = [LabeledBox(tuple(box), label, area=area) for box, label, area in columns if label or image % 2]
        lenient = [label for label in range(3) if generator.random() < 0.3]
        images.append(CheckedImage(objects, negative=[] if image % 2 else [0], not_exhaustive=lenient))
    reader = MemoryFederated(*images)
    near = ScoredBoxes(drawn.image, drawn.class_index, drawn.boxes + np.float32(4), np.roll(drawn.scores, 1))
    found = join([randomly_found(80, num_images=6, num_classes=3, seed=seed + 100), near])
    metrics = evaluate_lvis(truth_of(reader), found).metrics
    for number, area_range in enumerate(AREA_RANGES):
        values = [by_the_letter(reader, found, label, number, iou) for label in range(3) for iou in IOU_THRESHOLDS]
        known = [value for value in values if value >= 0]
        assert metrics[f"AP{area_range.suffix}"] == pytest.approx(np.mean(known) if known else -1, abs=1e-12)
    assert 0.05 < metrics["AP"] < 0.95


def test_the_best_of_a_class_do_not_depend_on_who_judged_which_image() -> None:
    found = randomly_found(400, num_images=9, num_classes=3, seed=0)
    whole = best_per_class(found, 20)
    assert np.bincount(whole.class_index).tolist() == [20, 20, 20]
    for label in range(3):
        scores = found.scores[found.class_index == label]
        assert whole.scores[whole.class_index == label].min() == np.sort(scores)[-20]
    shares = [found.select(found.image % 2 == share) for share in (1, 0)]
    joined = best_per_class(join([best_per_class(one, 20) for one in shares]), 20)
    assert sorted(rows_of(joined)) == sorted(rows_of(whole))


def test_the_best_of_an_image_are_of_any_class_and_the_first_of_equal_ones() -> None:
    found = scored(
        *((image, (BOX, label, score)) for image in (1, 0) for label, score in [(0, 0.2), (1, 0.9), (2, 0.2)])
    )
    kept = best_per_image(found, 2)
    assert (kept.image.tolist(), kept.class_index.tolist()) == ([0, 0, 1, 1], [1, 0, 1, 0])


def test_the_best_are_collected_in_bounded_memory() -> None:
    found = randomly_found(6000, num_images=200, num_classes=3, seed=0)
    best, most = BestPerClass(3, limit=50, slack=40), 0
    order = np.random.default_rng(1).permutation(200)
    for image in order:
        best.add(found.select(found.image == image))
        most = max(most, len(best))
    assert 150 < most <= 3 * 50 + 40
    assert sorted(rows_of(best.best())) == sorted(rows_of(best_per_class(found, 50)))
