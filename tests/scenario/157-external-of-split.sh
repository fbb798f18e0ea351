#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A token is one wherever it stands. Main is logged in as somebody else, and an agent keeps the old login alive: another
# program's file that shares it gets each new token with that agent, and is never left with one that was spent.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

start_oidc
mint alice provider=openai-codex jwt=yes lifetime=10d left=9d
write_store "main a" $ID=alice
write_codex alice
follow codex-cli "$CODEX" $ID 'refresh_token = "share";'
keeper refresh -j
expect_status 0
mint bob provider=openai-codex jwt=yes lifetime=10d left=9d
write_store main $ID=bob
keeper sync -j
for round in 1 2; do
	due
	keeper refresh -j
	expect_status 0
	expect_posts $((2 * round))
	expect_eq "bob's token in main" "$(store_token main $ID)" "$(server_token bob)"
	expect_eq "alice's token in a" "$(store_token a $ID)" "$(server_token alice)"
	expect_eq "alice's token in codex" "$(codex_token)" "$(server_token alice)"
done
expect_eq "its state" "$(copy_state)" current

# No agent is left that has it: nobody renews it, and codex keeps it.
write_store a $ID=bob
before=$(sum "$CODEX")
due
keeper refresh -j
expect_untouched "$CODEX" "$before"
expect_eq "alice's token in codex" "$(codex_token)" "$(server_token alice)"

# Main is alice's again, logged in anew: codex follows.
mint alice provider=openai-codex jwt=yes lifetime=10d left=10d
write_store "main a" $ID=alice
keeper refresh -j
expect_eq "alice's token in main" "$(store_token main $ID)" "$(server_token alice)"
expect_eq "alice's token in codex" "$(codex_token)" "$(server_token alice)"
expect_no_secrets
