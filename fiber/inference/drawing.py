"""Pictures of detections: boxes with their names, a caption in the colours of its boxes, two pictures side by side.

Axes: K boxes. Boxes are continuous xyxy in pixels.
"""

from collections.abc import Sequence
from itertools import product

from PIL import Image, ImageDraw
from torch import Tensor

from fiber.inference.text_layout import Font, Span, label_runs, one_line, shortened, text_font, wrapped

Color = tuple[int, int, int]
Rectangle = tuple[float, float, float, float]
"""Left, top, right, bottom."""

MIN_LONG_SIDE = 480
"""Smaller pictures are enlarged, or their texts could not be read."""
LINE_SHARE = 1 / 280
"""Width of a box's line, of the picture's mean side."""
PLATE_HEIGHT = 1.4
"""Of a text's size."""
INK, PAPER = (35, 35, 40), (255, 255, 255)
PALETTE: tuple[Color, ...] = (
    (230, 57, 70),
    (29, 120, 210),
    (255, 190, 20),
    (42, 157, 80),
    (142, 68, 190),
    (235, 100, 20),
    (0, 185, 200),
    (240, 98, 180),
    (135, 90, 50),
    (160, 205, 40),
    (60, 70, 165),
    (110, 120, 130),
)
"""Neighbours differ in hue and lightness; it repeats after twelve labels."""


def label_color(label: int) -> Color:
    """Colour of the boxes and words of a label, 0 or more."""
    return PALETTE[label % len(PALETTE)]


def draw_boxes(image: Image.Image, boxes: Tensor, texts: Sequence[str], labels: Sequence[int]) -> Image.Image:
    """The picture with its boxes, each named on a plate that lies within the picture.

    Args:
        image: RGB; one whose longer side is below 480 pixels is enlarged to that.
        boxes: K 4, in pixels of `image`, best first: later ones are drawn below.
        texts: K names, say `dog 0.87`; an empty one draws no plate. What is wider than the picture is cut.
        labels: K indices; boxes of one label have one colour.
    """
    canvas = enlarged(image)
    scale = canvas.width / image.width
    corners = [clipped(box, canvas.size) for box in (boxes.detach().cpu().double() * scale).tolist()]
    draw, font = ImageDraw.Draw(canvas), text_font(canvas.size, len(texts))
    line = max(2, round(sum(canvas.size) / 2 * LINE_SHARE))
    for box, label in reversed(list(zip(corners, labels, strict=True))):
        draw.rectangle(grown(box, 1), outline=PAPER, width=line + 2)  # a rim, for pictures of the line's colour
        draw.rectangle(box, outline=label_color(label), width=line)
    plates: list[Rectangle] = []
    for box, text, label in zip(corners, texts, labels, strict=True):
        if text:
            text = shortened(text, font, canvas.width - font.size)
            plate = plate_place(box, plate_size(text, font), canvas.size, plates)
            draw_plate(draw, text, plate, label_color(label), font)
            plates.append(plate)
    return canvas


def draw_caption(image: Image.Image, text: str, spans: Sequence[Sequence[Span]]) -> Image.Image:
    """The picture above its caption, wrapped, whose phrases have the colours of their boxes.

    Args:
        image: RGB, with or without boxes; enlarged as by `draw_boxes`.
        text: the caption.
        spans: per label, the characters that name it.
    """
    picture, text = enlarged(image), one_line(text)
    font = text_font(picture.size)
    margin, line_height = round(font.size), round(font.size * 1.7)
    lines = wrapped(text, font, picture.width - 2 * margin)
    page = Image.new("RGB", (picture.width, picture.height + len(lines) * line_height + margin), PAPER)
    page.paste(picture)
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        x, y = float(margin), picture.height + margin / 2 + number * line_height
        for (start, end), label in label_runs(line, spans):
            words = text[start:end]
            width, height = font.getlength(words), font.size * PLATE_HEIGHT
            if label is None:
                draw.text((x, y + height / 2), words, fill=INK, font=font, anchor="lm")
            else:
                width += font.size * 0.3
                draw_plate(draw, words, (x, y, x + width, y + height), label_color(label), font)
            x += width
    return page


def side_by_side(left: Image.Image, right: Image.Image, titles: tuple[str, str]) -> Image.Image:
    """Two RGB pictures under their titles, the narrower one enlarged to the width of the other."""
    pictures = [enlarged(left), enlarged(right)]
    width = max(picture.width for picture in pictures)
    pictures = [resized(picture, width / picture.width) for picture in pictures]
    height = max(picture.height for picture in pictures)
    font = text_font(pictures[0].size)
    gap, header = round(font.size), round(2 * font.size)
    page = Image.new("RGB", (2 * width + gap, height + header), PAPER)
    draw = ImageDraw.Draw(page)
    for x, picture, title in zip((0, width + gap), pictures, titles, strict=True):
        page.paste(picture, (x, header))
        middle = (x + width / 2, header / 2)
        draw.text(middle, shortened(title, font, width), fill=INK, font=font, anchor="mm")
    return page


def enlarged(image: Image.Image) -> Image.Image:
    """A copy whose longer side has 480 pixels or more."""
    return resized(image, max(1.0, MIN_LONG_SIDE / max(image.size)))


def resized(image: Image.Image, scale: float) -> Image.Image:
    """A copy, `scale` times as large."""
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.copy() if size == image.size else image.resize(size, Image.Resampling.BICUBIC)


def clipped(box: Sequence[float], size: tuple[int, int]) -> Rectangle:
    """First and last pixel of a box on either axis, within a picture of `size` (width, height)."""
    x1, y1, x2, y2 = box
    left, top = min(max(x1, 0.0), size[0] - 1.0), min(max(y1, 0.0), size[1] - 1.0)
    return left, top, max(left, min(x2, size[0]) - 1.0), max(top, min(y2, size[1]) - 1.0)


def grown(box: Rectangle, margin: float) -> Rectangle:
    """The box with `margin` pixels added on every side."""
    return box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin


def plate_size(text: str, font: Font) -> tuple[float, float]:
    """Width and height of a text with some room around it."""
    return font.getlength(text) + font.size * 0.5, font.size * PLATE_HEIGHT


def plate_place(
    box: Rectangle, size: tuple[float, float], page: tuple[int, int], plates: Sequence[Rectangle]
) -> Rectangle:
    """Where on the page a plate of `size` (width, height) covers least of `plates`: above its box if it can be, else in
    or below it, at the left or the right."""
    left, top, right, bottom = box
    width, height = size
    candidates: list[Rectangle] = []
    for y, x in product((top - height, top, bottom - height, bottom), (left, right - width)):
        x, y = max(0.0, min(x, page[0] - width)), max(0.0, min(y, page[1] - height))
        candidates.append((x, y, x + width, y + height))
    return min(candidates, key=lambda candidate: sum(overlap(candidate, plate) for plate in plates))


def draw_plate(draw: ImageDraw.ImageDraw, text: str, place: Rectangle, color: Color, font: Font) -> None:
    """Text on a filled plate, dark or light, whichever stands out."""
    left, top, right, bottom = place
    draw.rounded_rectangle((left, top, right - 1, bottom - 1), radius=font.size / 5, fill=color)
    luminance = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
    middle = ((left + right) / 2, (top + bottom) / 2)
    draw.text(middle, text, fill=INK if luminance > 150 else PAPER, font=font, anchor="mm")


def overlap(one: Rectangle, other: Rectangle) -> float:
    """Common area in square pixels."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)
