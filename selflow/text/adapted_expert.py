"""The byte model with an adapter that goes on learning from its owner's lines: predict first, then
a few small steps every few lines.
"""

from collections.abc import Iterator

from selflow.core.lora import LoraAdapter
from selflow.text.adapter_rows import AdapterRows
from selflow.text.adapter_tuner import AdapterPlan, AdapterTuner
from selflow.text.byte_expert import ByteExpert
from selflow.text.byte_model import ByteModel
from selflow.text.lines import Packed


class AdaptedExpert(ByteExpert):
    """A byte expert whose model follows its owner."""

    def __init__(
        self,
        model: ByteModel,
        tuner: AdapterTuner,
        rows: AdapterRows | None = None,
        *,
        learns: bool = True,
    ) -> None:
        """Begin with the adapter as the tuner has it.

        Args:
            model: The base.
            tuner: Learns the adapter.
            rows: What it learns from, and how often.
            learns: Whether it follows its owner; without that it stands still, and remembers what
                it could have learned.
        """
        super().__init__(model.adapted(tuner.adapter()))
        self._base, self._tuner, self._rows = model, tuner, rows or AdapterRows()
        self._learns = learns

    @classmethod
    def of(cls, model: ByteModel, adapter: LoraAdapter, *, learns: bool) -> "AdaptedExpert":
        """One that begins with this adapter.

        Raises:
            ArtifactError: It was trained on another model.
        """
        rank = max(len(down) for down, _ in adapter.factors.values())
        return cls(model, AdapterTuner(model, AdapterPlan(rank), adapter), learns=learns)

    def learn_in_pieces(self, line: bytes, context: bytes, weight: float = 1.0) -> Iterator[None]:
        yield from super().learn_in_pieces(line, context, weight)
        rows = self._rows.add(line, context, weight)
        if rows and self._learns:
            yield from self._tuner.learn_in_pieces(rows)
            self.use(self._base.adapted(self._tuner.adapter()))

    def state(self) -> Packed:
        return [super().state(), self._rows.state(), self._tuner.state()]

    def load_state(self, state: Packed) -> None:
        window, rows, adapter = state
        self._rows.load_state(rows)
        self._tuner.load_state(adapter)
        self.use(self._base.adapted(self._tuner.adapter()))
        super().load_state(window)
