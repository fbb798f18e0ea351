#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every command's JSON is what the interface says, and no token appears in output, arguments or environments.
. "$(dirname "$0")/lib.sh" || exit 1

start_scripted
fake alice left=30m email=alice@example.com
fake bob left=5h accountId=acct-bob
write_store "main a" xai:default=alice xai:bob=bob
write_store b xai:default="$(jq -c '.refresh = "FAKE-REFRESH-other"' "$T/logins/alice.json")" \
	openai:key='{"type":"api_key","provider":"openai","key":"FAKE-API-KEY-123456789"}'

every_command() {
	local command json
	for command in status preview sync "sync --dry-run" "preview --check --at +10h" "refresh -v" "refresh --force -v"; do
		for json in "" -j; do
			# shellcheck disable=SC2086
			keeper $command $json
			expect_status 0 1 3 4 5 # not 2: a command that is none shows nothing
		done
	done
}
# An error text that repeats what was sent, and then a good answer.
answers '{"status": 429, "body": {"error": "slow_down", "error_description": "FAKE-REFRESH-alice FAKE-REFRESH-bob"}, "repeat": 3}'
every_command
answers "{\"body\": $(tokens one)}" "{\"body\": $(tokens two)}" "{\"status\": 400, \"body\": {\"error\": \"FAKE-REFRESH-one\"}, \"repeat\": 0}"
every_command
expect_field '.schema_version' 1
# shellcheck disable=SC2016
expect_field '[.summary, .accounts, .problems, .exit_code, .time, .command, .dry_run] | map(type) | join(" ")' \
	"object array array number string string boolean"

fresh
start_oidc
mint carol left=30m
write_store "main a" xai:default=carol
if strace -qq -e trace=execve -o /dev/null true 2>/dev/null; then
	UNDER=(strace -f -qq -v -s 65536 -o "$T/runs/execve" -e trace=execve)
	keeper refresh -j
	UNDER=()
	expect_status 0
	if [ "$(id -u)" = 0 ]; then
		expect_match "$T/runs/execve" courier
	else
		not_shown "what the courier is started with: only root may look"
	fi
else
	not_shown "what the courier is started with: strace may not trace here"
fi
expect_no_secrets
