#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login saved in the very instant in which a store is replaced, by a run that is killed in the next, is what the store
# holds after the next run; without a login, that run goes on where the killed one was. Nothing is left behind.
. "$(dirname "$0")/lib.sh" || exit 1
strace -qq -e inject=getpid:signal=SIGCONT:when=1 -o /dev/null true 2>/dev/null || skip "strace may not inject here"

start_oidc
beside() { ls -A "$(dirname "$(store "$1")")"; }
# killed_in_the_swap [LOGIN]: stopped when it has looked at main and is about to replace it; LOGIN is saved there, as
# OpenClaw saves; stopped when it has replaced it, and killed. (The first symbolic link that it makes is main's record.)
killed_in_the_swap() {
	keeper_command refresh
	strace -D -qq -o "$T/trace" -e trace=symlinkat,renameat2 -e inject=symlinkat,renameat2:signal=SIGSTOP:when=1 \
		"${COMMAND[@]}" >"$out" 2>"$err" </dev/null &
	local pid=$!
	stopped() { [ "$(grep -c "stopped by SIGSTOP" "$T/trace" 2>/dev/null)" = "$1" ]; }
	wait_until stopped 1
	[ $# = 0 ] || { write_store "$T/new" xai:default="$1" && mv "$T/new" "$(store main)"; }
	kill -CONT "$pid"
	wait_until stopped 2
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null
	grep -q 'RENAME_EXCHANGE.* = 0' "$T/trace" || skip "this file system does not exchange files"
	rm "$T/trace"
	[ "$(beside main | wc -l)" = 4 ] || fail "main, its lock, what came out, and the record" "$(beside main)"
}

mint alice left=30m
write_store "main a" xai:default=alice
chmod 640 "$(store main)"
killed_in_the_swap
expect_generation alice main
keeper preview
expect_eq "files beside main, after a preview" "$(beside main | wc -l)" 4
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice main a
expect_eq "beside main" "$(beside main)" auth-profiles.json
expect_eq "mode of main" "$(stat -c %a "$(store main)")" 640

fresh
mint bob left=30m
write_store "main a" xai:default=bob
mint bob
killed_in_the_swap bob
[ "$(store_token main)" != "$(login_token bob)" ] || fail "killed in the very instant"
keeper refresh -j
expect_status 0
expect_posts 1
expect_eq "main holds the login" "$(store_token main)" "$(login_token bob)"
keeper refresh -j
expect_status 0
expect_posts 1
expect_eq "main holds the login" "$(store_token main)" "$(login_token bob)"
expect_eq "a follows" "$(store_token a)" "$(login_token bob)"
expect_eq "beside main" "$(beside main)" auth-profiles.json

# OpenClaw has written what we had put there, before the next run: both are kept, and it is said.
fresh
mint carol left=30m
write_store "main a" xai:default=carol
mint carol
killed_in_the_swap carol
jq '.usage = 1' "$(store main)" >"$T/usage" && mv "$T/usage" "$(store main)"
keeper refresh
saved=$(compgen -G "$(store main).*.oauth-keepalive.saved")
expect_match "$err" "is kept in $saved"
expect_eq "what is kept" "$(jq -j '.profiles[].refresh' "$saved" | sha256sum | cut -c1-12)" "$(login_token carol)"
expect_eq "what OpenClaw wrote" "$(jq .usage "$(store main)")" 1
expect_posts 1
expect_eq "main and a are one" "$(store_token main)" "$(store_token a)"
expect_eq "files beside main" "$(beside main | wc -l)" 2
