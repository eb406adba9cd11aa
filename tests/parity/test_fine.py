"""The original detector's numbers, in float64, from its own state dict.

Axes: B images, A anchors, L tokens, K boxes.
"""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from fiber.checkpoints.original_coarse import to_original
from fiber.checkpoints.original_fine import detector_names
from fiber.detection.assignment import assign_anchors
from fiber.detection.box_coder import encode_boxes
from fiber.detection.inclusive_pixels import last_pixels
from fiber.detection.postprocessing import Detections, GroundingPostProcessor, PostProcessingConfig
from fiber.models.drop_block import blank_blocks
from fiber.models.grounded_detector import GroundedDetector
from fiber.models.grounding_head import DetectorOutput, flatten_cells
from fiber.objectives.grounding import GroundingCriterion, GroundingLosses, ImageTargets, centerness_targets
from fiber.tasks.fine.freezing import freeze_image_stages
from fiber.tasks.fine.parameter_groups import FineGroupConfig
from fiber.tasks.parameter_groups import optimizer_groups
from fiber.tasks.schedules import Decay, ScheduleConfig, learning_rate_factor, weight_decay_factor

from .comparison import Tensors, compare_entries, largest_difference
from .fine_fixture import FineFixture, merged

LEFT_OUT = {
    "torchvision_nms": "suppression without the last pixel, which the original does not use",
    "anchor_visibility": "never used by the original",
    "text/aggregate": "never used by the original",
    "cls_logits": "a frozen layer whose result the original never uses",
    "loss_cls": "multiplied by 0 in the original",
}
STEP_TOLERANCE = 5e-5
"""Of an update. Adam's first step divides each gradient by its own size, so that rounding shows where one is tiny."""
SCHEDULE = {"decay": Decay.MULTISTEP, "warmup_start": 0.001, "weight_decay_advance": 0.667}


@pytest.fixture
def fine(fine_golden: Path) -> FineFixture:
    """The directory under comparison."""
    return FineFixture(fine_golden)


def level_names(output: DetectorOutput) -> list[str]:
    return [f"P{3 + level}" for level in range(len(output.level_sizes))]


def lengths(output: DetectorOutput) -> list[int]:
    return [height * width for height, width in output.level_sizes]


def head_entries(output: DetectorOutput, prefix: str) -> Tensors:
    """Raw predictions per level, in the original's layout."""
    entries: Tensors = {}
    for name, size, logits, deltas, centerness in zip(
        level_names(output),
        output.level_sizes,
        torch.split(output.token_logits, lengths(output), dim=1),
        torch.split(output.deltas, lengths(output), dim=1),
        torch.split(output.centerness, lengths(output), dim=1),
        strict=True,
    ):
        entries[f"{prefix}/dot_product_logits/{name}"] = logits
        entries[f"{prefix}/bbox_reg/{name}"] = deltas.transpose(1, 2).unflatten(2, size)
        entries[f"{prefix}/centerness/{name}"] = centerness.unflatten(1, size)[:, None]
    return entries


def forward_entries(fine: FineFixture, model: GroundedDetector, prefix: str) -> tuple[DetectorOutput, Tensors]:
    """One training pass: states along the way and raw predictions."""
    modules = {
        "patch_embed": model.backbone.image.patch_embedding,
        "text_embeddings": model.backbone.text.embedding,
        "pyramid": model.pyramid,
    }
    config = model.config.backbone
    stages = config.image.block_stages
    for index, stage in enumerate(stages):
        modules[f"image_stage{stage + 1}_block{index - stages.index(stage)}"] = model.backbone.image.blocks[index]
    modules |= {f"text_layer{index}": layer for index, layer in enumerate(model.backbone.text.layers)}
    modules |= {f"tower{index}": block for index, block in enumerate(model.head.blocks)}
    recorded: dict[str, Tensor | list[Tensor]] = {}
    handles = [
        module.register_forward_hook(lambda *call, name=name: recorded.__setitem__(name, call[2]))
        for name, module in modules.items()
    ]
    image = model.encode_image(fine.io["in/images"])
    text = model.encode_text(fine.io["in/input_ids"], fine.mask)
    fused = model.backbone.fuse(image, text)
    levels = model.pyramid(model.stage_features(fused))
    output = model.head(levels, fused.text, fused.text_mask)
    for handle in handles:
        handle.remove()

    entries = head_entries(output, f"{prefix}/head")
    for name, value in recorded.items():
        if isinstance(value, list):
            continue
        is_map = value.dim() == 4
        if name == "patch_embed":
            value = value.permute(0, 3, 1, 2)
        elif is_map:
            value = value.flatten(1, 2)
        entries[f"{prefix}/mid/{name}"] = value
    for stage, depth in enumerate(config.image.depths[:2]):
        entries[f"{prefix}/mid/image_stage{stage + 1}_out"] = recorded[
            f"image_stage{stage + 1}_block{depth - 1}"
        ].flatten(1, 2)  # type: ignore[union-attr]
    for stage, feature in enumerate([fused.stages[0].permute(0, 3, 1, 2), *model.stage_features(fused)]):
        entries[f"{prefix}/backbone/stage{stage + 2}"] = feature
    entries[f"{prefix}/text/hidden"] = fused.text
    entries[f"{prefix}/text/embedded"] = fused.text * fine.mask[:, :, None]
    entries[f"{prefix}/text/masks"] = fused.text_mask
    for name, level in zip(level_names(output), levels, strict=True):
        entries[f"{prefix}/fpn/{name}"] = level
    for index in range(len(model.head.blocks)):
        for name, level in zip(level_names(output), recorded[f"tower{index}"], strict=True):
            entries[f"{prefix}/tower/{index}/{name}"] = level
    return output, entries


