"""Surfaces: where an agent's answers are used."""

from collections.abc import Mapping
from typing import Literal, get_args

LineSurface = Literal["shell", "commit"]
"""The line that is being typed in a shell; the message of a commit."""
Surface = Literal["next", LineSurface]
"""The next step of the stream, or a line."""
LINE_SURFACES: tuple[LineSurface, ...] = get_args(LineSurface)
SURFACES: tuple[Surface, ...] = ("next", *LINE_SURFACES)
LINE_AGENTS: Mapping[LineSurface, str] = {"shell": "shell-lines", "commit": "commit-lines"}
"""The agent that completes the lines of a surface."""
