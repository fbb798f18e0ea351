#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Four of OpenClaw's own writers (usage statistics, another profile) against four refreshers, in the rows they share:
# nothing is lost on either side, and the databases stay sound. OpenClaw's SQLite checkpoints here; ours, which may have
# the WAL-reset bug, does not.
. "$(dirname "$0")/sqlite.sh" || exit 1

ROUNDS=${ROUNDS:-25}
P=anthropic:default
start_oidc
mint alice left=5d lifetime=10d provider=anthropic
write_store main $P=alice openrouter:default='{"type":"api_key","provider":"openrouter","key":"FAKE-KEY-000000000001"}'
write_store work $P=alice openrouter:default='{"type":"api_key","provider":"openrouter","key":"FAKE-KEY-000000000002"}'
migrated
main=$(main_database)
for writer in main.1 main.2 work.1 work.2; do
	start_openclaw $writer save-usage profile=openrouter:default other=openrouter:default agent=${writer%.*} until="$T/end"
done
all_write() { [ "$(find "$T" -maxdepth 1 -name 'end.*' | wc -l)" = 4 ]; }
for _ in {1..600}; do # they take a while to load
	all_write && break
	sleep 0.1
done

for ((round = 1; round <= ROUNDS; round++)); do
	for _ in 1 2 3 4; do start_keeper refresh --force --wait 30s -j; done
	wait_keepers
	expect_eq "round $round" "$statuses" "0 0 0 0" ||
		jq -c 'select(.exit_code != 0) | .problems, .accounts' "$T"/runs/*.out
done
touch "$T/end"
for writer in main.1 main.2 work.1 work.2; do wait_openclaw $writer; done

saved() { jq -s 'map(.saved) | add' "$@"; }
expect_posts $((4 * ROUNDS))
expect_eq "alice" "$(store_token "$main" $P)" "$(server_token alice)"
expect_eq "alice's grant is alive" "$(control state | jq '.accounts.alice.alive')" true
expect_eq "updates that OpenClaw gave up" "$(jq -s 'map(.failed) | add' "$T"/main.? "$T"/work.?)" 0
expect_eq "main's other profile" "$(document "$main" | jq -r '.profiles["openrouter:default"].displayName')" "$(saved "$T"/main.?)"
expect_eq "work's other profile" "$(document work | jq -r '.profiles["openrouter:default"].displayName')" "$(saved "$T"/work.?)"
usage() { # of the rows; what an agent's OpenClaw shows is merged with main's
	case $1 in
	shared) sql "$(database shared)" "SELECT value_json FROM config_machine_state WHERE state_key = 'authProfiles.state'" ;;
	*) sql "$(database "$1")" "SELECT state_json FROM auth_profile_state" ;;
	esac | jq ".usageStats[\"openrouter:default\"].errorCount"
}
expect_eq "main's usage statistics" "$(usage "$main")" "$(saved "$T"/main.?)"
expect_eq "work's usage statistics" "$(usage work)" "$(saved "$T"/work.?)"
echo "# $OPENCLAW: $((4 * ROUNDS)) refreshes beside $(saved "$T"/main.? "$T"/work.?) updates"
[ "$(saved "$T"/main.? "$T"/work.?)" -gt 100 ] || fail "OpenClaw's writers came no further"
expect_intact