def assignment_entries(fine: FineFixture, criterion: GroundingCriterion, output: DetectorOutput) -> Tensors:
    """Anchors, and what each is to learn."""
    anchors = criterion.anchors(output)
    entries: Tensors = {
        f"out/anchors/{name}": last_pixels(level)
        for name, level in zip(level_names(output), torch.split(anchors, lengths(output)), strict=True)
    }
    for index, target in enumerate(fine.targets()):
        boxes = target.boxes.float()
        matched = assign_anchors(anchors, lengths(output), boxes)
        positive = (matched >= 0).nonzero().squeeze(1)
        tokens = torch.zeros(len(anchors), fine.mask.shape[1])
        tokens[:, -1] = 1
        tokens[positive] = target.positive_map[matched[positive]].float()
        centres = (anchors[positive, :2] + anchors[positive, 2:]) / 2
        entries[f"out/assign/{index}/matched_gt"] = matched
        entries[f"out/assign/{index}/positive"] = positive
        entries[f"out/assign/{index}/reg_targets"] = encode_boxes(boxes[matched.clamp(min=0)], anchors)
        entries[f"out/assign/{index}/centerness_targets"] = centerness_targets(centres, boxes[matched[positive]])
        entries[f"out/assign/{index}/token_labels"] = tokens
    return entries


def loss_entries(losses: GroundingLosses, prefix: str) -> Tensors:
    named = {
        "loss_reg": losses.box,
        "loss_centerness": losses.centerness,
        "loss_dot_product_token": losses.token,
    }
    return {f"{prefix}/{name}": value.view(1) for name, value in named.items()}


def gradients(model: GroundedDetector, loss: Tensor, prefix: str, *, keep: bool = True) -> Tensors:
    """Gradients of a loss under the original's names."""
    model.zero_grad(set_to_none=True)
    loss.backward(retain_graph=keep)
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    original = to_original(found, detector_names(model.config))
    return {f"{prefix}/{name}": value for name, value in original.items()}


def training_entries(fine: FineFixture, *, third_version: bool = False) -> Tensors:
    """Everything of a training step."""
    prefix = "v3/" if third_version else ""
    model = fine.model(third_version=third_version)
    criterion = GroundingCriterion(model.config)
    targets = fine.targets()
    output, entries = forward_entries(fine, model, f"{prefix}out")
    losses = criterion(output, targets)
    parts = [entries, loss_entries(losses, f"{prefix}out/loss"), gradients(model, losses.total(), f"{prefix}grad")]
    if not third_version:
        nothing = [ImageTargets(target.boxes[:0], target.positive_map[:0]) for target in targets]
        parts += [
            {"out/loss/total": losses.total().view(1)},
            gradients(model, losses.box, "grad_reg"),
            gradients(model, losses.centerness, "grad_centerness"),
            loss_entries(criterion(output, [targets[0], nothing[1]]), "out/loss_only_image0_has_boxes"),
            loss_entries(criterion(output, nothing), "out/loss_no_boxes"),
            assignment_entries(fine, criterion, output),
        ]
    else:
        extra = {name for name in fine.third_state if name not in fine.state}
        state = to_original(model.state_dict(), detector_names(model.config))
        parts.append({f"v3/param/{name}": state[name] for name in extra})
    return merged(*parts)


