"""A home folder with the shell companion, and real shells that live there."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from selflow.collect.companion.hooks import Hook
from selflow.core.paths import Root
from tests.unit.shells.suggest_server import SuggestServer
from tests.unit.shells.terminal import PROMPT, Terminal

PROMPTS = {
    "bash": f"PS1='{PROMPT}'\nHISTCONTROL=ignoreboth\n",
    "zsh": f"PS1='{PROMPT}'\nunsetopt prompt_sp\n",
    "fish": f"function fish_prompt; echo -n '{PROMPT}'; end\nset -g fish_greeting ''\n",
}
PATIENT = {
    "bash": "_selflow_budget_s=5\n",
    "zsh": "_selflow_budget_s=5\n",
    "fish": "set -g _selflow_budget_s 5\n",
}
"""A machine that is busy with other tests may take longer than 50 ms for an answer."""
FIELDS = 8


@dataclass
class Home:
    """A home folder with the companion in it, and the shells that a test began there."""

    path: Path
    root: Root
    tool: Callable[[str], str]
    terminals: list[Terminal] = field(default_factory=list)
    servers: list[SuggestServer] = field(default_factory=list)

    def hook(self, shell: str) -> Hook:
        return Hook(shell, self.root, self.path, {})

    def allow(self) -> None:
        """As ``selflow init --grant shell_companion`` does."""
        self.root.shell_spool.mkdir(parents=True, mode=0o700)

    def start(
        self,
        shell: str,
        rc: str = "",
        after: str = "",
        *,
        is_hooked: bool = True,
        is_patient: bool = True,
    ) -> Terminal:
        """A shell whose start-up file says ``rc``, then the hook's block, then ``after``; returns
        at its first prompt. It waits its real budget for suggestions if it is not patient.
        """
        program = self.tool(shell)
        # Without this folder a first fish reads all manual pages in the background
        (self.path / ".local/share/fish/generated_completions").mkdir(parents=True, exist_ok=True)
        own = (
            self.path
            / {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}[shell]
        )
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(PROMPTS[shell] + rc)
        if is_hooked:
            list(self.hook(shell).install(is_dry=False))
        own.write_text(own.read_text() + PATIENT[shell] * is_patient + after)
        known = {"HOME": str(self.path), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        terminal = Terminal([program, "-i"], known, self.path)
        self.terminals.append(terminal)
        terminal.expect(PROMPT)
        return terminal

    def serve(
        self, lines: dict[str, str], raw: bytes = b"", *, hangs_up: bool = True
    ) -> SuggestServer:
        """Suggestions from a table, where the hooks ask for them."""
        path = self.root.socket("suggest.sock")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        server = SuggestServer(path, lines, raw=raw, hangs_up=hangs_up)
        self.servers.append(server)
        return server

    def records(self) -> list[list[str]]:
        """The fields of every record in the spool, file after file."""
        found = []
        for path in sorted(self.root.shell_spool.glob("*.log")):
            *fields, rest = path.read_bytes().decode("utf-8", "replace").split("\0")
            assert rest == ""
            assert len(fields) % FIELDS == 0
            found += [fields[at : at + FIELDS] for at in range(0, len(fields), FIELDS)]
        return found

    def commands(self) -> list[str]:
        """What was typed, as the spool has it."""
        return [record[-1] for record in self.records()]

    def close(self) -> None:
        """End what the test began."""
        for server in self.servers:
            server.close()
        for terminal in self.terminals:
            terminal.close()
