"""``python -m selflow.console.server``: what ``selflow up`` and the keeper start."""

from selflow.console.server.process import main

main()