def rounded(output: DetectorOutput) -> DetectorOutput:
    """The original selected boxes from predictions in float32."""
    return output._replace(
        token_logits=output.token_logits.float(), deltas=output.deltas.float(), centerness=output.centerness.float()
    )


def in_order(boxes: Tensor, scores: Tensor, labels: Tensor) -> Tensors:
    """Detections by label and falling score: the original keeps the order of its candidates."""
    order = sorted(range(len(scores)), key=lambda row: (int(labels[row]), -float(scores[row])))
    return {"boxes": boxes[order], "scores": scores[order], "labels": labels[order]}


@torch.no_grad()
def inference_entries(fine: FineFixture) -> tuple[Tensors, Tensors]:
    """Detections of every mode, and the fixture's in the same order."""
    model, io = fine.model(), fine.io
    image = model.encode_image(io["in/images"])
    ids, mask = (io[f"in/det_{name}"].expand(len(image), -1) for name in ("input_ids", "attention_mask"))
    det = model.detect(image, model.encode_text(ids, mask.bool()))
    entries = head_entries(det, "infer/det/head")
    ground = det
    if "in/ground_image" in io:
        ids, mask = io["in/ground_input_ids"][None], io["in/ground_attention_mask"][None].bool()
        ground = model(io["in/ground_image"], ids, mask)
        entries |= head_entries(ground, "infer/ground/head")
    expected: Tensors = {}
    for mode, settings in fine.meta["inference_modes"].items():
        on_two = f"infer/{mode}/1/boxes" in io
        output, sizes = (det, io["in/image_sizes"]) if on_two else (ground, io["in/ground_image_size"][None])
        labels = [int(label) for label in settings["label_to_token"]]
        processor = GroundingPostProcessor(
            model.config,
            PostProcessingConfig(
                score_threshold=settings["pre_nms_thresh"],
                max_candidates=settings["pre_nms_top_n_per_level"],
                nms_threshold=settings["nms_thresh"],
                max_detections=settings["detections_per_img"],
            ),
        )
        positions = [list(settings["label_to_token"].values())] * len(sizes)
        found = processor(rounded(output), [tuple(size) for size in sizes.tolist()], positions)
        for index, one in enumerate(found):
            own = in_order(last_pixels(one.boxes), one.scores, torch.tensor(labels)[one.labels])
            theirs = in_order(*(io[f"infer/{mode}/{index}/{part}"] for part in own))
            entries |= {f"infer/{mode}/{index}/{part}": value for part, value in own.items()}
            expected |= {f"infer/{mode}/{index}/{part}": value for part, value in theirs.items()}
        if f"infer/{mode}/post/boxes" in io or f"infer/{mode}/post/0/boxes" in io:
            entries |= in_original_pixels(fine, mode, found[0], sizes[0].tolist())
    return entries, expected


def in_original_pixels(fine: FineFixture, mode: str, found: Detections, size: list[int]) -> Tensors:
    """Boxes in the pixels of the picture before it was resized; the original scales inclusive boxes as they are."""
    height, width = fine.meta["ground_original_size"]
    scaled = found._replace(boxes=last_pixels(found.boxes)).scaled(width / size[1], height / size[0])
    if f"infer/{mode}/post/boxes" in fine.io:
        return {f"infer/{mode}/post/boxes": scaled.boxes, f"infer/{mode}/post/scores": scaled.scores}
    entries: Tensors = {}
    for label in range(len(fine.meta["inference_modes"][mode]["label_to_token"])):
        mine = scaled.labels == label
        dummy = torch.zeros(1, 4)  # the original ends every phrase with an empty box
        entries[f"infer/{mode}/post/{label}/boxes"] = torch.cat([scaled.boxes[mine], dummy])
        entries[f"infer/{mode}/post/{label}/scores"] = scaled.scores[mine]
    return entries


def test_every_entry_equals_the_original(fine: FineFixture, report: list[str]) -> None:
    detections, expected = inference_entries(fine)
    values = merged(training_entries(fine), training_entries(fine, third_version=True), detections)
    compare_entries(fine.folder, values, fine.io | expected, report, left_out_because=LEFT_OUT)


