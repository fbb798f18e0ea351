#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Claude Code's file: withheld by default (null, not the blank that is its own mark of an end), shared if asked for, never
# refilled once it has ended, and every other byte as it was.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

id=anthropic:default
start_oidc
mint alice provider=anthropic lifetime=8h left=1h
write_store "main a" $id=alice
write_claude alice
follow claude-code "$CLAUDE" $id
cp "$CLAUDE" "$T/before"
keeper refresh -j
expect_status 0
expect_posts 1
expect_eq "its refresh token" "$(jq -c '.claudeAiOauth | has("refreshToken"), .refreshToken' "$CLAUDE" | paste -sd' ')" "true null"
expect_eq "its access token" "$(claude_access)" "$(main_access $id)"
others='del(.claudeAiOauth.accessToken, .claudeAiOauth.refreshToken, .claudeAiOauth.expiresAt)'
expect_eq "its other members" "$(jq -c "$others" "$CLAUDE")" "$(jq -c "$others" "$T/before")"
expect_eq "its lines" "$(wc -l <"$CLAUDE")" 0
# The true expiry, where OpenClaw's store is five minutes early.
expect_eq "its expiry" "$(jq '.claudeAiOauth.expiresAt' "$CLAUDE")" "$(jq '.profiles["anthropic:default"].expires + 300000' "$(store main)")"
keeper refresh -j
expect_field '.accounts[0].outcome' unchanged
expect_eq "its state" "$(copy_state)" withheld
# Nobody else says whose it is; it is also known by the access token that we gave it, also after the next ones.
due
keeper refresh -j
expect_posts 2
expect_eq "its access token" "$(claude_access)" "$(main_access $id)"

# Shared.
STORES=
follow claude-code "$CLAUDE" $id 'refresh_token = "share";'
due
keeper refresh -j
expect_status 0
expect_posts 3
expect_eq "its token" "$(claude_token)" "$(server_token alice)"
expect_eq "locks that are left" "$(find "$HOME" -name '.oauth_refresh.lock*' -o -name '.storage-write.lock*' -o -name '.claude.lock*')" ""

# It rotated behind us.
peer alice
write_claude alice
keeper refresh -j
expect_status 0
expect_posts 3
expect_field '.accounts[0].outcome' adopted
expect_eq "alice's token in a" "$(store_token a $id)" "$(server_token alice)"

# It ended the login there: not put back, whatever the others get.
jq -cj '.claudeAiOauth |= (.accessToken = "" | .refreshToken = "" | .expiresAt = 0)' "$CLAUDE" >"$T/ended"
cat "$T/ended" >"$CLAUDE"
before=$(sum "$CLAUDE")
due
keeper refresh -j
expect_status 0
expect_posts 4
expect_eq "its state" "$(copy_state)" ended
expect_untouched "$CLAUDE" "$before"

# Somebody else's.
mint bob provider=anthropic lifetime=8h left=8h
write_claude bob
before=$(sum "$CLAUDE")
due
keeper refresh -j
expect_status 0
expect_eq "its state" "$(copy_state)" foreign
expect_untouched "$CLAUDE" "$before"

# A login that nobody can tell the owner of is neither written nor sent, until a person says what it is; and as it may have
# been made of our token, that waits, too, while there is time.
jq -cj 'del(.claudeAiOauth.accountUuid)' "$CLAUDE" >"$T/nobody"
cat "$T/nobody" >"$CLAUDE"
before=$(sum "$CLAUDE")
due
requests=$(posts)
keeper refresh -j
expect_status 3
expect_field '.accounts[0].error.code' copy_unproven
expect_eq "requests" "$(posts)" "$requests"
expect_eq "its state" "$(copy_state)" unproven
expect_untouched "$CLAUDE" "$before"
expect_match "$out" 'copy_unproven'
keeper sync -j --follow "$CLAUDE"
expect_status 0
expect_eq "its token" "$(claude_token)" "$(server_token alice)"
expect_no_secrets

# It was made of our token: a person says so, and nobody has lost anything. Else it waits, also when there is no
# more time: to send what its program may have spent could end the login that it made of it.
peer alice
write_claude alice
cp "$CLAUDE" "$T/unnamed"
jq -cj 'del(.claudeAiOauth.accountUuid)' "$T/unnamed" >"$CLAUDE"
requests=$(posts)
due
keeper refresh -j
expect_status 3
keeper sync -j --adopt "$CLAUDE"
expect_status 0
expect_eq "requests" "$(posts)" "$requests"
expect_eq "alice's token in main" "$(store_token main $id)" "$(server_token alice)"
jq -cj 'del(.claudeAiOauth.accountUuid) | .claudeAiOauth.refreshToken = "FAKE-another-login"' "$CLAUDE" >"$T/another"
cat "$T/another" >"$CLAUDE"
change_records '.live.expires_ms = ((now + 300) * 1000 | floor)'
keeper refresh -j
expect_status 3
expect_field '.accounts[0].error.code' copy_unproven
expect_eq "requests" "$(posts)" "$requests"
keeper refresh -j --force
expect_eq "requests" "$(posts)" "$((requests + 1))"
expect_eq "alice's token in main" "$(store_token main $id)" "$(server_token alice)"
