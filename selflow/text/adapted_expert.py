"""The byte model with an adapter that goes on learning from its owner's lines: predict first, then
a few small steps every few lines.
"""

from selflow.core.ports import TextTuner
from selflow.text.adapter_rows import AdapterRows
from selflow.text.byte_expert import ByteExpert
from selflow.text.byte_model import ByteModel
from selflow.text.lines import Packed


class AdaptedExpert(ByteExpert):
    """A byte expert whose model follows its owner."""

    def __init__(self, model: ByteModel, tuner: TextTuner, rows: AdapterRows | None = None) -> None:
        """``rows``: what it learns from, and how often."""
        super().__init__(model)
        self._base, self._tuner, self._rows = model, tuner, rows or AdapterRows()

    def learn(self, line: bytes, context: bytes = b"") -> None:
        super().learn(line, context)
        if rows := self._rows.add(line, context):
            self.use(self._base.adapted(self._tuner.learn(rows)))

    def state(self) -> Packed:
        return [super().state(), self._rows.state(), self._tuner.state()]

    def load_state(self, state: Packed) -> None:
        window, rows, adapter = state
        self._rows.load_state(rows)
        self._tuner.load_state(adapter)
        self.use(self._base.adapted(self._tuner.adapter()))
        super().load_state(window)