@pytest.mark.parametrize("recipe", ["pretrain", "refcoco"])
def test_optimizer_groups_equal_the_original(fine: FineFixture, recipe: str, report: list[str]) -> None:
    expected = fine.meta[f"optimizer_{recipe}"]["groups"]
    base = fine.meta[f"optimizer_{recipe}"]["base_lr"]
    model = fine.model()
    frozen = {"pretrain": 1, "refcoco": None}[recipe]
    freeze_image_stages(model.backbone, frozen)
    rules = {"pretrain": FineGroupConfig(), "refcoco": FineGroupConfig(weight_decay=1e-4, language_multiplier=1.0)}
    groups = rules[recipe].groups(model)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    ours = {
        original: (groups[name.ours].learning_rate_multiplier * base, groups[name.ours].weight_decay)
        for name in detector_names(model.config)
        if name.ours in trained
        for original in name.originals
    }
    theirs = {name: (group["lr"], group["weight_decay"]) for name, group in expected.items()}
    report.append(f"{fine.folder.name}: {len(ours)} of {len(theirs)} optimiser groups of {recipe} compared")
    assert set(ours) == set(theirs)
    for name, (rate, decay) in ours.items():
        assert (rate, decay) == (pytest.approx(theirs[name][0]), theirs[name][1]), name


def test_a_step_of_the_optimizer_equals_the_original(fine: FineFixture, report: list[str]) -> None:
    model = fine.model()
    freeze_image_stages(model.backbone, 1)
    output = model(fine.io["in/images"], fine.io["in/input_ids"], fine.mask)
    GroundingCriterion(model.config)(output, fine.targets()).total().backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), fine.meta["optimizer_pretrain"]["clip_grad_norm"])
    settings = fine.meta["scalars"]["optimizer_step"]
    assert float(norm) == pytest.approx(settings["grad_norm_of_optimised_parameters"], rel=1e-6)
    factor = learning_rate_factor(
        settings["lr_after_completed_steps"], ScheduleConfig(**SCHEDULE, warmup=2000), 800_000
    )
    before = to_original({k: v.clone() for k, v in model.state_dict().items()}, detector_names(model.config))
    rules, rate = FineGroupConfig(), fine.meta["optimizer_pretrain"]["base_lr"]
    torch.optim.AdamW(optimizer_groups(model, rules, rate * factor), betas=(0.9, 0.999)).step()
    after = to_original(model.state_dict(), detector_names(model.config))
    names = [name for name in fine.io if name.startswith("optim/delta/")]
    for name in names:
        key = name.removeprefix("optim/delta/")
        difference = largest_difference(after[key] - before[key], fine.io[name])
        report.append(f"  {difference:9.2e}  {name}")
        assert difference < STEP_TOLERANCE, name
    report.append(f"compared {len(names)} of {len(names)} parameter updates")


def test_schedules_equal_the_original(fine: FineFixture) -> None:
    for recipe in ("pretrain", "refcoco"):
        expected = fine.meta[f"schedule_{recipe}"]
        config = ScheduleConfig(**SCHEDULE, warmup=expected["warmup_iters"])
        assert list(config.milestone_steps(expected["max_iter"])) == expected["milestones"]
        for step, rates in expected["samples"]:
            factor = learning_rate_factor(step, config, expected["max_iter"])
            ours = [column["initial_lr"] * factor for column in expected["columns"]]
            assert ours == pytest.approx(rates, rel=1e-9), step
    toy = fine.meta["schedule_toy_run"]
    config = ScheduleConfig(**SCHEDULE, warmup=toy["warmup_iters"])
    for step, (rates, decays) in enumerate(zip(toy["lr_per_step"], toy["weight_decay_per_step"], strict=True)):
        factor = learning_rate_factor(step, config, toy["max_iter"])
        assert [1e-5 * factor, 2e-5 * factor, 1e-4 * factor, 2e-4 * factor] == pytest.approx(rates, rel=1e-9)
        assert 0.01 * weight_decay_factor(step, config, toy["max_iter"]) == pytest.approx(decays[0])


def test_drop_block_equals_the_original(fine: FineFixture) -> None:
    ours = blank_blocks(fine.io["extra/dropblock/x"], fine.io["extra/dropblock/seed_mask"], 3)
    assert largest_difference(ours, fine.io["extra/dropblock/out"]) < 2e-6


def test_cells_are_flattened_row_by_row() -> None:
    assert flatten_cells(torch.arange(6.0).view(1, 1, 2, 3)).flatten().tolist() == [0, 1, 2, 3, 4, 5]
