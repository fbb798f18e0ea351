#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# status --watch has a screen of its own, is drawn over without being cleared, takes up a new size at once, and leaves the
# terminal as it was, however it ends: q, INT, TERM, HUP, an error; and while it is stopped. In a pipe it is one text after the
# other.
. "$(dirname "$0")/lib.sh" || exit 1

fake alice left=5h
write_store "main coder writer" xai:default=alice
keeper sync
ENTER=$'\033[?1049h' LEAVE=$'\033[?1049l'

watched() { # COLUMNSxLINES ACTION…
	keeper_command status --watch
	"$PYTHON" "$TESTS/scenario/terminal.py" "$@" -- "${COMMAND[@]}" >"$out" 2>"$err"
	status=$?
	expect_eq "what terminal.py says" "$(cat "$err")" ""
}
count() { grep -aoF -- "$1" "$out" | wc -l; }

for end in "signal:INT 130" "signal:TERM 143" "signal:HUP 129" "signal:QUIT 131" "key:q 0"; do
	watched 80x24 "size:60x20" "${end% *}"
	expect_status "${end#* }"
	expect_eq "screens entered, ${end% *}" "$(count "$ENTER")" 1
	expect_eq "screens left, ${end% *}" "$(count "$LEAVE")" 1
	expect_eq "what it shows last, ${end% *}" "$(tail -c 8 "$out")" "$LEAVE"
	expect_eq "cleared" "$(count $'\033[2J')" 1
	expect_match "$out" '1 login kept'
	expect_match "$out" 'xai:default .* 3/3  '
	expect_match "$out" 'q ends'
done

# Stopped, the terminal is the shell's; brought back, it is drawn anew.
watched 80x24 "signal:TSTP" "signal:CONT" "key:q"
expect_status 0
expect_eq "screens entered" "$(count "$ENTER")" 2
expect_eq "screens left" "$(count "$LEAVE")" 2

# Too low for all of it: it is not scrolled, and how much is missing is said.
watched 80x5 "key:q"
expect_match "$out" '\.\.\. [0-9]+ more lines'
expect_no_match "$out" 'q ends'

# An error is said on the terminal that is left, not on the screen that vanishes.
keeper_command status --watch nobody
"$PYTHON" "$TESTS/scenario/terminal.py" 80x24 -- "${COMMAND[@]}" >"$out" 2>"$err"
status=$?
expect_status 2
expect_match <(sed "s/.*$(printf '\033')\[?1049l//" "$out") 'no account matches nobody'

# A dumb terminal has no screens.
TERM=dumb watched 80x24 "signal:INT"
expect_status 130
expect_no_match "$out" $'\033'
keeper_command status --watch
"${COMMAND[@]}" 2>"$err" | head -n 12 >"$out" # whoever reads it goes: it ends
expect_eq "texts in a pipe" "$(grep -c '^1 login kept' "$out")" 2
expect_no_match "$out" $'\033'
expect_no_secrets
