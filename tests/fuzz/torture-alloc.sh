#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Every allocation of a refresh fails in turn (each STRIDE-th, or TRIES of them), once alone and once with all that follow, as
# libcurl's torture tests do it: of the keeper with JSON stores and with databases, and of the courier; those of cJSON,
# SQLite, libconfig, libcurl and glibc among them. A run without memory ends as after a kill, but says why. Then an
# undisturbed run finishes the work: no token was sent twice, none was lost. Only a courier whose memory ended between
# sending and saving may leave a login held, as one that was killed there.
# OAUTH_KEEPALIVE is the program, PRELOAD the library made of preload.c, FROM and TO the first and the last allocation
# (1, all), SCENES which of `json sqlite courier` (all).
PRELOAD=$(realpath -e "${PRELOAD:?}") || exit 2 # before lib.sh goes elsewhere
# shellcheck source=tests/scenario/sqlite.sh
. "$(dirname "$0")/../scenario/sqlite.sh" || exit 1

STRIDE=${STRIDE:-23}
ended= # how many ended with which status
held=0
tries=0

# The courier is started with an environment of its own, beside the program: a wrapper gives it ours.
mkdir "$T/bin"
cp "$OAUTH_KEEPALIVE" "$T/bin/"
cat >"$T/bin/oauth-keepalive-courier" <<-END
	#!/bin/sh
	read -r fail <"$T/fail"
	LD_PRELOAD="$PRELOAD" PRELOAD_FAIL="\$fail" PRELOAD_COUNT="$T/count" exec "$(dirname "$OAUTH_KEEPALIVE")/oauth-keepalive-courier"
END
chmod +x "$T/bin/oauth-keepalive-courier"

# account NAME: a login that is due, in two stores.
account() {
	fresh
	mint "$1" left=30m
	if [ "$scene" = sqlite ]; then
		stores="shared a"
		write_database "$stores" xai:default="$1"
	else
		stores="main a"
		write_store "$stores" xai:default="$1"
	fi
}

# without N[+]: the run in which allocation N fails; of "": none.
without() {
	if [ "$scene" = courier ]; then
		echo "$1" >"$T/fail"
		OAUTH_KEEPALIVE=$T/bin/oauth-keepalive keeper refresh
	else
		UNDER=(env LD_PRELOAD="$PRELOAD" PRELOAD_FAIL="$1" PRELOAD_COUNT="$T/count")
		keeper refresh
		UNDER=()
	fi
}

counted() { od -An -tu8 "$T/count" | tr -d ' ' || die "no allocation was counted"; }

# check_end N[+]: how that run ended.
check_end() {
	ended+="$status "
	# 139 in libconfig alone, which does not look at what malloc returns before 1.7 (tests/static/exceptions).
	case $status in
	0 | 1 | 2 | 3 | 4) [ "$status" = 0 ] || [ -s "$err" ] || [ -s "$out" ] || fail "$scene, allocation $1: no word why" ;;
	134 | 139) [ "${1%+}" -le "$config_read" ] || fail "$scene, allocation $1: killed by a signal ($status)" "$(tail -n 3 "$err")" ;;
	*) fail "$scene, allocation $1: exit status $status" "$(tail -n 3 "$err")" ;;
	esac
}

# is_held_rightly: may have been sent, and no answer was saved but one that libcurl had no memory to read to its end.
is_held_rightly() {
	[ "$scene" = courier ] && [ "$status" = 3 ] || return 1
	cat "$LEDGER"/receipts/* >"$T/receipt" 2>/dev/null
	grep -q '^sending ' "$T/receipt" && ! grep '^answered ' "$T/receipt" | grep -qv '"cut":true'
}

# finish_it N NAME: whatever was left, undisturbed runs make it whole; a courier may still be at work.
finish_it() {
	local store old more=()
	old=$(login_token "$2")
	for _ in 1 2 3 4 5; do
		keeper refresh "${more[@]}"
		case $scene:$status in
		courier:1) more=(--force) ;; # what failed is put off
		*:4) sleep 0.5 ;;
		*) break ;;
		esac
	done
	if is_held_rightly; then
		held=$((held + 1))
		for store in $stores; do expect_eq "$scene, allocation $1: $store" "$(store_token "$store")" "$old"; done
		return
	fi
	[ "$status" = 0 ] || fail "$scene, allocation $1: the next run ended with $status" "$(tail -n 3 "$err")" "$(tail -n 12 "$out")"
	# shellcheck disable=SC2086
	expect_generation "$2" $stores || fail "$scene, after allocation $1"
	expect_eq "$scene, allocation $1: temp files left" "$(find "$HOME" -name '*.tmp')" ""
}

# one N[+]
one() {
	account "$scene-$1"
	without "$1"
	check_end "$1"
	tries=$((tries + 1))
	if grep -q "the courier does not answer" "$out"; then
		fail "$scene, allocation $1: the courier neither answers nor ends"
		stop_couriers
		return
	fi
	finish_it "$1" "$scene-$1"
	[ "$FAILED" -gt 20 ] && die "too many failures"
	# Old homes would only slow down what looks through all of them.
	[ "$((tries % 20))" != 0 ] || expect_no_secrets
	[ "$((tries % 20))" != 0 ] || rm -rf "$T"/home* "$T"/runs/* "$T"/logins/*
}

start_oidc ""
total_of_all=0
for scene in ${SCENES:-json sqlite courier}; do
	account "$scene"
	without ""
	expect_status 0
	total=$(counted)
	# How far does reading the configuration go? What `preview` of an empty home needs, and a little.
	config_read=0
	if [ "$scene" != courier ]; then
		UNDER=(env LD_PRELOAD="$PRELOAD" PRELOAD_COUNT="$T/count")
		keeper preview --state-dir "$T/logins"
		UNDER=()
		config_read=$(counted)
	fi
	[ "${TRIES:-0}" = 0 ] || STRIDE=$(((total + TRIES - 1) / TRIES))
	echo "# $scene: $total allocations, of which reading the configuration takes at most $config_read; every ${STRIDE}th fails"
	for ((n = ${FROM:-1}; n <= ${TO:-total}; n += STRIDE)); do
		one "$n"
		one "$n+"
	done
	total_of_all=$((total_of_all + total))
done
sent=$(control state | jq '[.tokens[]] | max')
expect_eq "how often a token was sent at most" "$sent" 1
echo "# $tries runs ended with: $(tr ' ' '\n' <<<"$ended" | grep . | sort -n | uniq -c | awk '{ printf "%s (%s times) ", $2, $1 }')"
echo "# the courier's memory ended between sending and saving: $held"
[ "$FAILED" = 0 ] && echo "ok torture-alloc: $tries failures of $total_of_all allocations"
