#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The locks of other programs: theirs are waited for, ours keep them away while a token is sent and are touched in time, and
# a dead one is taken as its program would take it.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

id=anthropic:default
start_oidc
lock=$HOME/.claude/.oauth_refresh.lock

scene() {
	fresh_programs
	lock=$HOME/.claude/.oauth_refresh.lock
	mint alice provider="$1" lifetime=8h left=1h jwt="$2"
	write_store main "$1:default=alice"
}

# Claude Code refreshes: nothing is sent beside it.
scene anthropic ""
write_claude alice
follow claude-code "$CLAUDE" $id 'refresh_token = "share";'
mkdir "$lock"
keeper refresh -j --wait 0
expect_status 4
expect_posts 0
expect_field '.accounts[0].error.code' lock_busy
expect_match "$out" "$lock"
expect_eq "its lock" "$(ls -d "$lock")" "$lock"
# Its other lock, beside its directory.
rmdir "$lock"
mkdir "$HOME/.claude.lock"
keeper refresh -j --wait 0
expect_status 4
expect_posts 0
[ -e "$lock" ] && fail "one of two locks is left"
# Once it is done, it is our turn.
start_keeper refresh --wait 5m
sleep 0.3 # mostly it is waiting by now
rmdir "$HOME/.claude.lock"
wait_keepers
expect_eq "exit status" "$statuses" 0
expect_posts 1
expect_eq "its token" "$(claude_token)" "$(server_token alice)"

# Left by a process that died: an hour old is stale, half a minute is not.
due
mkdir "$lock"
touch -d '30 seconds ago' "$lock"
keeper refresh --wait 0
expect_status 4
touch -d '1 hour ago' "$lock"
keeper refresh
expect_status 0
expect_posts 2
expect_eq "locks that are left" "$(find "$HOME" -name '*.lock*' -path '*claude*')" ""

# A withheld copy is nobody's to refresh: only its write is locked.
STORES=
follow claude-code "$CLAUDE" $id
keeper refresh # until then it could be refreshed there, and the lock is waited for
due
mkdir "$lock"
keeper refresh
expect_status 0
expect_posts 3
expect_eq "its access token" "$(claude_access)" "$(main_access $id)"
rmdir "$lock"
mkdir "$HOME/.claude/.storage-write.lock"
due
keeper refresh -j --wait 1s
expect_status 1
expect_posts 4
expect_eq "main has the answer" "$(store_token main $id)" "$(server_token alice)"
rmdir "$HOME/.claude/.storage-write.lock"
keeper refresh
expect_status 0
expect_eq "its access token" "$(claude_access)" "$(main_access $id)"

# While we send, it waits: both of its locks are there, and are touched (kimi-code takes one that is 5 s old).
scene corp ""
kimi=$HOME/.kimi-code/credentials/kimi-code.json
mkdir -p "$(dirname "$kimi")"
jq -j '{access_token: .access, refresh_token: .refresh, expires_at: (.expires / 1000 | floor), expires_in: 900}' \
	"$T/logins/alice.json" >"$kimi"
PROVIDERS="{ name = \"corp\"; token_url = \"$TOKEN_URL\"; client_id = \"agents\"; lifetime = \"8h\"; }"
follow kimi-code "$kimi" corp:default
lock=$HOME/.kimi-code/oauth/kimi-code.lock
hold_answer
start_keeper refresh
wait_until test -d "$lock"
touched() { [ "$(stat -c %.9Y "$lock")" != "$last" ]; }
quickest=9999
for _ in 1 2 3; do
	last=$(stat -c %.9Y "$lock")
	wait_until touched
	gap=$(jq -n "$(stat -c %.9Y "$lock") - $last | ceil")
	[ "$gap" -ge "$quickest" ] || quickest=$gap # where the machine is busy, some are late
done
[ "$quickest" -le 4 ] || fail "its lock is touched every $quickest s"
release_answer
wait_keepers
expect_eq "exit status" "$statuses" 0
[ -e "$lock" ] && fail "its lock is left"
expect_eq "its token" "$(jq -j .refresh_token "$kimi" | sha256sum | cut -c1-12)" "$(server_token alice)"

# Codex: flock(2), of which it holds the second for a commit.
scene openai-codex yes
write_codex alice
follow codex-cli "$CODEX" $ID 'refresh_token = "share";'
for name in auth.lock auth.json.lock; do
	due 2>/dev/null
	before=$(posts)
	flock -F "$HOME/.codex/$name" sleep infinity &
	SERVERS+=($!)
	wait_until sh -c "! flock -n '$HOME/.codex/$name' true"
	keeper refresh -j --wait 0
	if [ $name = auth.lock ]; then
		expect_status 4
		expect_eq "requests" "$(posts)" "$before"
	else # main has it; the copy follows in the next run
		expect_status 1
		expect_eq "requests" "$(posts)" "$((before + 1))"
	fi
	{ kill "${SERVERS[-1]}" && wait "${SERVERS[-1]}"; } 2>/dev/null
	keeper refresh
	expect_status 0
	expect_eq "its token" "$(codex_token)" "$(server_token alice)"
done
# And ours are held while we send, the second one is not.
due
hold_answer
start_keeper refresh
wait_until sh -c "! flock -n '$HOME/.codex/auth.lock' true"
flock -n "$HOME/.codex/auth.json.lock" true || fail "auth.json.lock is held over a request"
release_answer
wait_keepers
expect_eq "exit status" "$statuses" 0
