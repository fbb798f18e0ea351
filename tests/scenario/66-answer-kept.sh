#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An answer that came is kept and guarded until it is taken: when nobody can look any more, when its receipt cannot be
# read, when there is no room to keep what it would replace.
# Long: waits for a courier's patience.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
one_post() { [ "$(($(posts) - POSTS_BEFORE))" = 1 ]; }
in_flight() { # … that a test then breaks; release_answer and wait_keepers end it
	fresh
	mint alice left=30m
	write_store "main a" xai:default=alice
	hold_answer
	start_keeper refresh -j
	wait_until one_post
}
locks_left() { find "$STATE/locks/oauth-refresh" -name '*.lock' | wc -l; }
next_run_mends() {
	stop_couriers
	keeper refresh -j
	expect_status 0
	expect_posts 1
	expect_generation alice main a
}

# The state directory, or all agents, moved away while the answer is on its way.
for away in "" /agents /agents/main; do
	in_flight
	mv "$STATE$away" "$STATE$away.away"
	release_answer
	wait_keepers
	case "$statuses" in 1 | 3) ;; *) fail "status $statuses with '$away' away" ;; esac
	mv "$STATE$away.away" "$STATE$away"
	[ "$(locks_left)" = 2 ] || fail "'$away' away: $(locks_left) lock files guard the spent token"
	next_run_mends
done

# No descriptor left for the looks after the answer.
in_flight
keeper_pid=${STARTED[-1]%:*}
prlimit --pid "$keeper_pid" --nofile=4:4
release_answer
wait_keepers
case "$statuses" in 1 | 3) ;; *) fail "status $statuses without a descriptor" ;; esac
[ "$(locks_left)" = 2 ] || fail "no descriptor: $(locks_left) lock files guard the spent token"
next_run_mends

# Another person logs in to main while it is on its way: the agent that still has the first login gets it, in this run.
in_flight
mint bob left=5h
write_store main xai:default=bob
release_answer
wait_keepers
expect_eq status "$statuses" 0
expect_generation alice a
expect_eq "bob's login in main" "$(store_token main)" "$(login_token bob)"

# Killed with the answer in its receipt; then a person logs in; and the receipt is not ours alone any more.
answered() { grep -qas '^answered' "$LEDGER"/receipts/*; }
in_flight
kill -9 "${STARTED[-1]%:*}"
wait_keepers
release_answer
wait_until answered
stop_couriers
answer=$(server_token alice)
receipt=$(find "$LEDGER/receipts" -name '[0-9a-f]*')
in_displaced() { grep -lsE "\"fingerprint\":[[:space:]]*\"$answer" "$LEDGER"/displaced/* | wc -l; }
chmod 640 "$receipt"
keeper refresh -j
expect_status 3
expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "held ledger_unreadable"
expect_posts 1
mint alice
write_store main xai:default=alice
keeper refresh -j
expect_status 3
expect_field '[.problems[] | select(.code == "ledger_unreadable")] | length' 1
expect_match "$out" "chmod 600"
[ -e "$receipt" ] || fail "a receipt that may hold an answer was removed"
chmod 600 "$receipt"
keeper refresh -j
expect_status 0
expect_eq "the answer in displaced/" "$(in_displaced)" 1
[ ! -e "$receipt" ] || fail "the receipt is still open"

# A full ledger takes the answer (its room was set aside), but not what it would replace: that stays.
if unshare -m true 2>/dev/null; then
	fresh
	mint alice left=10m
	cp "$T/logins/alice.json" "$T/logins/older.json"
	mint alice left=30m
	write_store "main a" xai:default=alice
	write_config
	export T LEDGER
	hold_answer
	# shellcheck disable=SC2016
	unshare -m bash -c '
		mkdir -p "$LEDGER"
		mount -t tmpfs -o size=512k,mode=700 tmpfs "$LEDGER" || exit 77
		"$@" >"$T/full.out" 2>"$T/full.err" &
		until [ -e "$T/full" ]; do sleep 0.05; done
		dd if=/dev/zero of="$LEDGER/filler" bs=4k 2>/dev/null
		touch "$T/filled"
		wait $!
		echo $? >"$T/full.status"
		rm "$LEDGER/filler"
		"$@" >"$T/full.out" 2>"$T/full.err"
		cat "$LEDGER"/displaced/* >"$T/full.displaced"' - \
		"$OAUTH_KEEPALIVE" --config "$T/keeper.conf" --ledger-dir "$LEDGER" refresh -j &
	namespace=$!
	wait_until one_post
	write_store a xai:default=older
	touch "$T/full"
	wait_until test -e "$T/filled"
	release_answer
	wait "$namespace"
	expect_eq "status with a full ledger" "$(cat "$T/full.status")" 1
	expect_eq "an older login, kept before it was replaced" \
		"$(grep -cE "\"fingerprint\":[[:space:]]*\"$(login_token older)" "$T/full.displaced")" 1
	rm -rf "$LEDGER"
fi
