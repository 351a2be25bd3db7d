"""The best suggester that this installation can make: what a service starts with."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from selflow.core.errors import ArtifactError
from selflow.text.byte_expert import ByteExpert
from selflow.text.byte_model import ByteModel, load_byte_model
from selflow.text.mixer import Mixer
from selflow.text.shared_text import shipped
from selflow.text.suggest import Suggester

BASE = Path(str(files("selflow.text"))) / "base"
"""The folder of the byte model that ships."""


@cache
def shipped_base() -> ByteModel:
    """The byte model that ships; its weights are read when it is first asked for.

    Raises:
        ArtifactError: It is missing or damaged.

    Cost: bench/text.py prints time and memory.
    """
    return load_byte_model(BASE)


def make_suggester() -> Suggester:
    """A suggester that has learned nothing of its owner, over everything that ships. If the byte
    model cannot be read, it goes without, and its ``notice`` says so.
    """
    try:
        models, notice = [ByteExpert(shipped_base())], ""
    except ArtifactError as error:
        models, notice = [], str(error)
    return Suggester(Mixer(shipped(), models), notice=notice)
