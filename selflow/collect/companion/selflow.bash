# SelFlow's shell companion for bash 5 (docs/shell.md). `selflow shell install bash` wrote this file;
# `selflow shell uninstall bash` removes it, and shells that run then stop writing.
#
# PS0 notes when a command begins; PROMPT_COMMAND appends it to the spool once it has finished.
# Neither forks. Nothing is written unless the spool folder exists, which it does while the owner
# allows `shell_companion`.

[[ $- == *i* && ${BASH_VERSINFO[0]} -ge 5 ]] || return 0

_selflow_script=@SCRIPT@
_selflow_spool=@SPOOL@
_selflow_socket=@SOCKET@
_selflow_budget_s=@BUDGET_S@
_selflow_max_bytes=20000          # of a command: longer ones are cut here, and not stored then
_selflow_max_file_bytes=262144
_selflow_max_files=256
_selflow_failures_allowed=3
_selflow_pause_us=5000000
_selflow_nothing=                 # what PS0 shows of ours
_selflow_started=0
_selflow_number=                  # of what history ended with at the prompt; empty: not known
_selflow_folder=$PWD              # where the prompt was
_selflow_file=
_selflow_file_bytes=0
_selflow_last=
_selflow_drops_repeats=
_selflow_failures=0
_selflow_asks_after=0

_selflow_forget() {
  _selflow_id='' _selflow_offered='' _selflow_prefix='' _selflow_is_taken=''
}
_selflow_forget

# With HISTCONTROL=ignoredups a repeated line and one that begins with a space look the same
# afterwards: history has not got them. So repeated lines are dropped by _selflow_text instead.
_selflow_settle_histcontrol() {
  case :${HISTCONTROL-}: in
    *:ignoreboth:*) HISTCONTROL=:$HISTCONTROL: HISTCONTROL=${HISTCONTROL/:ignoreboth:/:ignorespace:} ;;
    *:ignoredups:*) HISTCONTROL=:$HISTCONTROL: HISTCONTROL=${HISTCONTROL/:ignoredups:/:} ;;
    *) return 0 ;;
  esac
  HISTCONTROL=${HISTCONTROL#:} HISTCONTROL=${HISTCONTROL%:}
  _selflow_drops_repeats=1
}

# A file of this shell's own for what builtins print: that can be had without a fork through a file
# only. It is emptied at once, and written without being cut first: ext4 puts on the disk at once
# what is written after a cut (auto_da_alloc), so that it would be there, and would cost 4 ms.
# Its making forks, once in a shell's life.
_selflow_make_scratch() {
  [[ ! -s $scratch ]] || : >|"$scratch"
  [[ -f $scratch ]] && return 0
  local mask
  mask=$(umask)
  umask 077
  : >|"$scratch"
  umask "$mask"
}

