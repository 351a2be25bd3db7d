"""Text from a base and its adapters: rows that decode side by side, each under its own adapter and
its own random
numbers.
"""

from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from selflow.lm.loaded import LoadedBase
from selflow.lm.texts import Sampling

_GREEDY_BELOW = 1e-3
"""Temperatures below this take the likeliest token: logits divided by them may overflow."""
_UNFINISHED = "\ufffd"


class Batch:
    """Rows over one key-value cache, padded on the left. ``logits`` (rows, vocabulary) are those of
    the next token.

    A row's logits are those of the same prompt alone, to 1e-4. Cost: one prefill of the longest
    row's width, then one forward pass of one token per ``advance``; rows that have ended cost
    nothing more.
    """

    def __init__(
        self, loaded: LoadedBase, prompts: Sequence[Sequence[int]], adapters: Sequence[str | None]
    ) -> None:
        self._loaded = loaded
        self._adapters = list(adapters)
        width = max(map(len, prompts))
        ids = [[0] * (width - len(prompt)) + list(prompt) for prompt in prompts]
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        self._mask = torch.tensor(mask, device=loaded.device)
        self._cache = DynamicCache(config=loaded.model.config)
        self.logits = self._run(torch.tensor(ids, device=loaded.device))

    def advance(self, retained: Sequence[int], tokens: Sequence[int]) -> None:
        """Decode one token more for some rows and drop the others.

        Args:
            retained: Indices of the rows that go on, ascending.
            tokens: The next token of each.

        ``logits`` is (len(retained), vocabulary) afterwards. Cost: one forward pass of one token.
        """
        if len(retained) < len(self._adapters):
            chosen = torch.tensor(retained, device=self._mask.device)
            self._cache.batch_select_indices(chosen)
            self._mask = self._mask[chosen]
            self._adapters = [self._adapters[row] for row in retained]
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(retained), 1)], dim=1)
        self.logits = self._run(torch.tensor(tokens, device=self._mask.device)[:, None])

    def _run(self, ids: Tensor) -> Tensor:
        positions = (self._mask.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        with torch.inference_mode():
            answer = self._loaded.model(
                input_ids=ids,
                attention_mask=self._mask,
                position_ids=positions,
                past_key_values=self._cache,
                use_cache=True,
                logits_to_keep=1,
                **self._loaded.rows(self._adapters),
            )
        logits: Tensor = answer.logits[:, -1].float().cpu()
        return logits


class Row:
    """One text in the making: draws its tokens and passes on the text that no later token can
    change.
    """

    def __init__(
        self, sampling: Sampling, decode: Callable[[list[int]], str], ends: Collection[int]
    ) -> None:
        self._sampling = sampling
        self._decode = decode
        self._ends = ends
        self._generator = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)
        self._ids: list[int] = []
        self._sent = 0
        self.finish_reason: str | None = None

    @property
    def ids(self) -> list[int]:
        """The tokens drawn so far."""
        return list(self._ids)

    @property
    def tokens(self) -> int:
        """How many those are."""
        return len(self._ids)

    def draw(self, logits: Tensor) -> int:
        """The next token.

        Args:
            logits: (vocabulary,), of this row.

        Returns:
            The likeliest token below a temperature of 0.001, else one drawn from
            softmax(logits / temperature) within the smallest set of likeliest tokens that holds
            ``top_p``. Cost: O(vocabulary log vocabulary).

        Source: nucleus sampling, Holtzman et al. 2020.
        """
        if self._sampling.temperature < _GREEDY_BELOW:
            return int(logits.argmax())
        p = torch.softmax(logits / self._sampling.temperature, -1)
        if self._sampling.top_p < 1.0:
            best, ids = p.sort(descending=True, stable=True)
            # The likeliest stays whatever top_p is: 1e-320 is 0 in single precision
            p[ids[1:][(best.cumsum(-1) - best)[1:] >= self._sampling.top_p]] = 0.0
        return int(torch.multinomial(p, 1, generator=self._generator))

    def take(self, token: int) -> str:
        """Append a token; returns the text that is certain now and was not returned before.

        What may turn out to begin a stop text, or half of a character, is held back until that is
        decided.
        """
        self._ids.append(token)
        has_ended = token in self._ends
        text = self._decode(self._ids[:-1] if has_ended else self._ids)
        stops = [
            start for stop in self._sampling.stop if (start := text.find(stop, self._sent)) >= 0
        ]
        if stops or has_ended:
            self.finish_reason = "stop"
        elif len(self._ids) >= self._sampling.max_tokens:
            self.finish_reason = "length"
        end = min(stops, default=len(text) if self.finish_reason else self._certain(text))
        begin, self._sent = self._sent, max(self._sent, end)
        return text[begin:end]

    def _certain(self, text: str) -> int:
        """Where the text ends that no later token can change. Cost: by what was not returned yet,
        however long the stop texts are.
        """
        whole = len(text) - text.endswith(_UNFINISHED)
        held = (
            n
            for stop in self._sampling.stop
            for n in range(1, min(len(stop), whole - self._sent + 1))
            if text.endswith(stop[:n], 0, whole)
        )
        return whole - max(held, default=0)
