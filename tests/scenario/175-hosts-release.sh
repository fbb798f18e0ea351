#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login that is given away is never refreshed here again, unless `own`, `import` or a person's login says so: it is released
# durably before the first byte leaves, its one document is printed once, and a broken pipe loses nothing.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts.sh"

login_on a "main coder"
like a b

# ---- from a to b, which refreshes it from then on, and a does not, whatever is asked of it
hand a b --release
expect_status 0
expect_ownership a released
expect_match "$out" "released to another host"
expect_ownership b ours
for args in "refresh --force" "refresh --last-try" "refresh --at +1d" "sync" "token xai:default --min-life 3h"; do
	on a
	due
	# shellcheck disable=SC2086
	keeper $args
	truncate -s 0 "$out"
done
expect_posts 0
keeper doctor -j
expect_match "$out" '"released"'
keeper export xai:default
expect_status 3
expect_eq "bytes printed by who does not own it" "$(stat -c %s "$out")" 0
keeper export --release xai:default
expect_status 3
expect_eq "bytes printed the second time" "$(stat -c %s "$out")" 0
expect_match "$err" "oauth-keepalive own"
on b
due
keeper refresh
expect_status 0
expect_posts 1
expect_generation alice main coder

# ---- b sends the next generation back: a follows; then the login itself comes back
hand b a
expect_status 0
expect_ownership a follows
on a
expect_generation alice main coder
hand b a --release
expect_status 0
expect_ownership a ours
expect_ownership b released
on a
due
keeper refresh
expect_posts 2
expect_generation alice main

# ---- what gave it away once gives it to nobody else: b gave it back since
export_from a "$T/first" --release
import_to b "$T/first"
expect_status 0
hand b a --release
expect_status 0
import_to b "$T/first"
expect_status 3
expect_match "$out" "changed hands since"
expect_ownership b released

# ---- the pipe breaks: nobody's, nothing is spent, and own takes it back
on a
keeper_command export --release xai:default
"$PYTHON" - "$T/code" "${COMMAND[@]}" 2>"$err" <<-'END'
	import os, subprocess, sys
	read, write = os.pipe()
	os.close(read)
	open(sys.argv[1], "w").write(str(subprocess.run(sys.argv[2:], stdout=write, stdin=subprocess.DEVNULL).returncode))
END
expect_eq "exit status with a broken pipe" "$(cat "$T/code")" 1
expect_match "$err" "not all of it was written .*oauth-keepalive own xai:default"
expect_ownership a released
due
keeper refresh --force
expect_posts 2
keeper own xai:default
expect_status 0
expect_ownership a ours
keeper refresh
expect_posts 3
expect_generation alice main
keeper log
expect_match "$out" "xai:default.*  released"
expect_match "$out" "xai:default.*  owned"

# ---- a login that a person makes is theirs, and goes on
on b
sleep 1.1 # whole seconds tell when it was issued
mint alice left=6h email=alice@example.com
write_store main xai:default=alice
keeper refresh
expect_status 0
expect_ownership b ours
due
keeper refresh
expect_posts 4
expect_generation alice main coder

# ---- released, and removed from its stores afterwards: as it shall be
export_from b "$T/gone" --release
write_store "main coder" 'xai:other={"type":"api_key","provider":"xai","key":"FAKE-KEY-123456789"}'
keeper refresh -q
expect_status 0

rm -f "$T/document" "$T/first" "$T/gone"
expect_no_secrets "$T"/*/ledger/log/*
