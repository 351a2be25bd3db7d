"""The tray's icon, drawn in code: a disc with a sign for each state, in colours that are seen on
light and on dark panels.
"""

import math
from functools import cache

from selflow.console.tray.state import Icon

SIZES = (22, 44)
"""Edges in pixels that Linux panels ask for."""
_SAMPLES = 3
"""Along each edge of a pixel: what is between is drawn half."""
_COLOURS: dict[Icon, tuple[int, int, int]] = {
    "learning": (0x2F, 0x7D, 0xE1),
    "paused": (0x8A, 0x93, 0x9F),
    "training": (0x23, 0x9A, 0x63),
    "attention": (0xD9, 0x7A, 0x06),
}


@cache
def argb(icon: Icon, size: int) -> bytes:
    """Pixels row by row, each as alpha, red, green, blue: ``size * size * 4`` bytes.

    Cost: O(size^2), about 10 ms for 44; kept.
    """
    red, green, blue = _COLOURS[icon]
    pixels = bytearray()
    for y in range(size):
        for x in range(size):
            disc, sign = _cover(icon, x, y, size)
            channels = (round(one + (255 - one) * sign) for one in (red, green, blue))
            pixels += bytes((round(255 * disc), *channels))
    return bytes(pixels)


def rgba(icon: Icon, size: int) -> bytes:
    """The same with alpha behind the colours."""
    pixels = argb(icon, size)
    return b"".join(
        pixels[at + 1 : at + 4] + pixels[at : at + 1] for at in range(0, len(pixels), 4)
    )


def _cover(icon: Icon, x: int, y: int, size: int) -> tuple[float, float]:
    """Which part of a pixel the disc covers, and which part of that is the white sign."""
    discs = signs = 0
    for step in range(_SAMPLES * _SAMPLES):
        dx, dy = step % _SAMPLES, step // _SAMPLES
        across = ((x + (dx + 0.5) / _SAMPLES) / size) * 2 - 1
        down = ((y + (dy + 0.5) / _SAMPLES) / size) * 2 - 1
        if math.hypot(across, down) <= 0.96:
            discs += 1
            signs += _is_sign(icon, across, down)
    return discs / _SAMPLES**2, signs / discs if discs else 0.0


def _is_sign(icon: Icon, across: float, down: float) -> bool:
    """Whether a point of the disc, from -1 to 1 in both directions, belongs to its sign."""
    if icon == "paused":
        return 0.14 <= abs(across) <= 0.38 and abs(down) <= 0.46
    if icon == "attention":
        is_stroke = abs(across) <= 0.12 and -0.56 <= down <= 0.16
        return is_stroke or math.hypot(across, down - 0.46) <= 0.15
    if icon == "training":
        is_open = across > 0 and down < 0  # three quarters of a ring
        return 0.36 <= math.hypot(across, down) <= 0.62 and not is_open
    wave = 0.26 * math.sin(across * math.pi * 1.5)
    return abs(across) <= 0.66 and any(
        abs(down - wave - offset) <= 0.09 for offset in (-0.28, 0.0, 0.28)
    )
