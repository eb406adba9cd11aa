"""A trained model of any kind, to ask.

model = Fiber.from_pretrained("outputs/vqa")
print(model.answer(Image.open("cat.jpg"), "what color is the cat?"))
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self, TypeVar, overload

import torch
from PIL import Image
from torch import Tensor

from fiber.checkpoints.model_description import CoarseDescription, ModelDescription, ModelKind
from fiber.checkpoints.model_kinds import COARSE_KINDS
from fiber.data.tokenization import TextTokenizer
from fiber.inference.answering import Answerer, AnswerResult
from fiber.inference.arguments import TextList, Texts
from fiber.inference.captioning import Captioner, CaptionResult
from fiber.inference.coarse_input import CoarseInput, ImageList, Images
from fiber.inference.detector_encodings import ClassList, DetectorImageList, DetectorImages
from fiber.inference.devices import choose_device
from fiber.inference.grounding import Grounder, Phrases
from fiber.inference.matching import Matcher, MatchResult
from fiber.inference.model_loading import LoadedModel, load_model
from fiber.inference.publishing import push_model, save_model
from fiber.inference.reasoning import Reasoner, ReasoningResult
from fiber.inference.results import GroundingResult
from fiber.models.captioning_model import FiberForCaptioning
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.pair_model import PairModel
from fiber.models.question_answering_model import FiberForQuestionAnswering
from fiber.models.visual_reasoning_model import FiberForVisualReasoning
from fiber.utils.errors import UserError

Predictor = Matcher | Answerer | Reasoner | Captioner | Grounder
P = TypeVar("P", Matcher, Answerer, Reasoner, Captioner, Grounder)

VERBS: Mapping[ModelKind, tuple[str, ...]] = {
    ModelKind.PRETRAINING: ("embed_image", "embed_text", "match"),
    ModelKind.RETRIEVAL: ("embed_image", "embed_text", "match"),
    ModelKind.QUESTION_ANSWERING: ("answer",),
    ModelKind.VISUAL_REASONING: ("reason",),
    ModelKind.CAPTIONING: ("caption",),
    ModelKind.DETECTOR: ("ground", "detect"),
}
"""What each kind of model can do."""


class DetectionOptions(NamedTuple):
    """Of detectors alone; None is the default of `Grounder`, for the side that of the description."""

    short_side: int | None = None
    score_threshold: float | None = None
    max_detections: int | None = None

    def given(self) -> dict[str, Any]:
        """Those that are not None."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Fiber:
    """Answers questions of one kind or another about pictures, as the model was trained to.

    `verbs` says which of the methods below the model can do; another one raises a `UserError` that says how to get a
    model that can. Pictures are PIL images of any mode and size. One input gives one result, several give a list in
    their order, with the same answers. `encode_images` looks at pictures once for any number of questions.

    Args:
        loaded: model and what belongs to it.
        batch_size: pictures, texts or pairs that go through the model together, speed against memory; None is 16, of a
            detector 8.
        detection: of detectors.
    """

    def __init__(
        self, loaded: LoadedModel, *, batch_size: int | None = None, detection: DetectionOptions | None = None
    ) -> None:
        self.loaded = loaded
        self.predictor = build_predictor(loaded, batch_size, detection or DetectionOptions())

    @classmethod
    def from_pretrained(
        cls,
        source: str | Path,
        *,
        device: str = "auto",
        batch_size: int | None = None,
        short_side: int | None = None,
        score_threshold: float | None = None,
        max_detections: int | None = None,
    ) -> Self:
        """A trained model.

        Args:
            source: directory of a run (its best checkpoint, else its last) or of an exported model, a checkpoint in
                one, or a repository of the hub (`name/model`).
            device: auto, cpu or cuda.
            batch_size: as for the class.
            short_side: of detectors: pixels to which the shorter side of a picture is resized; None takes that of the
                run's validation.
            score_threshold: of detectors: lowest score of a detection, in [0, 1); None is 0.3.
            max_detections: of detectors: per picture; None is 100.

        Raises:
            UserError: anything is missing, damaged, out of its range or not of this kind of model.
        """
        loaded = load_model(source, device=choose_device(device))
        options = DetectionOptions(short_side, score_threshold, max_detections)
        return cls(loaded, batch_size=batch_size, detection=options)

    @property
    def model(self) -> torch.nn.Module:
        """The network, in evaluation mode."""
        return self.loaded.model

    @property
    def description(self) -> ModelDescription:
        """Sizes and limits."""
        return self.loaded.description

    @property
    def kind(self) -> ModelKind:
        """What it was trained for."""
        return self.description.kind

    @property
    def tokenizer(self) -> TextTokenizer:
        """Of its texts."""
        return self.loaded.tokenizer

    @property
    def batch_size(self) -> int:
        """Pictures, texts or pairs that go through the model together."""
        return self.predictor.batch_size

    @property
    def verbs(self) -> tuple[str, ...]:
        """Methods that the model can do."""
        return VERBS[self.kind]

    def encode_images(self, images: Any) -> Any:
        """Pictures below the fusion, to be given to any other method in place of the pictures.

        Args:
            images: one, or several.

        Returns:
            `EncodedImages`, of a detector `EncodedDetectorImages`; they count as several, even if there is one.
        """
        return self.predictor.encode_images(images)

    def embed_image(self, images: Images) -> Tensor:
        """As `Matcher.embed_image`: embeddings of length 1, P for one picture, N P for several."""
        return self.able(Matcher, "embed_image").embed_image(images)

    def embed_text(self, texts: Texts) -> Tensor:
        """As `Matcher.embed_text`: embeddings of length 1, P for one text, T P for several."""
        return self.able(Matcher, "embed_text").embed_text(texts)

    @overload
    def match(self, images: Image.Image, texts: Texts) -> MatchResult: ...
    @overload
    def match(self, images: ImageList, texts: Texts) -> list[MatchResult]: ...
    def match(self, images: Images, texts: Texts) -> MatchResult | list[MatchResult]:
        """As `Matcher.match`: every picture with every text, one result per picture."""
        return self.able(Matcher, "match").match(images, texts)

    @overload
    def answer(self, images: Image.Image, questions: str, top_k: int = 5) -> AnswerResult: ...
    @overload
    def answer(self, images: ImageList, questions: Texts, top_k: int = 5) -> list[AnswerResult]: ...
    @overload
    def answer(self, images: Image.Image, questions: TextList, top_k: int = 5) -> list[AnswerResult]: ...
    def answer(self, images: Images, questions: Texts, top_k: int = 5) -> AnswerResult | list[AnswerResult]:
        """As `Answerer.answer`: one picture with several questions, several with one, or as many of each."""
        return self.able(Answerer, "answer").answer(images, questions, top_k)

    @overload
    def reason(self, left: Image.Image, right: Image.Image, statements: str) -> ReasoningResult: ...
    @overload
    def reason(self, left: ImageList, right: Images, statements: Texts) -> list[ReasoningResult]: ...
    @overload
    def reason(self, left: Image.Image, right: ImageList, statements: Texts) -> list[ReasoningResult]: ...
    @overload
    def reason(self, left: Image.Image, right: Image.Image, statements: TextList) -> list[ReasoningResult]: ...
    def reason(self, left: Images, right: Images, statements: Texts) -> ReasoningResult | list[ReasoningResult]:
        """As `Reasoner.reason`: of left and right pictures and statements one for all, or as many of each."""
        return self.able(Reasoner, "reason").reason(left, right, statements)

    @overload
    def caption(self, images: Image.Image, *, seed: int = 0, **overrides: Any) -> CaptionResult: ...
    @overload
    def caption(self, images: ImageList, *, seed: int = 0, **overrides: Any) -> list[CaptionResult]: ...
    def caption(self, images: Images, *, seed: int = 0, **overrides: Any) -> CaptionResult | list[CaptionResult]:
        """As `Captioner.caption`: one caption per picture, written as `GenerationConfig` and `overrides` of it say."""
        return self.able(Captioner, "caption").caption(images, seed=seed, **overrides)

    @overload
    def ground(self, images: Image.Image, texts: str, phrases: Phrases = None) -> GroundingResult: ...
    @overload
    def ground(self, images: DetectorImageList, texts: Texts, phrases: Phrases = None) -> list[GroundingResult]: ...
    @overload
    def ground(self, images: Image.Image, texts: TextList, phrases: Phrases = None) -> list[GroundingResult]: ...
    def ground(
        self, images: DetectorImages, texts: Texts, phrases: Phrases = None
    ) -> GroundingResult | list[GroundingResult]:
        """As `Grounder.ground`: boxes for the phrases of texts, one picture with several, several with one, or as many
        of each."""
        return self.able(Grounder, "ground").ground(images, texts, phrases)

    @overload
    def detect(self, images: Image.Image, classes: Sequence[str] | ClassList) -> GroundingResult: ...
    @overload
    def detect(self, images: DetectorImageList, classes: Sequence[str] | ClassList) -> list[GroundingResult]: ...
    def detect(
        self, images: DetectorImages, classes: Sequence[str] | ClassList
    ) -> GroundingResult | list[GroundingResult]:
        """As `Grounder.detect`: boxes for a list of classes, however long."""
        return self.able(Grounder, "detect").detect(images, classes)

    def encode_classes(self, names: Sequence[str]) -> ClassList:
        """As `Grounder.encode_classes`: a list to give to `detect` again and again."""
        return self.able(Grounder, "detect").encode_classes(names)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model as a folder that `from_pretrained`, `init_from=` and `checkpoint=` take, with a card."""
        save_model(self.loaded, Path(folder))

    def push_to_hub(self, repository: str, *, private: bool = False, token: str | None = None) -> str:
        """Upload such a folder, as `push_model` says; returns the address of the commit."""
        return push_model(self.loaded, repository, private=private, token=token)

    def able(self, kind: type[P], verb: str) -> P:
        """What does the verb.

        Raises:
            UserError: as `require`.
        """
        self.require(verb)
        assert isinstance(self.predictor, kind)
        return self.predictor

    def require(self, verb: str) -> None:
        """Raise a `UserError` that names a way out if the model cannot do the verb."""
        if verb not in self.verbs:
            start = "A_COARSE_RUN" if self.kind is ModelKind.DETECTOR else self.loaded.folder
            able = ", ".join(self.verbs)
            raise UserError(
                f"{self.loaded.folder} is a model of kind {self.kind}, which cannot {verb} but {able}. Train one that "
                f"can: python scripts/train.py {training_of(verb)} init_from={start}"
            )


def training_of(verb: str) -> str:
    """What to train for a model that does the verb."""
    # The last: models of pre-training match too, but who wants to match goes on to retrieval.
    kind = [kind for kind, verbs in VERBS.items() if verb in verbs][-1]
    return "stage=fine" if kind is ModelKind.DETECTOR else f"stage=coarse task={COARSE_KINDS[kind].task}"


def build_predictor(loaded: LoadedModel, batch_size: int | None, detection: DetectionOptions) -> Predictor:
    """What asks the model.

    Raises:
        UserError: an option of detectors is given for another kind, or one is out of its range.
    """
    options = detection.given()
    batching = {} if batch_size is None else {"batch_size": batch_size}
    if isinstance(loaded.description, CoarseDescription):
        if options:
            raise UserError(
                f"{next(iter(options))} is an option of detectors, and {loaded.folder} is a model of kind "
                f"{loaded.description.kind}: leave it out."
            )
        return build_coarse_predictor(loaded, loaded.description, batching)
    assert isinstance(loaded.model, GroundedDetector)
    sides = {"short_side": loaded.description.short_side, "max_side": loaded.description.max_side}
    return Grounder(loaded.model, loaded.tokenizer, **(sides | options | batching))


def build_coarse_predictor(
    loaded: LoadedModel, description: CoarseDescription, batching: Mapping[str, int]
) -> Predictor:
    """What asks a model of the coarse stage."""
    inputs = CoarseInput(description, loaded.tokenizer, next(loaded.model.parameters()).device)
    match loaded.model:
        case FiberForQuestionAnswering() as model:
            assert loaded.answers is not None  # they are counted in the description of such a model
            return Answerer(model, inputs, loaded.answers, **batching)
        case FiberForVisualReasoning() as model:
            return Reasoner(model, inputs, **batching)
        case FiberForCaptioning() as model:
            return Captioner(model, inputs, description.generation, **batching)
        case PairModel() as model:
            return Matcher(model, inputs, **batching)
    raise AssertionError(f"no verb for {type(loaded.model).__name__}")
