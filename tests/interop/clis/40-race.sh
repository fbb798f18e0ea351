#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Codex, which locks for its commit alone, refreshes at the same moment as we do, $ROUNDS times (50): whoever comes second is
# told that the token was used, nobody loses the login, and we send no token twice.
. "$(dirname "$0")/lib.sh" || exit 1
[ "$PROGRAM" = codex-cli ] || skip "its request is under a lock, or nothing is (30-locks)"

enter_network
"$PYTHON" "$TESTS/scenario/codex.py" serve "$T/url" &
SERVERS+=($!)
wait_until test -s "$T/url"
read -r URL <"$T/url"
TOKEN_URL=$URL
start_world "codex:$URL"

good() { curl -sS "$URL"; }
first() { curl -sS -o /dev/null "${URL%/token}/first/$1"; }
good_token() { good | fingerprint_of .refresh_token; }
fresh_programs
FILE=$CODEX
good | jq '{type: "oauth", provider: "openai-codex", access: .access_token, refresh: .refresh_token,
	expires: ((now + 864000) * 1000 | floor), accountId: "acct-fake"}' >"$T/logins/fake.json"
write_store "main a" $ID=fake
write_codex fake
shared
keeper refresh
expect_status 0

ask() {
	drive force &
	DRIVING=$!
}

# expect_shared WHAT BEFORE: a new login, the same everywhere.
expect_shared() {
	local now where

	now=$(good_token)
	[ "$now" != "$2" ] || fail "$1: nobody refreshed"
	for where in main a; do
		expect_eq "$1: $where" "$(store_token $where $ID)" "$now"
	done
	expect_eq "$1: codex" "$(codex_token)" "$now"
	drive
	expect_accepted "$1"
	expect_eq "$1: how often we sent one token" "$(curl -sS "${URL%/token}/sent")" 1
}

has_rotated() { [ "$(good_token)" != "$before" ]; }
ours=0 theirs=0
for ((race = 1; race <= ${ROUNDS:-50}; race++)); do
	before=$(good_token)
	case $((race % 3)) in
	0) # Codex has the answer, and saves it while we are told that the token was used.
		first codex
		ask
		wait_until has_rotated
		keeper refresh --force -j
		;;
	1) # We have it, and codex is told.
		first ours
		start_keeper refresh --force -j
		wait_until has_rotated
		ask
		wait_keepers
		;;
	2) # As it happens.
		first nobody
		ask
		keeper refresh --force -j
		;;
	esac
	case $(field '.accounts[0].outcome') in refreshed) ours=$((ours + 1)) ;; adopted) theirs=$((theirs + 1)) ;; esac
	wait "$DRIVING" || die "codex could not be driven"
	keeper refresh -j # what codex saved after we had looked
	expect_status 0
	expect_shared "race $race" "$before"
done
echo "# $ours refreshed by us, $theirs by codex"
expect_no_secrets
