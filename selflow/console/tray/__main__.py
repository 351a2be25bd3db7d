"""``python -m selflow.console.tray``: what ``selflow tray`` becomes."""

from selflow.console.tray.process import main

main()
