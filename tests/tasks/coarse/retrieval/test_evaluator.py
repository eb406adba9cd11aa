"""Ranking a small gallery, alone and shared by processes."""

import json
from collections.abc import Sequence
from functools import partial

import pytest
import torch

from fiber.data.batch import SampleKey
from fiber.data.batch_sampler import EvaluationBatchSampler
from fiber.data.normalization import normalize_pixels
from fiber.data.retrieval_batch import GallerySample
from fiber.data.retrieval_collate import collate_gallery
from fiber.data.retrieval_gallery import GalleryTexts
from fiber.data.tokenization import train_tokenizer
from fiber.evaluation import pair_matching, retrieval
from fiber.evaluation.retrieval import retrieval_recall
from fiber.models.config import FusionConfig
from fiber.models.gated_cross_attention import GatedCrossAttention
from fiber.models.retrieval_model import FiberForRetrieval
from fiber.tasks.acceleration import compile_backbone
from fiber.tasks.coarse.retrieval import evaluator as evaluator_module
from fiber.tasks.coarse.retrieval import listing
from fiber.tasks.coarse.retrieval.evaluator import RetrievalEvaluator
from fiber.tasks.coarse.retrieval.progress import MatchingProgress
from fiber.tasks.coarse.retrieval.rankings import RetrievalEvaluationConfig
from fiber.tasks.split_evaluator import EvaluationResult
from fiber.utils.errors import UserError

from ....data.caption_memory import CaptionMemory
from ....processes import run_as_processes

COUNTS = (1, 3, 2, 6, 1, 2, 3)
"""Captions of every image; one has more than five."""
ALL = ("itc", "itm", "reranked")


def make_texts(repeated: Sequence[int] = ()) -> GalleryTexts:
    tokenizer = train_tokenizer(["image caption 0 1 2 3 4 5 6 7 8 9"], 300)
    return GalleryTexts.read(CaptionMemory(COUNTS, repeated=repeated), tokenizer, max_text_length=10)


@pytest.fixture(scope="module")
def texts() -> GalleryTexts:
    return make_texts()


@pytest.fixture
def model(tiny_config: FusionConfig) -> FiberForRetrieval:
    torch.manual_seed(0)
    model = FiberForRetrieval(tiny_config.with_vocabulary(300)).eval()
    for module in model.modules():
        if isinstance(module, GatedCrossAttention):
            torch.nn.init.constant_(module.gate, 0.7)
    return model


