"""Training samples of public data sets, as their publishers count them."""

from collections.abc import Mapping

from omegaconf import DictConfig

KARPATHY_COCO = 566_747
"""Captions of 113,287 images: Karpathy's train and restval."""
KARPATHY_FLICKR30K = 145_000
"""Captions of 29,000 images."""
VQA_TRAIN = 443_757
"""Questions; those without a frequent answer are left out of training, some six per cent."""
VQA_VAL = 214_354
NLVR2_TRAIN = 86_373
"""Statements."""
REFERRING: Mapping[str, int] = {"refcoco": 120_624, "refcoco+": 120_191, "refcocog": 80_512}
"""Expressions of the train splits (UMD's of RefCOCOg), as MDETR counts them."""

NUM_SAMPLES: Mapping[str, int] = {
    "coco": KARPATHY_COCO,
    "arrow_coco": KARPATHY_COCO,
    "coarse_caption": KARPATHY_COCO,
    "coarse_retrieval": KARPATHY_COCO,
    "coco_captions": 591_753,
    "flickr30k": KARPATHY_FLICKR30K,
    "arrow_flickr30k": KARPATHY_FLICKR30K,
    "visual_genome": 5_408_689,
    "coarse_vqa": VQA_TRAIN,
    "arrow_vqa": VQA_TRAIN,
    "coarse_vqa_trainval": VQA_TRAIN + VQA_VAL - 5_292,  # about: the questions of a thousand images
    "coarse_nlvr2": NLVR2_TRAIN,
    "arrow_nlvr2": NLVR2_TRAIN,
    "fine_refcoco": REFERRING["refcoco"],
    "fine_refcoco+": REFERRING["refcoco+"],
    "fine_refcocog": REFERRING["refcocog"],
    "fine_coco": 118_287,
    "fine_lvis": 99_388,  # images with boxes, of 100,170
    "fine_flickr30k": 148_915,  # captions of 29,783 images
}
"""By option of the `data` group."""


def known_samples(config: DictConfig, data: str | None) -> int | None:
    """Samples of an epoch; None where only the data know.

    Args:
        config: composed from `configs/train.yaml`.
        data: option of the `data` group, where one is known.
    """
    generated = [reader.get("num_samples") for reader in config.data.train]
    if all(count is not None for count in generated):  # the built-in world
        return int(sum(generated))
    if data == "refer":
        return REFERRING.get(str(config.task.name))
    return NUM_SAMPLES.get(data) if data is not None else None
