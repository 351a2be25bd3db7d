#!/bin/sh
# Made by selflow git install; `selflow git uninstall` removes it and puts back what was here before.
#
# Where a commit has no message yet, asks for one and shows it in the editor, as a comment. With
# --record it notes what was shown, for the hook post-commit (docs/shell.md#commits).
before="${0%/*}/prepare-commit-msg.before-selflow"
if [ -x "$before" ]; then "$before" "$@" || exit $?; fi
note="${1%/*}/selflow-suggestion"
[ ! -e "$note" ] || rm -f "$note" # of a commit that was not made
[ -S @SOCKET@ ] && command -v curl >/dev/null 2>&1 || exit 0
# Comments are the lines of git's own form; where it has none, ours would be part of the message
[ "$(git config core.commentChar || echo '#')" = '#' ] || exit 0
[ -z "$(git config core.commentString)" ] && grep -q '^#' "$1" || exit 0
# Nothing where there is a message already (-m, a merge, --amend)
[ -z "$(sed -e '/^#/d' -e '/^[[:space:]]*$/d' "$1" | head -n 1)" ] || exit 0
answer="$({ printf 'commit\037'
  git -c core.quotePath=false diff --cached --name-only --no-renames 2>/dev/null |
    head -n @MAX_PATHS@ | head -c 4000
  printf '\037'
} | curl -s --fail --max-time 0.5 --unix-socket @SOCKET@ -H 'Accept: text/plain' \
  -H 'Content-Type: text/plain' --data-binary @- http://selflow/v1/suggest 2>/dev/null)"
text="$(printf '%s' "$answer" | cut -f 2-)"
[ -n "$text" ] || exit 0
temporary="$1.selflow"
{ printf '\n# suggestion: %s\n' "$text" && cat "$1"; } >"$temporary" 2>/dev/null &&
  cat "$temporary" >"$1"
rm -f "$temporary"
if @IS_RECORDED@ && [ -d @SPOOL@ ]; then (umask 077 && printf '%s\n' "$answer" >"$note") 2>/dev/null; fi
exit 0
