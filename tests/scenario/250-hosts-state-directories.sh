#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A host of a cluster with two state directories. The cluster has one login for a profile id: where they share it, it is
# refreshed as ever; where each has its own, one of them is the cluster's, and the other stays what it is. Nobody's login is
# replaced by the other's, also when nothing shows whose they are.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

start_etcd
# Without `state_dir`, which names the only one.
write_config() {
	printf '%s\n' "http = { connect_timeout = \"60s\"; deadline = \"60s\"; };" \
		"providers = ( { name = \"xai\"; token_url = \"$TOKEN_URL\"; } );" "$CONFIG" >"$CONFIG_FILE.new"
	mv "$CONFIG_FILE.new" "$CONFIG_FILE"
}
other_store() { echo "$HOME/.openclaw-dev/agents/main/agent/auth-profiles.json"; }

# ---- one login in both
start_oidc
mint alice left=30m
new_host a
write_store "main $(other_store)" xai:default=alice
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice main "$(other_store)"
new_host b
write_store main xai:default=alice
keeper refresh --force
expect_status 0
expect_posts 1
on_host a
keeper refresh -j
expect_status 0
expect_generation alice main "$(other_store)"
expect_posts 1

# ---- two logins, of which nobody can tell whose they are
start_scripted
fake bob left=5h
fake carol left=5h
CLUSTER='prefix = "/of-two/";'
new_host c
write_store main xai:default=bob
write_store "$(other_store)" xai:default=carol
for command in "refresh" "sync --adopt main" "sync --follow main" "refresh"; do
	[ "$command" = "sync --follow main" ] && held=2 || held=1 # the cluster's own is told that it leads
	# shellcheck disable=SC2086
	keeper $command -j
	expect_status 3
	expect_eq "bob's, after $command" "$(store_token main)" "$(login_token bob)"
	expect_eq "carol's, after $command" "$(store_token "$(other_store)")" "$(login_token carol)"
	expect_eq "held, after $command" "$(field '.accounts | map(select(.error)) | length')" "$held"
done
expect_match "$out" 'another state directory here has a login of its own'
expect_posts 0
expect_no_secrets
