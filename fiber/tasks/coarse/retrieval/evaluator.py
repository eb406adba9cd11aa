"""Ranking a split's images and captions against each other.

Axes: B images of a batch, n images of this process, T texts, P embedding width.
"""

import json
from collections.abc import Sequence
from enum import Enum
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from fiber.data.normalization import normalize_pixels
from fiber.data.retrieval_batch import GalleryBatch
from fiber.data.retrieval_gallery import GalleryTexts
from fiber.evaluation.pair_matching import match_all, match_some
from fiber.evaluation.reranking import candidate_floors, candidates
from fiber.evaluation.retrieval import table_recall
from fiber.evaluation.text_trunks import TextTrunks
from fiber.models.pair_model import PairModel
from fiber.tasks.coarse.retrieval.listing import best_ids, gallery_rows
from fiber.tasks.coarse.retrieval.progress import MatchingProgress
from fiber.tasks.coarse.retrieval.rankings import GalleryScores, Ranking, RetrievalEvaluationConfig, protocols
from fiber.tasks.coarse.sheet_evaluator import NUM_ROWS
from fiber.tasks.coarse.sheets import SheetRow, draw_sheet
from fiber.tasks.split_evaluator import EvaluationResult, Evaluator
from fiber.utils.distributed import gather_objects, world_size
from fiber.utils.errors import UserError

RESULT_FILE = "retrieval.json"
GIB = 2**30


class Pass(Enum):
    """What a pass over the images is for."""

    EMBED = "embed"
    MATCH = "match"


