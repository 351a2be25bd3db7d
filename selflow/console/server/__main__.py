"""``python -m selflow.console.server``: what ``selflow up`` and the keeper start."""

from selflow.console.left_out import leave_out

UNUSED = ("pydantic.v1", "watchfiles")
"""Our libraries import them where they are installed, and do without them elsewhere; the console
never needs them. FastAPI looks for models of pydantic 1, and uvicorn can restart at each change of
a source. They cost 2.4 MB as long as the console runs.
"""


def start() -> None:
    """Serve until the process is told to end."""
    leave_out(*UNUSED)

    from selflow.console.server.process import main

    main()


start()
