"""A directory of the fine stage's reference numbers, and our model with its weights."""

from pathlib import Path
from typing import Any

from fiber.checkpoints.original_coarse import from_original
from fiber.checkpoints.original_fine import detector_names
from fiber.models.config import FusionConfig, RobertaConfig, SwinConfig
from fiber.models.detector_config import ChannelOrder, DetectorConfig
from fiber.models.grounded_detector import GroundedDetector
from fiber.objectives.grounding import ImageTargets

from .comparison import Tensors, read_doubled, read_meta


class FineFixture:
    """Sizes, weights, inputs and expected values of both fusion versions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.meta: dict[str, Any] = read_meta(folder)
        self.io = read_doubled(folder / "io.safetensors")
        self.state = read_doubled(folder / "reference_state.safetensors")
        third = {name.removeprefix("v3/param/"): self.io[name] for name in self.io if name.startswith("v3/param/")}
        self.third_state = self.state | third
        self.mask = self.io["in/attention_mask"].bool()

    def config(self, *, query_norm: bool) -> DetectorConfig:
        sizes = self.meta["config"]
        image = SwinConfig(
            embed_dim=sizes["embed_dim"],
            depths=tuple(sizes["depths"]),
            num_heads=tuple(sizes["heads"]),
            window_size=sizes["window_size"],
            patch_size=sizes["patch_size"],
            mlp_ratio=sizes["mlp_ratio"],
        )
        text = RobertaConfig(
            hidden_size=sizes["text_hidden"],
            num_layers=sizes["text_layers"],
            num_heads=sizes["text_heads"],
            intermediate_size=sizes["text_intermediate"],
            vocab_size=sizes["vocab_size"],
            max_positions=sizes["max_position_embeddings"],
            pad_id=sizes["pad_token_id"],
            layer_norm_eps=sizes["layer_norm_eps_text"],
        )
        return DetectorConfig(
            backbone=FusionConfig(image=image, text=text, num_fusion_layers=len(sizes["cross_layers_text"])),
            channels=sizes["fpn_channels"],
            num_blocks=sizes["dyhead_blocks"],
            num_groups=sizes["group_norm_groups"],
            text_budget=sizes["max_query_len"],
            query_norm=query_norm,
            channel_order=ChannelOrder.RGB,  # the fixture holds what the network reads
        )

    def model(self, *, third_version: bool = False) -> GroundedDetector:
        config = self.config(query_norm=third_version)
        model = GroundedDetector(config).double().eval()
        model.load_state_dict(from_original(self.third_state if third_version else self.state, detector_names(config)))
        return model

    def targets(self) -> list[ImageTargets]:
        """Boxes of the training pass, continuous here, inclusive in the fixture."""
        boxes = [continuous(self.io[f"in/boxes/{index}"]) for index in range(len(self.io["in/images"]))]
        maps = self.io["in/positive_map"].bool().split([len(one) for one in boxes])
        return [ImageTargets(*pair) for pair in zip(boxes, maps, strict=True)]


def continuous(boxes: Any) -> Any:
    """Inclusive boxes in our terms."""
    return boxes + boxes.new_tensor([0.0, 0.0, 1.0, 1.0])


def merged(*parts: Tensors) -> Tensors:
    """All entries in one; none may come twice."""
    names = [name for part in parts for name in part]
    assert len(names) == len(set(names))
    return {name: value for part in parts for name, value in part.items()}
