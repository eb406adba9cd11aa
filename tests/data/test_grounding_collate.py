"""Samples of any size to one batch."""

import torch

from fiber.data.batch import SampleKey
from fiber.data.box_annotations import CaptionAnnotations
from fiber.data.defects import Defect, DefectKind
from fiber.data.grounding_batch import EvaluationSample, GroundingSample, Truth
from fiber.data.grounding_collate import GroundingCollator, collate_evaluation, padded_length
from fiber.data.grounding_dataset import GroundingDataset
from fiber.data.grounding_transforms import GroundingTransform, GroundingTransformConfig
from fiber.data.normalization import normalize_pixels, zero_padding
from fiber.data.records import Span
from fiber.detection.prompts import Prompt

from .box_readers import BEACH, BEACH_SCENE, MemoryCaptions, word_tokenizer

TOKENIZER = word_tokenizer()


def sample(
    text: str, *spans: Span, height: int = 70, width: int = 100, defects: tuple[Defect, ...] = (), **more: object
) -> GroundingSample:
    """One box per span, in order from the left."""
    boxes = torch.arange(len(spans) * 4, dtype=torch.float32).view(-1, 4)
    image = torch.full((3, height, width), 200, dtype=torch.uint8)
    rows = tuple((span,) for span in spans)
    made = GroundingSample(image, text, boxes, rows, "here.png", SampleKey(0, 0), (), defects)
    return made._replace(**more)  # type: ignore[arg-type]


def collated(*samples: GroundingSample, budget: int = 256):  # type: ignore[no-untyped-def]
    return GroundingCollator(TOKENIZER, text_budget=budget)(samples)


def test_two_copies_of_the_beach_scene_make_the_originals_batch() -> None:
    transform = GroundingTransform(GroundingTransformConfig(short_sides=(70,), flip_probability=0.0))
    dataset = GroundingDataset(CaptionAnnotations(MemoryCaptions(BEACH_SCENE)), transform=transform, seed=0)
    scene = dataset[SampleKey(0, 0)]
    copies = [scene._replace(image=torch.ones(3, *size, dtype=torch.uint8)) for size in ((70, 100), (80, 90))]
    batch = collated(*copies)
    assert batch.image.shape == (2, 3, 96, 128)
    assert batch.sizes.tolist() == [[70, 100], [80, 90]]
    assert batch.num_boxes == (3, 3)
    # <s> Two men hold a red ball near the beach . </s>
    expected = torch.zeros(6, 16, dtype=torch.bool)
    for row, tokens in enumerate([[1, 2], [1, 2], [4, 5, 6]] * 2):
        expected[row, tokens] = True
    assert batch.positive_map.equal(expected)
    assert batch.text_mask.sum(dim=1).tolist() == [12, 12]
    assert TOKENIZER.decode(batch.text_ids[1].tolist()) == BEACH
    assert batch.boxes.equal(torch.cat([scene.boxes, scene.boxes]))


def test_images_are_padded_with_zeros_on_the_right_and_at_the_bottom() -> None:
    image = collated(sample(BEACH, height=64, width=33), sample(BEACH, height=32, width=64)).image
    assert image.shape == (2, 3, 64, 64)
    expected = torch.zeros_like(image)
    expected[0, :, :64, :33] = 200
    expected[1, :, :32, :64] = 200
    assert image.equal(expected)


def test_padding_is_zero_once_normalised_and_nothing_else_is_touched() -> None:
    batch = collated(sample(BEACH, height=70, width=100), sample(BEACH, height=80, width=90))
    normalised = normalize_pixels(batch.image)
    pixels = zero_padding(normalised, batch.sizes)
    for row, (height, width) in enumerate([(70, 100), (80, 90)]):
        assert pixels[row, :, :height, :width].equal(normalised[row, :, :height, :width])
        assert pixels[row, :, height:].count_nonzero() == 0
        assert pixels[row, :, :, width:].count_nonzero() == 0
    assert normalised[0, :, 75].count_nonzero() == normalised[0, :, 75].numel()  # black is not 0


