#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Stopped inside its critical section until OpenClaw took its lock, the keeper sends nothing more and overwrites nothing.
. "$(dirname "$0")/lib.sh" || exit 1
strace -qq -e inject=getpid:signal=SIGCONT:when=1 -o /dev/null true 2>/dev/null || skip "strace may not inject here"

start_oidc
lock_of() { echo "$STATE/locks/oauth-refresh/sha256-$(printf 'xai\0xai:default' | sha256sum | cut -c1-64).lock"; }
# What OpenClaw up to 2026.5.2 does with a lock older than 180 s, whoever lives: it removes it and makes its own.
steal() { # LOCK
	rm -f "$1"
	printf '{\n  "pid": %d,\n  "createdAt": "%s"\n}' $$ "$(date -u +%FT%T.000Z)" >"$1"
}
# stop_after CALL N: the keeper, stopped there; its pid is $stopped.
stop_after() {
	rm -f "$T/trace"
	keeper_command refresh -j --wait 1s
	strace -o "$T/trace" -e "trace=$1" -e "inject=$1:signal=SIGSTOP:when=$2" "${COMMAND[@]}" >"$out" 2>"$err" </dev/null &
	strace=$!
	STARTED+=("$strace:$RUN")
	is_stopped() { grep -q 'stopped by SIGSTOP' "$T/trace" 2>/dev/null; }
	wait_until is_stopped || die "it was not stopped after $1 $2"
	stopped=$(cat "/proc/$strace/task/$strace/children")
	stopped=${stopped%% *}
}
go_on() {
	kill -CONT "$stopped"
	wait_keepers
}
answered() { grep -rqa '^answered ' "$LEDGER/receipts"; }
one_post() { [ "$(($(posts) - POSTS_BEFORE))" = 1 ]; }

# Before the request is handed to the courier: by then the lock is another's, which refreshes.
mint alice left=30m
write_store "main a" xai:default=alice
stop_after link 5 # its claim of the receipt: the locks are held since
expect_posts 0
steal "$(lock_of)"
peer alice
write_store main xai:default=alice
go_on
expect_posts 0
[ -e "$(lock_of)" ] || fail "the other's lock was removed"
rm -f "$(lock_of)"
keeper refresh -j
expect_status 0
expect_posts 0
expect_generation alice main a

# While the answer is on its way: what the other saves under its lock stays, and the answer is not lost.
fresh
mint bob left=30m
write_store "main a" xai:default=bob
hold_answer
stop_after sendmsg 1
wait_until one_post
steal "$(lock_of)"
release_answer
wait_until answered # it reaches the courier, not the one that stands still
go_on
expect_posts 1
[ -e "$(lock_of)" ] || fail "the other's lock was removed"
rm -f "$(lock_of)"
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation bob main a

# Inside a store's lock (30 s for OpenClaw): the other saved a login there meanwhile.
for call in "symlinkat 1" "renameat2 1" "utimensat 1"; do # none is counted from the start of the run
	fresh
	name=carol$ROUND
	mint "$name" left=30m
	write_store "main a" xai:default="$name"
	# shellcheck disable=SC2086
	stop_after $call
	lock=$(store main).lock
	[ -e "$lock" ] || fail "after $call the store's lock is held"
	steal "$lock"
	mint "$name"
	write_store main xai:default="$name"
	rm -f "$lock"
	go_on
	keeper refresh -j
	keeper refresh -j
	expect_posts 1
	expect_eq "main after $call holds the login" "$(store_token main)" "$(login_token "$name")"
done

expect_no_secrets
