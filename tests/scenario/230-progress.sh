#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# While hundreds of stores are written, a person at a terminal sees how far it is: one line, which is gone in the end, and
# which no message is mixed with. In a pipe, with -q, with --json, on a dumb terminal and for a few stores there is nothing.
. "$(dirname "$0")/many.sh" || exit 1

WIPE=$'\033\\[K' SEEN='[0-9]+ of [0-9]+ stores written'

at_terminal() { # ARG…: only standard error is the terminal
	behind
	keeper_command "$@"
	"$PYTHON" "$TESTS/scenario/terminal.py" 60x24 stderr -- "${COMMAND[@]}" >"$out" 2>"$err"
	expect_eq "exit status of $*" "$?" "${shall:-0}"
}

# What the terminal was told, a line for each carriage return: how far it is stands alone there, and what follows wipes it away.
lines() { tr '\r' '\n' <"$out" >"$T/lines"; }
expect_alone() { expect_eq "lines that have more than how far it is" "$(grep -aE "$SEEN" "$T/lines" | grep -avcE "^$WIPE$SEEN\$")" 0; }

many 1 601
shall=
at_terminal sync
lines
grep -aoE "$SEEN" "$T/lines" >"$T/seen"
expect_eq "how far, last" "$(tail -n 1 "$T/seen")" "601 of 601 stores written"
expect_eq "how far, always further" "$(sort -n -u "$T/seen" | cmp - "$T/seen" && echo yes)" yes
[ "$(grep -c . "$T/seen")" -ge 9 ] || fail "how far it is was said only $(grep -c . "$T/seen") times"
expect_alone
expect_match "$T/lines" "601 of 601 copies written"
expect_eq "wiped away in the end" "$(grep -a -A 1 "601 of 601 stores" "$T/lines" | tail -n 1 | grep -acE "^$WIPE")" 1

# A store that a living process has locked is said with -v, on a line of its own.
printf '{"pid": %d, "createdAt": "%s"}' $$ "$(date -u +%FT%T.000Z)" >"$(store a300).lock"
shall=1
at_terminal sync -v --wait 0
shall=
rm "$(store a300).lock"
lines
expect_alone
expect_match "$T/lines" "/a300/"
expect_eq "messages in the midst of it" "$(grep -acE "/a300/" <(sed "/601 of 601/,\$d" "$T/lines"))" 1

for quiet in -q -j; do
	at_terminal sync $quiet
	expect_no_match "$out" "$SEEN|$(printf '\033')"
done
TERM=dumb at_terminal sync
expect_no_match "$out" "$SEEN"
behind
keeper sync
expect_no_match "$err" "$SEEN"
expect_no_match "$out" "$SEEN|$(printf '\033')"

fresh
many 1 20
at_terminal sync
expect_no_match "$out" "$SEEN"
expect_no_secrets
