"""What the layers below an adapter make of the windows it learns from, computed once.

An adapter of the top layers changes nothing below itself, so each epoch and each trial of a search
would compute the same again: two thirds of the forward pass (forward caching, as in arXiv
2410.21073).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from selflow.lm.encoding import WINDOW, Encoded, Window, fill
from selflow.lm.loaded import LoadedBase

MAX_BYTES = 256 << 20
"""More is not held; it is computed each time."""
_ARCHITECTURES = frozenset({"llama"})
"""Whose layers may be run on their own: others scale or mix what goes in."""


def can_hold(loaded: LoadedBase, windows: int) -> bool:
    """Whether the lower layers' outputs of so many windows are worth their memory."""
    config = loaded.model.config
    size_bytes = windows * WINDOW * config.hidden_size * 4
    return config.model_type in _ARCHITECTURES and size_bytes <= MAX_BYTES


class LowerLayers:
    """Inputs of the layer ``cut`` (counted from 0) for windows of one row of tokens."""

    def __init__(
        self, loaded: LoadedBase, cut: int, encoded: Encoded, windows: Sequence[Window], batch: int
    ) -> None:
        """Read all windows, ``batch`` at a time: the same windows give the same numbers, whatever
        is trained above. Cost: one forward pass of each; memory (windows, WINDOW, D) floats.
        """
        self._decoder = _decoder(loaded)
        self._cut = cut
        parts = []
        with torch.no_grad():
            for start in range(0, len(windows), batch):
                group = windows[start : start + batch]
                ids, _, _ = fill(encoded, group, len(group))
                read = self._decoder(
                    torch.from_numpy(ids).to(loaded.device),
                    output_hidden_states=True,
                    use_cache=False,
                )
                parts.append(read.hidden_states[cut])
        self._inputs = torch.cat(parts)

    def hidden(self, windows: Sequence[int]) -> torch.Tensor:
        """(len(windows), WINDOW, D) outputs of the last layer, through the active adapter."""
        with self._upper_only():
            out = self._decoder(inputs_embeds=self._inputs[list(windows)], use_cache=False)
        hidden: torch.Tensor = out.last_hidden_state
        return hidden

    @contextmanager
    def _upper_only(self) -> Iterator[None]:
        layers = self._decoder.layers
        self._decoder.layers = layers[self._cut :]
        try:
            yield
        finally:
            self._decoder.layers = layers


def _decoder(loaded: LoadedBase) -> Any:  # noqa: ANN401  (a class of transformers)
    """The layers without their head, below PEFT's wrapper if there is one."""
    model = loaded.model
    return (model.get_base_model() if loaded.adapters else model).model
