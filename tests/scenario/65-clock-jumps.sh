#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The clock jumps an hour either way in mid-run: no wait is longer or shorter, the answer is saved, no second POST; and a
# courier that hangs past the hold keeps its locks.
. "$(dirname "$0")/lib.sh" || exit 1

"${CC:-cc}" -shared -fPIC -o "$T/clock.so" "$TESTS/scenario/clock.c" -ldl 2>"$T/clock.log" || skip "no compiler for the clock"
clock() { echo "$1 $2" >"$T/clock.new" && mv "$T/clock.new" "$T/clock"; }
clock 0 0
jumping() { # keeper in the background, with that clock
	keeper_command "$@"
	env LD_PRELOAD=./clock.so TEST_CLOCK="$T/clock" "${COMMAND[@]}" >"$out" 2>"$err" </dev/null &
	STARTED+=("$!:$RUN")
}
now() {
	jumping "$@"
	wait_keepers
}
one_post() { [ "$(($(posts) - POSTS_BEFORE))" = 1 ]; }
clock 86400 0
fresh
start_oidc
mint probe left=5h
write_store main xai:default=probe
now preview --check
[ "$status" = 5 ] || skip "the clock cannot be moved here"
# Before the program was built nothing is decided by time. If that is longer ago than the jump, an expiry too good to be
# true is not believed, and the token is refreshed once more. (Which of the two it is shall not change meanwhile: if the
# program is about as old as the jump is long, the jump is longer.)
is_behind() {
	clock "$1" 0
	now preview -j
	jq '[.problems[] | select(.code == "clock")] | length' "$out"
}
far=3600
[ "$(is_behind -2400)" = "$(is_behind -4800)" ] || far=7200
behind=$(is_behind -$far)

for jump in $far -$far; do
	# While the answer is on its way.
	clock 0 0
	fresh
	mint "alice$jump" left=30m
	write_store "main a" xai:default="alice$jump"
	hold_answer
	jumping refresh -j
	wait_until one_post
	clock $jump 0
	release_answer
	wait_keepers
	expect_status 0 $((3 * behind)) # refreshed, and the clock is said if it is behind now
	expect_field '.accounts[0].outcome' refreshed
	expect_generation "alice$jump" main a
	# The next runs, on the clock as it now is, and once it has been put right.
	now refresh -j
	requests=1
	case "$jump $behind" in
	-*\ 1)
		expect_status 3
		expect_field '[.problems[].code] | index("clock") != null' true
		;;
	-*)
		expect_status 0
		requests=2
		;;
	*) expect_status 0 ;;
	esac
	clock 0 0
	now refresh -j
	case $jump in -*) expect_status 0 ;; *) expect_status 0 3 ;; esac # an hour behind its own ledger: it says so
	expect_posts $requests
	expect_generation "alice$jump" main a

	# While it waits for a lock: neither at once nor an hour later.
	fresh
	mint "bob$jump" left=30m
	write_store main xai:default="bob$jump"
	mkdir -p "$STATE/locks/oauth-refresh"
	lock=$STATE/locks/oauth-refresh/sha256-$(printf 'xai\0xai:default' | sha256sum | cut -c1-64).lock
	printf '{\n  "pid": %d,\n  "createdAt": "%s",\n  "starttime": %s\n}' $$ "$(date -u +%FT%T.000Z)" \
		"$(cut -d' ' -f22 /proc/$$/stat)" >"$lock"
	began=${EPOCHREALTIME/./}
	jumping refresh -j --wait 2s
	sleep 0.3
	clock $jump 0
	wait_keepers
	took=$(((${EPOCHREALTIME/./} - began) / 1000))
	expect_posts 0
	[ $took -lt 120000 ] || fail "it waited for $took ms, shall be 2000"
	if [ "$jump $status $behind" = "-$far 3 1" ]; then # no decision by time, so nothing to wait for
		expect_field '[.problems[].code] | index("clock") != null' true
	else
		expect_status 4
		[ $took -ge 1900 ] || fail "it waited for $took ms, shall be 2000"
	fi
	rm -f "$lock"
done

# The courier hangs after it has sent, for longer than locks are held: they stay its own, for the token may be spent.
clock 0 0
fresh
mint carol left=30m
write_store "main a" xai:default=carol
hold_answer
jumping refresh -j
wait_until one_post
courier=$(couriers)
stop_process "$courier"
clock 0 300
wait_keepers
expect_status 3
expect_field '.accounts[0].outcome' held
expect_eq "who holds the lock files" "$(couriers)" "$courier"
clock 0 0
now refresh -j --wait 0
expect_status 4
kill -CONT "$courier"
release_answer
answered() { grep -rqa '^answered ' "$LEDGER/receipts"; }
wait_until answered
now refresh -j
expect_status 0
expect_posts 1
expect_generation carol main a
expect_no_secrets
