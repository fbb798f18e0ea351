#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Killed while it holds another program's lock, at any call from the first lock to the last: the next run knows its own dead
# lock and waits for nobody, and neither it nor the program finds anything left behind. EVERY: each so-many-th call (60).
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

strace -qq -e inject=getpid:signal=SIGCONT:when=1 -o /dev/null true 2>/dev/null || skip "strace may not inject here"
strace_sees_paths || skip "strace sees no paths here"
"$PYTHON" -c 'import os, sys; os.setxattr(sys.argv[1], "user.probe", b"x")' "$T/logins" 2>/dev/null ||
	skip "no extended attributes in $T"
start_oidc

# scene FORMAT PROVIDER: a login that FORMAT shares, in $file, with its locks in $places.
scene() {
	fresh_programs
	mint "$1" provider="$2" lifetime=8h left=1h
	write_store main "$2:default=$1"
	case $1 in
	claude-code)
		file=$CLAUDE
		write_claude "$1"
		;;
	qwen-code)
		file=$HOME/.qwen/oauth_creds.json
		mkdir "${file%/*}"
		jq '{access_token: .access, refresh_token: .refresh, token_type: "Bearer", expiry_date: .expires}' \
			"$T/logins/$1.json" >"$file"
		;;
	kimi-code)
		file=$HOME/.kimi-code/credentials/kimi-code.json
		mkdir -p "${file%/*}" "$HOME/.kimi-code/oauth"
		jq '{access_token: .access, refresh_token: .refresh, expires_at: (.expires / 1000 | floor), expires_in: 28800}' \
			"$T/logins/$1.json" >"$file"
		;;
	esac
	follow "$1" "$file" "$2:default" 'refresh_token = "share";'
}
left() { find "$HOME" \( -path "$LEDGER" -o -path "$STATE" \) -prune -o \( -name '*lock*' -o -name '*.oauth-keepalive.*' \) -print; }

# A courier lives on for a moment, until it sees that nothing is left to guard.
# shellcheck disable=SC2317
nobody_stands_in_them() {
	left | "$PYTHON" -c 'import os, sys
for lock in sys.stdin.read().split():
    try:
        pid = int(os.getxattr(lock, "user.oauth-keepalive.holder").split()[1].split(b"-")[0])
    except OSError:
        continue  # a swap, or a text that was to take the place of another: nobody holds those
    os.path.exists(f"/proc/{pid}") and sys.exit(1)'
}

# calls PATTERN: "NAME N" of each call of a run, from the first that has PATTERN in it to the last, N as strace counts it.
calls() {
	keeper refresh
	due
	UNDER=(strace -qq -s 512 -o "$T/trace")
	keeper refresh
	UNDER=()
	expect_status 0
	awk -v pattern="$1" '{ name = $0; sub(/\(.*/, "", name); n[name]++; line[NR] = name " " n[name] }
		$0 ~ pattern { if (!first) first = NR; last = NR }
		END { for (i = first; i <= last; i++) if (line[i] ~ /^[a-z0-9_]+ [0-9]+$/) print line[i] }' "$T/trace"
}

# kill_at NAME N
kill_at() {
	due
	UNDER=(strace -qq -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2")
	keeper refresh 2>/dev/null
	UNDER=()
	[ "$status" = 137 ] || return 0 # this time it made fewer of them
	killed=$((killed + 1))
	[ -n "$(left)" ] && locked=$((locked + 1))
	keeper refresh -j --wait 3s # none of the locks is stale by then
	expect_eq "after $1 $2: exit status" "$status" 0
	if [ -n "$(left)" ]; then
		wait_until nobody_stands_in_them
		keeper refresh
	fi
	expect_eq "after $1 $2: left behind" "$(left)" ""
}

sweep() {
	killed=0 locked=0
	calls "$1" | awk -v every="$2" 'NR % every == 1 % every' >"$T/calls"
	[ -s "$T/calls" ] || fail "no calls between the locks"
	while read -r name n; do kill_at "$name" "$n"; done <"$T/calls"
	echo "# $(wc -l <"$T/calls") calls, killed at $killed, with a lock left at $locked"
	[ "$locked" -gt 0 ] || fail "no lock was ever left"
}

scene claude-code anthropic
sweep 'oauth_refresh|claude.lock|storage-write' "${EVERY:-60}"
scene qwen-code xai
sweep 'oauth_creds.lock' "${EVERY:-60}"
scene kimi-code xai
sweep 'kimi-code.lock' "${EVERY:-60}"
