# SelFlow's shell companion for zsh (docs/shell.md). `selflow shell install zsh` wrote this file;
# `selflow shell uninstall zsh` removes it, and shells that run then stop writing.
#
# preexec notes a command, precmd appends it to the spool once it has finished. While one types, the
# socket is asked for the rest of the line and the answer is drawn when it comes: the shell never
# waits. Nothing forks. Nothing is written unless the spool folder exists, which it does while the
# owner allows `shell_companion`.

[[ -o interactive ]] || return 0
zmodload zsh/datetime zsh/system zsh/net/socket zsh/zle 2>/dev/null || return 0

typeset -g _selflow_script=@SCRIPT@
typeset -g _selflow_spool=@SPOOL@
typeset -g _selflow_socket=@SOCKET@
typeset -gF _selflow_budget_s=@BUDGET_S@
typeset -gi _selflow_max_chars=20000        # of a command: longer ones are cut here, and not stored then
typeset -gi _selflow_max_file_chars=262144
typeset -gi _selflow_max_files=256
typeset -gi _selflow_max_prefix_chars=1000
typeset -gi _selflow_failures_allowed=3
typeset -gi _selflow_pause_s=5
typeset -g _selflow_file= _selflow_line= _selflow_folder=
typeset -gi _selflow_file_chars=0 _selflow_is_running=0
typeset -gF _selflow_started=0
# The request that is on its way
typeset -g _selflow_fd= _selflow_asked= _selflow_answer=
typeset -gF _selflow_asked_at=0 _selflow_asks_after=0
typeset -gi _selflow_failures=0 _selflow_is_late=0
# The suggestion that is shown or was taken
typeset -g _selflow_id= _selflow_offered= _selflow_prefix=
typeset -gi _selflow_is_drawn=0

# ---- the record of a finished command

