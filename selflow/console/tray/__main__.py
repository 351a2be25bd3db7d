"""``python -m selflow.console.tray``: what ``selflow tray`` becomes."""

from selflow.console.left_out import leave_out


def start() -> None:
    """Show the tray until the process is told to end."""
    # Asyncio and http.client import it where they can: 1.7 MB. The tray speaks over Unix sockets.
    leave_out("ssl")

    from selflow.console.tray.process import main

    main()


start()
