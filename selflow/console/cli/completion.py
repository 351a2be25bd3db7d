"""``selflow completion``: what a shell needs to complete commands, options and names."""

from typing import Annotated, Literal

import typer

from selflow.core.invocation import Invocation

VARIABLE = "_SELFLOW_COMPLETE"
"""Set by the scripts; the program then answers with completions and does nothing else."""
_BASH = f"""\
_selflow_completion() {{
  local line="${{COMP_LINE:0:COMP_POINT}}" words
  read -ra words <<<"$line"
  [[ $line == *" " ]] && words+=("")
  local word="${{words[-1]}}"
  # Bash replaces only what stands behind the last of these characters, and an @ with it
  local head="${{word%"${{word##*[:=]}}"}}"
  [[ $word == *@* ]] && head="${{word%@*}}"
  mapfile -t COMPREPLY < <(COMP_WORDS="$line" COMP_CWORD=$((${{#words[@]}} - 1)) \\
    {VARIABLE}=complete_bash "$1" 2>/dev/null)
  [[ ${{COMPREPLY[0]}} ]] && COMPREPLY=("${{COMPREPLY[@]#"$head"}}") || COMPREPLY=()
}}
complete -o default -F _selflow_completion selflow
"""
_ZSH = f"""\
#compdef selflow
(( $+functions[compdef] )) || {{ autoload -Uz compinit && compinit -u; }}
_selflow_completion() {{
  local -a names
  names=("${{(@f)$(COMP_WORDS="${{words[1,$CURRENT]}}" COMP_CWORD=$((CURRENT - 1)) \\
    {VARIABLE}=complete_bash $words[1] 2>/dev/null)}}")
  if (( ${{#names[1]}} )); then compadd -- $names; else _files; fi
}}
compdef _selflow_completion selflow
"""
_FISH = f"""\
function __selflow_completion
  set -l names (env COMP_WORDS=(commandline -cp | string collect) \\
    COMP_CWORD=(count (commandline -opc)) {VARIABLE}=complete_bash selflow 2>/dev/null)
  if test -n "$names"
    printf '%s\\n' $names
  else
    __fish_complete_path (commandline -ct)
  end
end
complete --command selflow --no-files --arguments "(__selflow_completion)"
"""
SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def completion(
    ctx: typer.Context,
    shell: Annotated[Literal["bash", "zsh", "fish"], typer.Argument(help="bash, zsh or fish.")],
) -> None:
    """Print the completion script of a shell.

    For bash and zsh: add `eval "$(selflow completion bash)"` (or zsh) to ~/.bashrc (~/.zshrc). For
    fish: selflow completion fish > ~/.config/fish/completions/selflow.fish. It completes commands,
    options, and names of patterns, agents, cycles and tokens; it is silent where it knows none.
    """
    call: Invocation = ctx.obj
    script = SCRIPTS[shell]
    call.show({"shell": shell, "script": script}, [script.rstrip("\n")])
