"""Boxes of one label."""

from fiber.tasks.fine.boxes.found_boxes import WrittenBoxes, found_for, true_boxes

from .judging import detections, truth


def test_detections_of_a_label_come_best_first_and_ties_as_they_were_found() -> None:
    found = detections(((0, 0, 1, 1), 0.2, 1), ((0, 0, 2, 2), 0.9, 0), ((0, 0, 3, 3), 0.7, 1), ((0, 0, 4, 4), 0.7, 1))
    own = found_for(found, 1)
    assert own.boxes[:, 2].tolist() == [3, 4, 1] and own.labels.tolist() == [1, 1, 1]
    assert found_for(found, 2).boxes.shape == (0, 4)


def test_true_boxes_of_a_label_may_be_several_or_none() -> None:
    truths = [truth(0, 0, 0, 1, 1), truth(1, 0, 0, 2, 2), truth(0, 0, 0, 3, 3)]
    assert true_boxes(truths, 0).tolist() == [[0, 0, 1, 1], [0, 0, 3, 3]]
    assert true_boxes(truths, 2).shape == (0, 4)


def test_ten_boxes_are_written_to_a_hundredth_of_a_pixel() -> None:
    written = WrittenBoxes.best(detections(*[((1 / 3, 0, 2 / 3, 10), 1 / 3, 0)] * 12))
    assert written.record() == {"boxes": [[0.33, 0, 0.67, 10]] * 10, "scores": [0.333333] * 10}
