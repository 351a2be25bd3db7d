# SelFlow's shell companion for fish 3.4 or newer (docs/shell.md). `selflow shell install fish` wrote
# this file; `selflow shell uninstall fish` removes it, and shells that run then stop writing.
#
# fish_preexec notes when a command begins; fish_postexec appends it to the spool. Neither forks.
# Nothing is written unless the spool folder exists, which it does while the owner allows
# `shell_companion`.

status is-interactive; or return 0

set -g _selflow_script @SCRIPT@
set -g _selflow_spool @SPOOL@
set -g _selflow_socket @SOCKET@
set -g _selflow_budget_s @BUDGET_S@
set -g _selflow_own_s 0.01 # of the budget, for fish itself and the start of programs
set -g _selflow_max_chars 20000 # of a command: longer ones are cut here, and not stored then
set -g _selflow_max_file_chars 262144
set -g _selflow_max_files 256
set -g _selflow_failures_allowed 3
set -g _selflow_pause_us 5000000
set -g _selflow_file ''
set -g _selflow_file_chars 0
set -g _selflow_started 0
set -g _selflow_failures 0
set -g _selflow_asks_after 0

# fish has no clock of its own. The kernel's count of seconds since the machine started can be read
# without a fork, in steps of 10 ms; when that was is found out once, with one fork.
set -g _selflow_epoch_us (
    read -l uptime rest </proc/uptime
    math --scale=0 (date +%s%N) / 1000 - $uptime x 1000000
)

function _selflow_now_us
    read -l uptime rest </proc/uptime
    math --scale=0 $_selflow_epoch_us + $uptime x 1000000
end

function _selflow_forget
    set -g _selflow_id ''
    set -g _selflow_offered ''
    set -g _selflow_prefix ''
    set -g _selflow_is_taken ''
end
_selflow_forget

# Names and makes the file of the next records. If SelFlow is down for long, the oldest files go.
function _selflow_open
    set -g _selflow_file $_selflow_spool/(_selflow_now_us)-fish-$fish_pid.log
    set -g _selflow_file_chars 0
    set -l mask (umask)
    umask 077
    echo -n >>$_selflow_file
    set -l files $_selflow_spool/*.log
    set -l extra (math (count $files) - $_selflow_max_files)
    if test $extra -gt 0
        command rm -f -- $files[1..$extra]
        echo files $extra >>$_selflow_spool/counts
    end
    umask $mask
end

# Prints what became of the last suggestion.
function _selflow_judge --argument-names text
    set -l kind ignored
    if test -n "$_selflow_is_taken"
        set kind edited
        set -l begun (string sub -l (string length -- "$_selflow_offered") -- "$text")
        test "$begun" = "$_selflow_offered"; and set kind accepted
    end
    # In this style each byte is one sign or a percent sign and two.
    set -l signs (string escape --style=url -- "$_selflow_prefix" | string replace -ra '%..' x)
    set -l typed_bytes (string length -- "$signs")
    echo $_selflow_id:$kind:$typed_bytes
end

function _selflow_preexec --on-event fish_preexec
    set -g _selflow_started (_selflow_now_us)
    set -g _selflow_folder "$PWD"
end

function _selflow_postexec --on-event fish_postexec
    set -l exit_status $status
    set -l duration_us (math $CMD_DURATION x 1000)
    set -l text "$argv[1]"
    if test -d $_selflow_spool -a -f $_selflow_script; and not string match -qr '^\s|^$' -- $text
        and test -z "$fish_private_mode"
        set -l outcome
        test -n "$_selflow_id"; and set outcome (_selflow_judge $text)
        set text (string sub --length $_selflow_max_chars -- $text | string collect)
        test -f "$_selflow_file" -a $_selflow_file_chars -lt $_selflow_max_file_chars
        or _selflow_open
        printf '%s\0' 1 $_selflow_started fish "$_selflow_folder" $exit_status $duration_us "$outcome" "$text" \
            2>/dev/null >>$_selflow_file
        set -l chars (string length -- "$_selflow_folder$text" | string join +)
        set -g _selflow_file_chars (math $_selflow_file_chars + 64 + $chars)
    end
    _selflow_forget
end

function _selflow_cancel --on-event fish_cancel
    _selflow_forget
end

# Asks for the rest of a line; prints the decision and the whole line. The prefix goes through a pipe:
# the arguments of a process are there for everybody to read.
function _selflow_ask --argument-names prefix
    test -S $_selflow_socket -a -f $_selflow_script; or return 1
    string match -qr '^[^\s[:cntrl:]][^[:cntrl:]]*$' -- $prefix; or return 1
    set -l now (_selflow_now_us)
    test $now -ge $_selflow_asks_after; or return 1
    # curl counts its time from when it runs, and takes 8 to 20 ms until then: `timeout` counts that too
    set -l within env
    command -q timeout; and set within timeout (math $_selflow_budget_s - $_selflow_own_s)
    set -l answer (printf 'fish\x1f%s\x1f%s' "$PWD" $prefix |
        command $within curl -q --silent --fail --noproxy '*' --max-time $_selflow_budget_s \
            --max-filesize 16384 --unix-socket $_selflow_socket --data-binary @- -H 'Expect:' \
            -H 'Content-Type: text/plain' -H 'Accept: text/plain' http://localhost/v1/suggest 2>/dev/null)
    if test $pipestatus[2] -ne 0
        set -g _selflow_failures (math $_selflow_failures + 1)
        if test $_selflow_failures -ge $_selflow_failures_allowed
            set -l doublings (math "min($_selflow_failures - $_selflow_failures_allowed, 4)")
            set -g _selflow_asks_after (math $now + $_selflow_pause_us x 2 ^ $doublings)
        end
        return 1
    end
    set -g _selflow_failures 0
    test (count $answer) -eq 1; or return 1
    set -l parts (string split --max 1 \t -- $answer)
    test (count $parts) -eq 2; or return 1
    string match -qr '^[A-Za-z0-9_-]+$' -- $parts[1]; or return 1
    string match -qr '[[:cntrl:]]' -- $parts[2]; and return 1
    test "$parts[2]" != "$prefix"; or return 1
    test (string sub --length (string length -- $prefix) -- $parts[2]) = "$prefix"; or return 1
    string join \n -- $parts
end

# The key: puts the suggestion into the line; pressed again, takes it out.
function _selflow_suggest
    set -l typed (commandline --current-buffer | string collect --no-trim-newlines)
    set typed (string replace -r '\n$' '' -- $typed | string collect)
    if test -n "$_selflow_is_taken" -a "$typed" = "$_selflow_offered"
        commandline --replace -- $_selflow_prefix
        set -g _selflow_is_taken ''
    else if test (commandline --cursor) -eq (string length -- "$typed" | string join +)
        set -l found (_selflow_ask "$typed"); or return 0
        set -g _selflow_id $found[1]
        set -g _selflow_offered $found[2]
        set -g _selflow_prefix "$typed"
        set -g _selflow_is_taken 1
        commandline --replace -- $found[2]
    end
end

# Ctrl-Space, by the names that fish 3 and fish 4 have for it
if not set -q selflow_suggest_key
    set -g selflow_suggest_key -k nul
    string match -qr '^[0-3]\.' -- $version; or set -g selflow_suggest_key ctrl-space
end
for mode in default insert
    bind -M $mode $selflow_suggest_key _selflow_suggest
end
