#!/bin/sh
# Made by selflow git install; `selflow git uninstall` removes it and puts back what was here before.
#
# Appends the finished commit to the spool (docs/shell.md#commits): first line of the message, changed
# paths, folder, and what was suggested. Nothing is written unless the spool folder exists, which it
# does while the owner allows the commits of at least one repository. It says nothing and fails
# nothing: git has made the commit before it runs.
before="${0%/*}/post-commit.before-selflow"
if [ -x "$before" ]; then "$before" "$@"; fi
spool=@SPOOL@
[ -d "$spool" ] || exit 0
exec 2>/dev/null
git_dir="${GIT_DIR:-.git}"
[ -d "$git_dir" ] || git_dir="$(git rev-parse --git-dir)" || exit 0
note="$git_dir/selflow-suggestion" shown=
if [ -f "$note" ]; then
  IFS= read -r shown <"$note"
  rm -f "$note"
fi
# A linked worktree calls the hook by its whole path. A copy of the repository is not this one.
folder=@FOLDER@
case "$0" in
  /*) ;;
  *) cd -P . && [ "$PWD" = "$folder" ] || exit 0 ;;
esac
commit="$(git -c core.quotePath=false -c log.showSignature=false -c log.showRoot=true \
  log -1 -g --name-only --no-renames --diff-filter=AMDT --ignore-submodules=all \
  --no-color --no-notes --no-ext-diff --no-textconv --encoding=UTF-8 \
  --format='%gs%n%ae%n%ce%n%ct%n%H%n%s')"
newline='
'
tab='	'
action="${commit%%"$newline"*}" commit="${commit#*"$newline"}"
author="${commit%%"$newline"*}" commit="${commit#*"$newline"}"
committer="${commit%%"$newline"*}" commit="${commit#*"$newline"}"
seconds="${commit%%"$newline"*}" commit="${commit#*"$newline"}"
hash="${commit%%"$newline"*}" commit="${commit#*"$newline"}"
subject="${commit%%"$newline"*}" paths="${commit#*"$newline$newline"}"
# Without a blank line there are no paths: a merge, or a commit that changes nothing
[ "$paths" != "$commit" ] && [ "$author" = "$committer" ] && [ ${#paths} -le 262144 ] || exit 0
case "$action" in
  'commit: '* | 'commit (initial): '*) ;;
  # An amended commit counts again if its message is another
  'commit (amend): '*) [ "$(git log -1 --encoding=UTF-8 --format=%s 'HEAD@{1}')" != "$subject" ] || exit 0 ;;
  *) exit 0 ;; # rebase, cherry-pick, revert, merge: written before, or by git
esac
case "$subject" in
  'fixup! '* | 'squash! '* | 'amend! '* | 'Squashed commit of the following:') exit 0 ;;
esac
umask 077
# If SelFlow is down for long, the oldest commits go
set -- "$spool"/*-git-*.log
extra=$(($# - @MAX_FILES@ + 1))
if [ "$extra" -gt 0 ]; then
  printf 'files %d\n' "$extra" >>"$spool/counts"
  while [ "$extra" -gt 0 ]; do
    rm -f -- "$1"
    shift
    extra=$((extra - 1))
  done
fi
printf '%s\0' 1 "${seconds}000000" git "$folder" 0 0 "${shown%%"$tab"*}" \
  "$hash$newline$subject$newline${shown#*"$tab"}$newline$paths" \
  >>"$spool/${seconds}000000-git-$$.log"
exit 0