def make_image(index: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(index)
    return torch.randint(0, 256, (3, 64, 64), generator=generator, dtype=torch.uint8)


def make_evaluator(texts: GalleryTexts, rankings: Sequence[str] = ALL, top_k: int = 3) -> RetrievalEvaluator:
    return RetrievalEvaluator(texts, RetrievalEvaluationConfig(rankings=rankings, top_k=top_k, pairs_per_pass=4))


def run(evaluator: RetrievalEvaluator, model: FiberForRetrieval, rank: int = 0, world_size: int = 1) -> None:
    """Every pass of one process."""
    for number in range(evaluator.num_passes):
        for keys in EvaluationBatchSampler(len(COUNTS), batch_size=3, rank=rank, world_size=world_size):
            batch = collate_gallery([GallerySample(make_image(key.sample), key, ()) for key in keys])
            evaluator.add(model, batch, number=number)


@torch.no_grad()
def whole_passes(model: FiberForRetrieval, texts: GalleryTexts) -> tuple[torch.Tensor, torch.Tensor]:
    """Contrastive and matching scores, pair by pair from pixels and padded tokens."""
    scores = torch.empty(2, len(COUNTS), len(texts.captions))
    for i in range(len(COUNTS)):
        for t in range(len(texts.captions)):
            image = model.backbone.encode_image(normalize_pixels(make_image(i)[None]))
            text = model.backbone.encode_text(texts.token_ids[t : t + 1], texts.mask[t : t + 1])
            logits = model.match(image, text)[0]
            scores[0, i, t] = (model.embed_image(image) * model.embed_text(text)).sum()
            scores[1, i, t] = logits[1] - logits[0]
    return scores[0], scores[1]


def with_prefix(prefix: str, values: dict[str, float]) -> dict[str, float]:
    return {prefix + name: value for name, value in values.items()}


@pytest.mark.parametrize(("repeated", "num_standard", "num_distinct"), [((), 17, 18), ((1, 3), 18, 18)])
def test_recall_is_that_of_whole_passes_under_both_protocols(
    model: FiberForRetrieval, repeated: Sequence[int], num_standard: int, num_distinct: int
) -> None:
    texts = make_texts(repeated)
    contrastive, matching = whole_passes(model, texts)
    standard, distinct = texts.standard, texts.distinct
    assert (len(standard), len(distinct)) == (num_standard, num_distinct)
    evaluator = make_evaluator(texts, ["itc", "itm"])
    run(evaluator, model)
    torch.testing.assert_close(torch.stack(evaluator.scores.contrastive), contrastive, rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.stack(evaluator.scores.matching), matching, rtol=0, atol=1e-5)
    expected = {}
    for name, scores in (("retrieval", contrastive), ("retrieval_itm", matching)):
        expected |= with_prefix(f"{name}/", retrieval_recall(scores[:, standard], texts.image[standard]).named())
        recall = retrieval_recall(scores[:, distinct], texts.image[distinct])
        expected |= with_prefix(f"{name}_all_captions/", recall.named())
    assert evaluator.finish().metrics == expected
    assert 0 < expected["retrieval_itm/text_to_image_r5"] < 1


@pytest.mark.parametrize("rankings", [ALL, ("itc", "reranked"), ("itm",)])
def test_two_processes_find_what_one_finds(
    model: FiberForRetrieval, texts: GalleryTexts, rankings: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = make_evaluator(texts, rankings)
    run(alone, model)
    matching = dict(zip(alone.matched, alone.scores.matching, strict=True))
    expected = alone.finish()

    def process(rank: int) -> tuple[EvaluationResult, dict[int, torch.Tensor]]:
        one = make_evaluator(texts, rankings)
        run(one, model, rank, world_size=2)
        rows = dict(zip(one.matched, one.scores.matching, strict=True))
        return one.finish(), rows

    modules = (evaluator_module, listing, retrieval, pair_matching)
    both = [partial(process, rank) for rank in range(2)]
    (first, upper), (second, lower) = run_as_processes(both, monkeypatch, *modules)
    assert first == second == expected
    assert sorted([*upper, *lower]) == list(range(len(COUNTS)))
    for image, row in (upper | lower).items():
        assert torch.equal(row, matching[image])  # bit for bit


def test_reranking_all_is_matching_all(model: FiberForRetrieval, texts: GalleryTexts) -> None:
    evaluator = make_evaluator(texts, top_k=1000)
    run(evaluator, model)
    metrics = evaluator.finish().metrics
    for name, value in metrics.items():
        if name.startswith("retrieval_itm"):
            assert metrics[name.replace("_itm", "_reranked")] == value, name


def test_reranking_matches_the_best_of_either_direction_alone(model: FiberForRetrieval, texts: GalleryTexts) -> None:
    contrastive, _ = whole_passes(model, texts)
    evaluator = make_evaluator(texts, ["reranked"], top_k=2)
    run(evaluator, model)
    matched = torch.stack(evaluator.scores.matching).isfinite()
    wanted = torch.zeros_like(matched)
    for columns in (texts.standard, texts.distinct):
        part = torch.zeros(len(COUNTS), len(columns), dtype=torch.bool)
        part.scatter_(1, contrastive[:, columns].topk(2, dim=1).indices, True)
        part.scatter_(0, contrastive[:, columns].topk(2, dim=0).indices, True)
        wanted[:, columns] |= part
    assert torch.equal(matched, wanted)
    assert evaluator.finish().metrics.keys() == {
        f"retrieval_reranked{suffix}/{name}"
        for suffix in ("", "_all_captions")
        for name in retrieval_recall(torch.eye(2), torch.arange(2)).named()
    }


def test_the_result_file_lists_the_best_by_their_ids(model: FiberForRetrieval, texts: GalleryTexts) -> None:
    contrastive, _ = whole_passes(model, texts)
    evaluator = make_evaluator(texts, ["itc"])
    run(evaluator, model)
    content = json.loads(evaluator.finish().files["retrieval.json"])
    lists = content["rankings"]["retrieval"]
    standard = texts.standard
    ids = [texts.text_ids[index] for index in standard.tolist()]
    for image, row in enumerate(contrastive[:, standard]):
        best = row.argsort(descending=True)[:10].tolist()
        assert lists["image_to_text"][f"id{image}"] == [ids[index] for index in best]
    for text, column in zip(ids, contrastive[:, standard].T, strict=True):
        assert lists["text_to_image"][text] == [f"id{image}" for image in column.argsort(descending=True).tolist()]
    assert content["captions"]["id3#5"] == "image 3 caption 5"


def test_the_picture_shows_the_best_captions(model: FiberForRetrieval, texts: GalleryTexts) -> None:
    contrastive, _ = whole_passes(model, texts)
    evaluator = make_evaluator(texts, ["itc"])
    run(evaluator, model)
    evaluator.finish()
    rows = evaluator.sheet()
    assert len(rows) == len(COUNTS)
    assert torch.equal(rows[4].images[0], make_image(4))
    best = texts.standard[contrastive[4, texts.standard].argmax()]
    assert rows[4].lines[0].text == f"1. {texts.captions[best]}"
    assert rows[4].lines[0].verdict == (int(texts.image[best]) == 4)


def test_another_evaluation_starts_anew(model: FiberForRetrieval, texts: GalleryTexts) -> None:
    evaluator = make_evaluator(texts)
    run(evaluator, model)
    first = evaluator.finish()
    torch.nn.init.normal_(model.backbone.text.embedding.word.weight)
    torch.nn.init.normal_(model.contrastive_head.image_projection.weight)
    run(evaluator, model)
    second = evaluator.finish()
    other = make_evaluator(texts)
    run(other, model)
    assert second == other.finish()
    assert second.files != first.files
    with pytest.raises(UserError, match="memory: nothing was evaluated"):
        evaluator.finish()


def test_a_compiled_backbone_is_not_compiled_anew_for_every_shape(
    model: FiberForRetrieval, texts: GalleryTexts
) -> None:
    plain, compiled = make_evaluator(texts), make_evaluator(texts)
    run(plain, model)
    graphs = []

    def backend(graph: torch.fx.GraphModule, _: object) -> torch.fx.GraphModule:
        graphs.append(graph)
        return graph

    compile_backbone(model.backbone, backend=backend)  # type: ignore[arg-type]
    run(compiled, model)
    assert graphs == []
    assert compiled.finish() == plain.finish()


def test_an_image_left_out_is_noticed(model: FiberForRetrieval, texts: GalleryTexts) -> None:
    evaluator = make_evaluator(texts, ["itc"])
    batch = collate_gallery([GallerySample(make_image(index), SampleKey(index, index), ()) for index in range(6)])
    evaluator.add(model, batch, number=0)
    with pytest.raises(AssertionError, match="an image was missed"):
        evaluator.finish()


def test_wrong_options_are_refused() -> None:
    with pytest.raises(UserError, match=r"evaluation\.rankings=\['best'\]: give some of itc, itm, reranked"):
        RetrievalEvaluationConfig(rankings=["best"])
    with pytest.raises(UserError, match=r"evaluation\.top_k=0: give 1 or more"):
        RetrievalEvaluationConfig(top_k=0)


def test_progress_tells_the_time_to_go(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 40.0, 45.0])
    monkeypatch.setattr("fiber.tasks.coarse.retrieval.progress.time.monotonic", lambda: next(clock))
    progress = MatchingProgress(10_000)
    for _ in range(3):
        progress(1000)
    assert capsys.readouterr().out == "matching: 2,000 of 10,000 pairs, 50 per second, 0:02:40 to go\n"