# Sets `number` and `entry` to what history ends with.
_selflow_read_history() {
  HISTTIMEFORMAT='' builtin history 1 1<>"$scratch"
  IFS='' builtin read -r -d '' entry <"$scratch"
  : >|"$scratch"
  entry=${entry#"${entry%%[0-9]*}"}
  number=${entry%%[!0-9]*}
  entry=${entry:${#number}+2}
  entry=${entry%$'\n'}
}

# Notes what history ends with before the next command.
_selflow_ready() {
  local number entry scratch=$_selflow_spool/.scratch-$$
  if [[ -d $_selflow_spool && -f $_selflow_script ]]; then
    _selflow_make_scratch
    _selflow_read_history
    _selflow_number=${number:-0} _selflow_last=$entry
  fi 2>/dev/null
}

# Sets `text` to the command that has just finished, as history has it; empty if history has not got
# it: a leading space, HISTIGNORE, `set +o history`.
_selflow_text() {
  local before=$_selflow_number last=$_selflow_last number entry
  _selflow_read_history
  _selflow_number=${number:-0} _selflow_last=$entry
  [[ $before ]] && ((_selflow_number > before)) || return 0
  ((_selflow_number == before + 1)) || shopt -q cmdhist || return 0
  text=$entry
  if [[ $_selflow_drops_repeats && $text == "$last" ]]; then
    builtin history -d "$number"
    _selflow_number=$before
  fi
}

# Names and makes the file of the next records. If SelFlow is down for long, the oldest files go.
_selflow_open() {
  local mask files extra
  _selflow_file=$_selflow_spool/${EPOCHREALTIME/[.,]/}-bash-$$.log
  _selflow_file_bytes=0
  umask 1<>"$scratch"
  builtin read -r mask <"$scratch"
  : >|"$scratch"
  umask 077
  : >>"$_selflow_file"
  files=("$_selflow_spool"/*.log)
  extra=$((${#files[@]} - _selflow_max_files))
  if ((extra > 0)); then
    command rm -f -- "${files[@]:0:extra}"
    builtin printf 'files %d\n' "$extra" >>"$_selflow_spool/counts"
  fi
  umask "$mask"
}

# Sets `outcome`: what became of the last suggestion.
_selflow_judge() {
  local kind=ignored
  if [[ $_selflow_is_taken && $text == "$_selflow_offered"* ]]; then
    kind=accepted
  elif [[ $_selflow_is_taken == 1 ]]; then
    kind=edited
  fi
  outcome=$_selflow_id:$kind:${#_selflow_prefix}
}

_selflow_append() {
  local scratch=$_selflow_spool/.scratch-$$ text='' outcome=''
  _selflow_make_scratch
  _selflow_text
  [[ $text && $text != [[:space:]]* ]] || return 0
  [[ $_selflow_id ]] && _selflow_judge
  text=${text:0:_selflow_max_bytes}
  [[ -f $_selflow_file ]] && ((_selflow_file_bytes < _selflow_max_file_bytes)) || _selflow_open
  builtin printf '%s\0' 1 "$started" bash "$_selflow_folder" "$status" "$((ended - started))" "$outcome" \
    "$text" >>"$_selflow_file"
  ((_selflow_file_bytes += ${#text} + ${#_selflow_folder} + 64))
}

_selflow_finish() {
  local status=$? ended=${EPOCHREALTIME/[.,]/} started=$_selflow_started LC_ALL=C
  _selflow_started=0
  # bash-preexec puts itself before us, and keeps the status in a variable of its own
  [[ ${PROMPT_COMMAND[0]-} != __bp_precmd_invoke_cmd* ]] || status=${__bp_last_ret_value:-$status}
  if ((started)) && [[ -d $_selflow_spool && -f $_selflow_script ]]; then
    { _selflow_append; } 2>/dev/null
  else
    _selflow_ready
  fi
  _selflow_folder=$PWD
  _selflow_forget
  _selflow_settle_histcontrol
  return "$status"
}

# Asks for the rest of $1; sets `id` and `line` (the whole line). False: there is none. It is `read`
# that keeps the budget, however long curl takes to start; a full stop behind the answer says that
# there was one. The prefix goes through a pipe: arguments of a process are there for all to read.
_selflow_ask() {
  local now=${EPOCHREALTIME/[.,]/} answer='' fd
  [[ -S $_selflow_socket && -f $_selflow_script ]] || return 1
  [[ $1 && $1 != [[:space:]]* && $1 != *[[:cntrl:]]* ]] || return 1
  ((now >= _selflow_asks_after)) || return 1
  exec {fd}< <(_selflow_post "$1" 2>/dev/null)
  IFS='' builtin read -r -d '' -t "$_selflow_budget_s" -u "$fd" answer
  exec {fd}<&-
  if [[ $answer != *. ]]; then
    _selflow_fail
    return 1
  fi
  _selflow_failures=0
  id=${answer%%$'\t'*}
  line=${answer#*$'\t'}
  line=${line%$'\n.'}
  [[ $id && $id != *[!A-Za-z0-9_-]* && $line == "$1"?* && $line != *[[:cntrl:]]* ]]
}

_selflow_post() {
  builtin printf 'bash\x1f%s\x1f%s' "$PWD" "$1" |
    command curl -q --silent --fail --noproxy '*' --max-time "$_selflow_budget_s" \
      --max-filesize 16384 --unix-socket "$_selflow_socket" --data-binary @- -H 'Expect:' \
      -H 'Content-Type: text/plain' -H 'Accept: text/plain' http://localhost/v1/suggest &&
    builtin printf .
}

# After the third failure in a row nobody is asked for 5 s, then twice as long each time, up to 80 s.
_selflow_fail() {
  local doublings
  ((++_selflow_failures >= _selflow_failures_allowed)) || return 0
  doublings=$((_selflow_failures - _selflow_failures_allowed))
  _selflow_asks_after=$((now + (_selflow_pause_us << (doublings < 4 ? doublings : 4))))
}

# The key: puts the suggestion into the line; pressed again, takes it out.
_selflow_suggest() {
  local id line
  if [[ $_selflow_is_taken && $READLINE_LINE == "$_selflow_offered" ]]; then
    READLINE_LINE=$_selflow_prefix READLINE_POINT=${#_selflow_prefix} _selflow_is_taken=''
  elif ((READLINE_POINT == ${#READLINE_LINE})) && _selflow_ask "$READLINE_LINE"; then
    _selflow_id=$id _selflow_offered=$line _selflow_prefix=$READLINE_LINE _selflow_is_taken=1
    READLINE_LINE=$line READLINE_POINT=${#line}
  fi
}

_selflow_settle_histcontrol
PS0=${PS0-}'${_selflow_nothing:$((_selflow_started=${EPOCHREALTIME/[.,]/},0)):0}'
if [[ ${PROMPT_COMMAND[*]-} != *_selflow_finish* ]]; then
  if ((${#PROMPT_COMMAND[@]} > 1)); then
    PROMPT_COMMAND=(_selflow_finish "${PROMPT_COMMAND[@]}")
  else
    PROMPT_COMMAND=_selflow_finish${PROMPT_COMMAND:+$'\n'$PROMPT_COMMAND}
  fi
  # Who merges other shells' history at each prompt moves the numbers after _selflow_finish.
  [[ ${PROMPT_COMMAND[*]} != *history\ -[nr]* ]] || PROMPT_COMMAND[-1]+=$'\n_selflow_ready'
fi
for _selflow_keymap in emacs vi-insert; do
  builtin bind -m "$_selflow_keymap" -x "\"${selflow_suggest_key:-\\C-@}\": _selflow_suggest" 2>/dev/null
done
unset _selflow_keymap

# ble.sh draws ghost text while one types; it cannot tell us which key ended it, so that the finished
# line decides: _selflow_is_taken=maybe.
if [[ ${BLE_VERSION-} ]]; then
  function ble/complete/auto-complete/source:selflow {
    local id line
    ((_ble_edit_ind == ${#_ble_edit_str})) && _selflow_ask "$_ble_edit_str" || return 1
    _selflow_id=$id _selflow_offered=$line _selflow_prefix=$_ble_edit_str _selflow_is_taken=maybe
    ble/complete/auto-complete/enter h 0 "${line:${#_ble_edit_str}}" '' "$line"
  }
  ble/util/import/eval-after-load core-complete 'ble/array#unshift _ble_complete_auto_source selflow'
fi
