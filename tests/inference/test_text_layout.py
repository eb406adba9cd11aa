"""Text that fits a picture."""

from fiber.inference.text_layout import label_runs, shortened, text_font, wrapped


def test_lines_hold_every_word_and_fit() -> None:
    text, font = "one two  three four five " * 8 + "x" * 99, text_font((500, 500))
    lines = wrapped(text, font, 200)
    assert " ".join(text[start:end] for start, end in lines).split() == text.split()
    assert all(font.getlength(text[start:end]) <= 200 for start, end in lines[:-1]) and len(lines) > 4
    assert text[slice(*lines[-1])] == "x" * 99
    assert wrapped("", font, 200) == []


def test_a_line_falls_into_runs_of_one_label() -> None:
    runs = label_runs((2, 12), [[(0, 4), (8, 20)], [(3, 6)]])
    assert runs == [((2, 4), 0), ((4, 6), 1), ((6, 8), None), ((8, 12), 0)]


def test_names_wider_than_the_picture_are_cut() -> None:
    font = text_font((500, 500))
    cut = shortened("a very long name " * 20, font, 150)
    assert cut.endswith("...") and 100 < font.getlength(cut) <= 150
    assert shortened("dog\ncat", font, 150) == "dog cat"