# Names and makes the file of the next records. If SelFlow is down for long, the oldest files go.
_selflow_open() {
  local -i now=$(( EPOCHREALTIME * 1000000 )) extra
  local -a files
  _selflow_file=$_selflow_spool/$now-zsh-$$.log
  _selflow_file_chars=0
  files=($_selflow_spool/*.log(N))
  extra=$(( $#files + 1 - _selflow_max_files ))
  if (( extra > 0 )); then
    command rm -f -- $files[1,extra]
    sysopen -a -w -o creat,cloexec -m 600 -u fd -- $_selflow_spool/counts && {
      print -r -u $fd -- files $extra
      exec {fd}>&-
    }
  fi
}

# Sets `outcome`: what became of the last suggestion, or of the last one that was taken.
_selflow_judge() {
  setopt localoptions no_multibyte
  local kind=ignored
  if [[ -n $_selflow_taken_id ]]; then
    kind=edited
    [[ ${_selflow_line[1,$#_selflow_taken]} == "$_selflow_taken" ]] && kind=accepted
    _selflow_id=$_selflow_taken_id _selflow_prefix=$_selflow_taken_prefix
  fi
  outcome=$_selflow_id:$kind:$#_selflow_prefix
}

_selflow_preexec() {
  _selflow_line=${1:-$3} _selflow_folder=$PWD
  _selflow_is_running=1
  _selflow_started=$EPOCHREALTIME
}

_selflow_precmd() {
  local exit_status=$? outcome= fd=
  local -F ended=$EPOCHREALTIME
  emulate -L zsh
  local -i started=$(( _selflow_started * 1000000 )) duration=$(( (ended - _selflow_started) * 1000000 ))
  if (( _selflow_is_running )) && [[ $_selflow_line == [^[:space:]]* ]] \
    && [[ -d $_selflow_spool && -f $_selflow_script ]]; then
    [[ -n $_selflow_id ]] && _selflow_judge
    _selflow_line=${_selflow_line[1,_selflow_max_chars]}
    [[ -f $_selflow_file ]] && (( _selflow_file_chars < _selflow_max_file_chars )) || _selflow_open
    if sysopen -a -w -o creat,cloexec -m 600 -u fd -- $_selflow_file; then
      print -rN -u $fd -- 1 $started zsh "$_selflow_folder" $exit_status $duration "$outcome" "$_selflow_line"
      exec {fd}>&-
      (( _selflow_file_chars += $#_selflow_line + $#_selflow_folder + 64 ))
    fi
  fi 2>/dev/null
  _selflow_is_running=0 _selflow_line=
  _selflow_forget
}

_selflow_forget() {
  _selflow_id= _selflow_offered= _selflow_prefix=
  _selflow_taken_id= _selflow_taken= _selflow_taken_prefix=
}

typeset -ga preexec_functions precmd_functions
preexec_functions=(${preexec_functions[@]:#_selflow_preexec} _selflow_preexec)
precmd_functions=(_selflow_precmd ${precmd_functions[@]:#_selflow_precmd})

# ---- ghost text

# selflow_ghost: auto (not beside zsh-autosuggestions), on or off.
_selflow_may_draw() {
  [[ -f $_selflow_script ]] || return 1
  case ${selflow_ghost:-auto} in
    on) return 0 ;;
    auto) (( ! $+functions[_zsh_autosuggest_start] )) ;;
    *) return 1 ;;
  esac
}

_selflow_erase() {
  (( _selflow_is_drawn )) || return 0
  POSTDISPLAY=
  region_highlight=(${region_highlight:#*memo=selflow*})
  _selflow_is_drawn=0
}

# Whether what is offered continues the line as it is now.
_selflow_fits() {
  [[ -n $_selflow_offered && $#_selflow_offered -gt $#BUFFER \
    && ${_selflow_offered[1,$#BUFFER]} == "$BUFFER" && $CURSOR -eq $#BUFFER && -n $BUFFER ]]
}

_selflow_draw() {
  _selflow_erase
  _selflow_fits || return 0
  POSTDISPLAY=${_selflow_offered[$#BUFFER+1,-1]}
  region_highlight+=("$#BUFFER $(( $#BUFFER + $#POSTDISPLAY )) ${selflow_ghost_style:-fg=8} memo=selflow")
  _selflow_is_drawn=1
}

# A failure, and how long to leave the server alone after it: 5 s after the third in a row, then
# twice as long each time; at most 80 s, or an hour for one that keeps requests unanswered.
_selflow_fail() {
  local -i limit_s=$1 pause_s
  (( ++_selflow_failures < _selflow_failures_allowed )) && return
  pause_s=$(( _selflow_pause_s << (_selflow_failures - _selflow_failures_allowed) ))
  if (( pause_s >= limit_s )); then
    pause_s=limit_s
    (( _selflow_failures -= 1 ))
  fi
  _selflow_asks_after=$(( EPOCHREALTIME + pause_s ))
}

_selflow_hang_up() {
  [[ -n $_selflow_fd ]] || return 0
  zle -F $_selflow_fd 2>/dev/null
  { exec {_selflow_fd}>&- } 2>/dev/null
  _selflow_fd= _selflow_answer= _selflow_is_late=0
}

# A request that has not been answered in time is one failure.
_selflow_note_late() {
  [[ -n $_selflow_fd ]] && (( ! _selflow_is_late && EPOCHREALTIME - _selflow_asked_at > _selflow_budget_s )) || return 0
  _selflow_is_late=1
  _selflow_fail 3600
}

# Asks for the rest of the line. There is one request at a time: a server that does not answer is
# not asked again before it has, or a pause is over, so that its queue cannot fill and block us.
_selflow_ask() {
  setopt localoptions no_multibyte
  local REPLY body=$'zsh\x1f'$PWD$'\x1f'$BUFFER
  if [[ -n $_selflow_fd ]]; then
    _selflow_note_late
    (( _selflow_is_late && EPOCHREALTIME >= _selflow_asks_after )) || return 0
    _selflow_hang_up
  fi
  (( EPOCHREALTIME >= _selflow_asks_after )) || return 0
  [[ -S $_selflow_socket ]] || return 0
  _selflow_asked=$BUFFER _selflow_asked_at=$EPOCHREALTIME
  if ! zsocket $_selflow_socket 2>/dev/null; then
    _selflow_fail 80
    return 0
  fi
  _selflow_fd=$REPLY _selflow_answer=
  print -rn -u $_selflow_fd -- $'POST /v1/suggest HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: text/plain\r\nAccept: text/plain\r\nContent-Length: '$#body$'\r\n\r\n'$body 2>/dev/null
  zle -F -w $_selflow_fd _selflow_receive
}

# The answer, or a part of it, is there.
_selflow_receive() {
  emulate -L zsh
  local part
  local -F took_s=$(( EPOCHREALTIME - _selflow_asked_at ))
  [[ $1 == "$_selflow_fd" ]] || { zle -F $1; return }
  sysread -i $_selflow_fd -t 0 part 2>/dev/null
  case $? in
    0)
      _selflow_answer+=$part
      if (( $#_selflow_answer > 16384 )); then
        _selflow_answer=
      elif ! _selflow_is_whole "$_selflow_answer"; then
        return
      fi ;;
    4) return ;;
  esac
  local answer=$_selflow_answer asked=$_selflow_asked
  local -i is_counted=$_selflow_is_late
  _selflow_hang_up
  if (( took_s > _selflow_budget_s )) || ! _selflow_is_whole "$answer"; then
    (( is_counted )) || _selflow_fail 80
  else
    _selflow_failures=0
    _selflow_offer "$answer" "$asked"
  fi
  _selflow_redraw
  zle -R
}

# Whether an HTTP answer is one of success, with the whole of its body. A server need not hang up.
_selflow_is_whole() {
  setopt localoptions no_multibyte extended_glob
  local head=${1%%$'\r\n\r\n'*}
  [[ $1 == HTTP/1.[01]\ 200* && $1 == *$'\r\n\r\n'* ]] || return 1
  local body=${1#*$'\r\n\r\n'} length=${${(M)${(f)head}:#(#i)content-length:*}#*:}
  length=${length//[[:space:]]/}
  [[ $length == <-> && $#body -eq $length ]]
}

# Takes the suggestion out of an answer, if it continues what was asked.
_selflow_offer() {
  local body=${1#*$'\r\n\r\n'}
  local id=${body%%$'\t'*} text=${${body#*$'\t'}%$'\n'}
  [[ -n $id && $id != *[^A-Za-z0-9_-]* && $text != *[[:cntrl:]]* ]] || return 0
  [[ $#text -gt $#2 && ${text[1,$#2]} == "$2" ]] || return 0
  [[ $text == "$BUFFER"?* || ${text[1,$#BUFFER]} == "$BUFFER" ]] || return 0
  _selflow_id=$id _selflow_offered=$text _selflow_prefix=$2
}

# Draws what fits the line, or asks.
_selflow_follow() {
  _selflow_draw
  (( _selflow_is_drawn )) && return
  [[ -n $BUFFER && $BUFFER != [[:space:]]* && $BUFFER != *[[:cntrl:]]* && $CURSOR -eq $#BUFFER \
    && $#BUFFER -le _selflow_max_prefix_chars && $BUFFER != "$_selflow_asked" ]] && _selflow_ask
}

_selflow_redraw() {
  emulate -L zsh
  if ! _selflow_may_draw || [[ $CONTEXT != start ]] || (( ISEARCHMATCH_ACTIVE )); then
    _selflow_erase
    return 0
  fi
  (( PENDING || KEYS_QUEUED_COUNT )) && { _selflow_draw; return 0 }
  _selflow_follow
  return 0
}

_selflow_line_init() {
  _selflow_asked= _selflow_is_drawn=0
  return 0
}

_selflow_line_finish() {
  emulate -L zsh
  _selflow_erase
  _selflow_note_late
  _selflow_hang_up
  return 0
}

# Puts the suggestion into the line, typed_bytes being what stands there now. False: there is none.
_selflow_take() {
  (( _selflow_is_drawn )) && _selflow_fits || return 1
  _selflow_taken_id=$_selflow_id _selflow_taken=$_selflow_offered _selflow_taken_prefix=$BUFFER
  _selflow_erase
  BUFFER=$_selflow_offered CURSOR=$#_selflow_offered
}

# The widgets that move right do so as before, and take the suggestion at the end of the line.
# Who wraps them again calls them by other names; so each has a function that knows its own.
_selflow_wrap() {
  emulate -L zsh
  local name
  for name in forward-char vi-forward-char end-of-line vi-end-of-line vi-add-eol; do
    (( $+functions[_selflow_move_$name] )) && continue
    zle -A $name _selflow-$name
    functions[_selflow_move_$name]="_selflow_take || zle _selflow-$name -- \"\$@\""
    zle -N $name _selflow_move_$name
  done
}

# selflow_accept_key: one more key that takes the suggestion and else does what it did before.
_selflow_accept() {
  _selflow_take || zle $_selflow_accept_else -- "$@"
}

zle -N _selflow_receive
autoload -Uz add-zle-hook-widget
add-zle-hook-widget line-pre-redraw _selflow_redraw
add-zle-hook-widget line-init _selflow_line_init
add-zle-hook-widget line-finish _selflow_line_finish
_selflow_wrap
if [[ -n ${selflow_accept_key-} && -z ${_selflow_accept_else-} ]]; then
  typeset -g _selflow_accept_else=${"$(bindkey -- "$selflow_accept_key")"##* }
  [[ $_selflow_accept_else != undefined-key ]] || _selflow_accept_else=.redisplay
  zle -N _selflow_accept
  bindkey -- "$selflow_accept_key" _selflow_accept
fi
