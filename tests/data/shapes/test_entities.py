"""Phrases of shapes have types."""

from fiber.data.shapes.entities import ShapesEntities
from fiber.data.shapes.phrases import ShapesPhrases


def test_samples_are_those_of_the_phrases_and_types_are_what_they_name() -> None:
    entities = ShapesEntities("val", num_samples=100, image_size=64)
    phrases = ShapesPhrases("val", num_samples=100, image_size=64)
    seen = set()
    for index in range(100):
        caption = entities.grounded_caption(index)
        assert caption == phrases.grounded_caption(index)
        types = entities.phrase_types(index)
        assert len(types) == len(caption.phrases)
        for phrase, own in zip(caption.phrases, types, strict=True):
            [(begin, end)], [name] = phrase.spans, own
            named = caption.text[begin:end].split()[-1]
            assert name in (named, f"{named}s", f"{named}es")
            seen.add(name)
    assert seen == {"circles", "squares", "triangles", "crosses"}
    assert entities.load_image(7).tobytes() == phrases.load_image(7).tobytes()