def test_texts_are_padded_to_multiples_of_eight_within_the_budget() -> None:
    assert [padded_length(longest, 254) for longest in (2, 8, 9, 249, 254, 300)] == [8, 8, 16, 254, 254, 254]
    short, long = collated(sample("red ball")), collated(sample("red ball"), sample(BEACH), budget=13)
    assert short.text_ids.shape == short.text_mask.shape == (1, 8)
    assert long.text_ids.shape == (2, 13)
    assert short.text_ids[0, 4:].tolist() == [TOKENIZER.pad_id] * 4


def test_the_end_of_a_long_caption_is_cut_counted_and_names_no_box() -> None:
    # Of 10 tokens the first 6 fit: Two men hold a red ball.
    earlier = Defect(DefectKind.BOX_EMPTY, "here.png")
    batch = collated(sample(BEACH, (0, 7), (13, 23), (18, 28), (29, 38), defects=(earlier,)), sample("a"), budget=8)
    assert batch.text_ids.shape == (2, 8)
    assert batch.text_ids[0, -1] == TOKENIZER.eos_id
    assert TOKENIZER.decode(batch.text_ids[0].tolist()) == "Two men hold a red ball"
    tokens = [row.nonzero().flatten().tolist() for row in batch.positive_map]
    assert tokens == [[1, 2], [4, 5, 6], [], []]  # a phrase across the cut has none, as in the original
    assert batch.defects == (earlier, Defect(DefectKind.CAPTION_CUT, "here.png"))


def test_a_caption_that_just_fits_is_whole() -> None:
    batch = collated(sample(BEACH, (29, 38)), budget=12)
    assert batch.defects == ()
    assert batch.positive_map.nonzero().tolist() == [[0, 8], [0, 9]]
    tighter = collated(sample(BEACH, (29, 38)), budget=11)
    assert tighter.defects == (Defect(DefectKind.CAPTION_CUT, "here.png"),)


def test_images_without_boxes_or_text_have_their_place() -> None:
    batch = collated(sample(BEACH), sample(""), sample("red ball", (4, 8)), sample(BEACH))
    assert batch.num_boxes == (0, 0, 1, 0)
    assert batch.boxes.tolist() == [[0, 1, 2, 3]]
    assert batch.positive_map.nonzero().tolist() == [[0, 2]]
    assert batch.text_mask.sum(dim=1).tolist() == [12, 2, 4, 12]
    nothing = collated(sample(""))
    assert (nothing.boxes.shape, nothing.positive_map.shape) == ((0, 4), (0, 8))


def test_broken_images_and_defects_of_all_samples_are_kept() -> None:
    first, second = Defect(DefectKind.BOX_EMPTY, "a.png"), Defect(DefectKind.SPAN_OUTSIDE, "b.png")
    batch = collated(
        sample(BEACH, defects=(first,), broken=("x.png",)), sample(BEACH, defects=(second,), broken=("y.png", "z.png"))
    )
    assert batch.defects == (first, second)
    assert batch.broken == ("x.png", "y.png", "z.png")


def test_evaluation_batches_keep_what_is_asked_and_sought() -> None:
    prompt, truth = Prompt("a red ball", (((2, 10),),)), Truth(0, (1.0, 2.0, 3.0, 4.0), False, 4.0)
    images = [torch.full((3, *size), 9, dtype=torch.uint8) for size in ((32, 40), (64, 32))]
    batch = collate_evaluation(
        [
            EvaluationSample(images[0], (320, 400), prompt, (truth, truth), 4),
            EvaluationSample(images[1], (96, 48), None, (), 5),
        ]
    )
    assert batch.image.shape == (2, 3, 64, 64) and batch.image.sum() == 9 * 3 * (32 * 40 + 64 * 32)
    assert batch.sizes.tolist() == [[32, 40], [64, 32]]
    assert batch.original_sizes == ((320, 400), (96, 48))
    assert (batch.prompts, batch.truths) == ((prompt, None), ((truth, truth), ()))
    assert (batch.image_index, len(batch)) == ((4, 5), 2)
