#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every allocation of a refresh fails in turn (each STRIDE-th of them), once alone and once with all that follow, as
# libcurl's torture tests do it; those of cJSON, SQLite, libconfig and glibc among them. A run without memory ends as
# after a kill, but says why. Then an undisturbed run finishes the work: no token was sent twice, none was lost.
# OAUTH_KEEPALIVE is the program, PRELOAD the library made of preload.c, FROM and TO the first and the last allocation (1, all).
PRELOAD=$(realpath -e "${PRELOAD:?}") || exit 2 # before lib.sh goes elsewhere
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh"

STRIDE=${STRIDE:-23}
ended= # how many ended with which status

# account N: a login that is due, in two stores.
account() {
	fresh
	mint "n$1" left=30m
	write_store "main a" xai:default="n$1"
}

# without N[+]: the run in which allocation N fails.
without() {
	UNDER=(env LD_PRELOAD="$PRELOAD" PRELOAD_FAIL="$1" PRELOAD_COUNT="$T/count")
	keeper refresh
	UNDER=()
	ended+="$status "
	# 139 in libconfig alone, which does not look at what malloc returns before 1.7 (tests/static/exceptions).
	case $status in
	0 | 1 | 2 | 3 | 4) [ "$status" = 0 ] || [ -s "$err" ] || [ -s "$out" ] || fail "allocation $1: no word why" ;;
	134 | 139) [ "${1%+}" -le "$CONFIG_READ" ] || fail "allocation $1: killed by a signal ($status)" "$(tail -n 3 "$err")" ;;
	*) fail "allocation $1: exit status $status" "$(tail -n 3 "$err")" ;;
	esac
}

# finish_it N NAME: whatever was left, undisturbed runs make it whole; a courier may still be at work.
finish_it() {
	for _ in 1 2 3 4 5; do
		keeper refresh
		[ "$status" = 4 ] || break
		sleep 0.5
	done
	[ "$status" = 0 ] || fail "allocation $1: the next run ended with $status" "$(tail -n 3 "$err")" "$(tail -n 12 "$out")"
	expect_generation "$2" main a || fail "after allocation $1"
	expect_eq "allocation $1: temp files left" "$(find "$HOME" -name '*.tmp')" ""
}

start_oidc ""
# How far does reading the configuration go? What `status` of an empty home needs, and a little.
CONFIG_READ=0
account 0
UNDER=(env LD_PRELOAD="$PRELOAD" PRELOAD_COUNT="$T/count")
keeper refresh
expect_status 0
total=$(cat "$T/count") || die "no allocation was counted"
keeper preview --state-dir "$T/logins"
CONFIG_READ=$(cat "$T/count")
UNDER=()
echo "# $total allocations, of which reading the configuration takes at most $CONFIG_READ; every ${STRIDE}th fails"

tries=0
for ((n = ${FROM:-1}; n <= ${TO:-total}; n += STRIDE)); do
	for how in "$n" "$n+"; do
		account "$how"
		without "$how"
		finish_it "$how" "n$how"
		tries=$((tries + 1))
	done
	[ "$FAILED" -gt 20 ] && die "too many failures"
	# Old homes would only slow down what looks through all of them.
	[ "$((tries % 20))" != 0 ] || expect_no_secrets "$PRELOAD"
	[ "$((tries % 20))" != 0 ] || rm -rf "$T"/home* "$T"/runs/* "$T"/logins/*
done
sent=$(control state | jq '[.tokens[]] | max')
expect_eq "how often a token was sent at most" "$sent" 1
echo "# $tries runs ended with: $(tr ' ' '\n' <<<"$ended" | grep . | sort -n | uniq -c | awk '{ printf "%s (%s times) ", $2, $1 }')"
[ "$FAILED" = 0 ] && echo "ok torture-alloc: $tries failures of $total allocations"
