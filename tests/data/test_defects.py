"""What is passed over, counted by kind."""

from fiber.data.defects import Defect, DefectKind, DefectLog


def outside(number: int) -> Defect:
    return Defect(DefectKind.BOX_OUTSIDE, f"{number}.jpg")


def test_five_of_a_kind_are_named_and_all_are_counted() -> None:
    log = DefectLog()
    empty = Defect(DefectKind.BOX_EMPTY, "late.jpg")
    assert log.add(map(outside, range(3))) == [outside(0), outside(1), outside(2)]
    assert log.add([*map(outside, range(3, 9)), empty]) == [outside(3), outside(4), empty]
    assert log.counts == {DefectKind.BOX_OUTSIDE: 9, DefectKind.BOX_EMPTY: 1}
    assert log.summary() == "9 times a box outside of its image, 1 times a box without area"


def test_nothing_passed_over_has_no_summary() -> None:
    assert DefectLog().summary() == ""


def test_a_resumed_log_counts_on_and_names_no_more() -> None:
    log, resumed = DefectLog(), DefectLog()
    log.add(map(outside, range(5)))
    resumed.restore(log.state())
    assert resumed.state() == {"BOX_OUTSIDE": 5}
    assert resumed.add([outside(5)]) == []
    assert resumed.counts[DefectKind.BOX_OUTSIDE] == 6
