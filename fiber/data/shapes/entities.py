"""Captions of shapes whose phrases are of types, as in Flickr30k Entities."""

from fiber.data.readers.task_readers import EntitiesReader
from fiber.data.shapes.phrases import ShapesPhrases


class ShapesEntities(ShapesPhrases, EntitiesReader):
    """The samples of `ShapesPhrases`; a phrase's type is the shape it names. Arguments as for `ShapesPhrases`."""

    def phrase_types(self, index: int) -> tuple[tuple[str, ...], ...]:
        """Plural of every phrase's shape, such as `circles`."""
        sample = self.sample(index)
        return tuple((sample.scene.objects[phrase.objects[0]].look.shape.plural,) for phrase in sample.phrases)