class RetrievalEvaluator(Evaluator):
    """Recall at 1, 5 and 10 in both directions, for each ranking under a name of its own.

    A first pass embeds the images; where pairs are to be matched, a second fuses them with the texts, whose lower
    layers have run once for all images. Every process keeps the scores of its own images, and nothing but counts and
    the best few of every list are exchanged.

    Args:
        texts: of the split.
        config: which rankings, and how.
    """

    def __init__(self, texts: GalleryTexts, config: RetrievalEvaluationConfig) -> None:
        self.texts = texts
        self.config = config
        wanted = {Pass.EMBED: config.embeds, Pass.MATCH: config.matches}
        self.passes = [one for one, is_wanted in wanted.items() if is_wanted]
        self.num_passes = len(self.passes)
        self.pictures: list[Tensor] = []
        """uint8 3 S S each, of the first images."""
        self.rows: list[SheetRow] = []
        self.monitored = f"{config.kinds[-1].group}/mean_recall_1"  # of both directions, by the last ranking listed
        self.begin()

    def begin(self) -> None:
        """Forget everything that depends on the model's weights."""
        self.scores = GalleryScores(self.texts)
        self.matched: list[int] = []
        """Images matched so far, in order."""
        self.trunks: TextTrunks | None = None
        self.embeddings: Tensor | None = None
        """T P, of all texts."""
        self.wanted: list[Tensor] | None = None
        """Texts to match with each image, where not all are."""
        self.progress: MatchingProgress | None = None

    @torch.no_grad()
    def add(self, model: nn.Module, batch: GalleryBatch, *, number: int) -> None:
        assert isinstance(model, PairModel)
        images = batch.sample.tolist()
        with torch.compiler.set_stance("force_eager"):  # nearly every pass has a shape of its own
            if self.trunks is None:
                self.encode_texts(model, batch.image.device)
            if self.passes[number] is Pass.EMBED:
                self.scores.contrastive += finite(self.embed(model, batch)).cpu().unbind()
            else:
                self.scores.matching += finite(self.match(model, batch)).unbind()
        if number == 0:
            self.keep_pictures(batch)
            self.scores.images += images
        if self.passes[number] is Pass.MATCH:
            self.matched += images
            assert self.scores.images[: len(self.matched)] == self.matched, "the passes differ in their order"

    def encode_texts(self, model: PairModel, device: torch.device) -> None:
        """Run the texts' lower layers, and where wanted embed them."""
        self.trunks = TextTrunks(
            model.backbone,
            self.texts.token_ids.to(device),
            self.texts.mask.to(device),
            chunk_size=self.config.pairs_per_pass,
            budget=int(self.config.text_cache * GIB) if self.config.matches else 0,
        )
        for chunk, trunk in self.trunks.encode_all():
            if self.config.embeds:
                embedded = model.embed_text(trunk)
                if self.embeddings is None:
                    self.embeddings = embedded.new_empty(len(self.texts.captions), embedded.shape[1])
                self.embeddings[chunk] = embedded

    def embed(self, model: PairModel, batch: GalleryBatch) -> Tensor:
        """Contrastive scores of a batch, B T."""
        assert self.embeddings is not None
        images = model.embed_image(model.backbone.encode_image(normalize_pixels(batch.image)))
        with torch.autocast(images.device.type, enabled=False):
            return images @ self.embeddings.T

    def match(self, model: PairModel, batch: GalleryBatch) -> Tensor:
        """Matching scores of a batch, B T on the CPU; -inf where a pair is no candidate."""
        assert self.trunks is not None
        if self.progress is None:
            self.begin_matching()
        assert self.progress is not None
        # One at a time, so that a score does not depend on the batch, and with it on the number of processes.
        pixels = torch.split(normalize_pixels(batch.image), 1)
        most = max(gather_objects(len(pixels)))
        trunks = [model.backbone.encode_image(pixels[number % len(pixels)]) for number in range(most)][: len(pixels)]
        scores = torch.full((len(trunks), len(self.texts.captions)), -torch.inf)
        if self.wanted is None:
            match_all(model, trunks, self.trunks, scores, self.progress)
        else:
            start = len(self.matched)
            wanted = [index.to(batch.image.device) for index in self.wanted[start : start + len(trunks)]]
            match_some(model, trunks, self.trunks, wanted, scores, self.progress)
        return scores

    def begin_matching(self) -> None:
        """Decide which pairs are to be matched."""
        num_texts = len(self.texts.captions)
        if Ranking.ITM in self.config.kinds:
            total = num_texts * -(-len(self.texts.image_ids) // world_size())
        else:
            chosen = [torch.zeros(num_texts, dtype=torch.bool) for _ in self.scores.images]
            for protocol in protocols(self.texts):
                table = self.scores.table(self.scores.contrastive, protocol)
                floors = candidate_floors(table, self.config.top_k)
                for row, flags in enumerate(chosen):
                    flags[protocol.texts[candidates(table, floors, row)]] = True
            self.wanted = [flags.nonzero().squeeze(1) for flags in chosen]
            total = sum(map(len, self.wanted))
        self.progress = MatchingProgress(total)

    def keep_pictures(self, batch: GalleryBatch) -> None:
        """Keep the first images of this process for the picture."""
        if not self.scores.images:
            self.pictures = []
        self.pictures += batch.image[: NUM_ROWS - len(self.pictures)].cpu().unbind()

    def finish(self, *, files: bool = True) -> EvaluationResult:
        everyone = [image for part in gather_objects(self.scores.images) for image in part]
        if not everyone:
            raise UserError(f"{self.texts.name}: nothing was evaluated.")
        assert sorted(everyone) == list(range(len(self.texts.image_ids))), "an image was missed or met twice"
        metrics: dict[str, float] = {}
        listed: dict[str, Any] = {}
        for kind in self.config.kinds:
            for protocol in protocols(self.texts):
                tables = self.scores.tables(kind, protocol, self.config.top_k)
                recall = table_recall(tables.texts, tables.images).named()
                metrics |= {f"{kind.group}{protocol.suffix}/{name}": value for name, value in recall.items()}
                if not protocol.suffix:
                    listed[kind.group] = best_ids(tables, self.texts)
                    self.rows = gallery_rows(tables, self.texts, self.pictures)
        self.begin()
        if not files:
            return EvaluationResult(metrics, {})
        captions = dict(zip(self.texts.text_ids, self.texts.captions, strict=True))
        return EvaluationResult(metrics, {RESULT_FILE: json.dumps({"captions": captions, "rankings": listed})})

    def sheet(self) -> Sequence[SheetRow]:
        """Rows of the picture."""
        return self.rows

    def picture(self) -> Image.Image | None:
        return draw_sheet(self.rows) if self.rows else None


def finite(scores: Tensor) -> Tensor:
    """The scores, if all are numbers: comparisons would take others for the best.

    Raises:
        UserError: one is not a number.
    """
    if bool(scores.isnan().any()):
        raise UserError("retrieval: scores of the model are no numbers: has its training diverged?")
    return scores
