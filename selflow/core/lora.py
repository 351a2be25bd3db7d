"""A low-rank adapter as numbers: what a trainer hands to whoever computes without torch."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float32s = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class LoraAdapter:
    """What is added to some matrices of one base (Hu et al. 2021)."""

    base_sha256: str
    """Of the weights file of the base that it was trained on; on another it means nothing."""
    factors: Mapping[str, tuple[Float32s, Float32s]]
    """By the matrix's name, A (rank, in) and B (out, rank), alpha / rank multiplied in: B A is
    added.
    """
