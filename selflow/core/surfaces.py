"""Surfaces: where an agent's answers are used."""

from typing import Literal, get_args

Surface = Literal["next", "shell"]
"""The next step of the stream; the line that is being typed in a shell."""
SURFACES: tuple[Surface, ...] = get_args(Surface)
LINE_AGENT = "shell-lines"
"""The agent that completes the shell's lines."""
