#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A run looks a constant number of times, whatever the number of accounts that are due at once: it looks, claims all of them
# (twice: without locks and under them), writes, and looks at what it wrote; answers that come in drops make it some rounds
# of writing, which become longer. And a look opens each store once.
# shellcheck disable=SC2154 # set by lib.sh
. "$(dirname "$0")/many.sh" || exit 1

# What another user's strace does not show is not counted; looks and rounds are.
paths=
strace_sees_paths && paths=1 || not_shown "how often a copy is opened: strace sees no paths here"

start_scripted
good_answers 300 # long enough that all have been asked when the first answers

opened() { grep -cE "^[0-9]+ +openat\(.*[/\"]a1/agent/auth-profiles.json\", O_RDONLY" "$T/trace"; }

for n in 1 50 300; do
	fresh
	many "$n" 3
	began=$SECONDS
	TRACE=openat traced refresh -v -j
	took=$((SECONDS - began))
	expect_status 0
	expect_all_new "$n" 3
	echo "# $n logins: $(cost looks) looks, $(cost claims) rounds of claims, a copy opened $(opened) times"
	# A round of claims takes ten seconds at most; the next one, where that is not enough, looks twice, too.
	rounds=$((took < 10 ? 1 : 1 + took / 10))
	expect_at_most "looks, $n logins" "$(cost looks)" $((14 + 2 * rounds))
	expect_at_most "rounds of claims, $n logins" "$(cost claims)" $rounds
	# By looks, and by the writes, which read what they are about to replace.
	[ "$paths" ] || continue
	expect_at_most "times that a copy was opened, $n logins" "$(opened)" $((42 + 6 * rounds))

	# Nothing to do: one look.
	TRACE=openat traced refresh -v -j
	expect_status 0
	expect_eq "times that a copy was opened with nothing to do, $n logins" "$(opened)" 1
done
