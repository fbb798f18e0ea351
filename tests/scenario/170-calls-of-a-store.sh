#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# What a look at one more store costs, counted: eight system calls, each of which is a promise (README, "What it costs"), and none
# of them walks the whole path to it again.
# shellcheck disable=SC2154 # set by lib.sh
. "$(dirname "$0")/lib.sh" || exit 1

# calls N: of a run with nothing to do, over main and N agents; into $calls.
calls() {
	fresh
	"$PYTHON" "$TESTS/bench/world.py" "$STATE" "$1" 2 || die "world"
	find "$STATE" -exec touch -d '1 hour ago' {} +
	keeper sync -q
	expect_status 0
	TRACE=all traced refresh -q
	expect_status 0
	calls=$(grep -cE '^[0-9]+ +[a-z0-9_]+\(' "$T/trace")
}

calls 4
few=$calls
calls 44
many=$calls
# (Memory from the kernel comes in pieces: a call or two for forty stores.)
each=$(((many - few) / 40))
echo "# $few calls with 5 stores, $many with 45"
[ "$each" -le 8 ] || fail "$each system calls for one more store"
[ "$each" -ge 4 ] || fail "$each system calls for one more store: it was not looked at"
if strace_sees_paths; then
	grep -oE '"[^"]*a0000[0-9]+(/[^"]*)?"' "$T/trace" | sort -u >"$T/names"
	[ "$(grep -c . "$T/names")" -ge 88 ] || fail "the agents' names are not in the trace: $(head -n 3 "$T/names")"
	expect_no_match "$T/names" '^"/'
else
	not_shown "that no path of a store is walked from the root: strace sees no paths here" || true
fi
