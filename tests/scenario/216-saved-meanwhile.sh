#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login that a person makes while a unit's run is at work is in every copy when that run ends, though systemd drops what
# its path unit sees meanwhile; and whoever writes main all the while keeps no run going for ever.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc

# What happens between a run's last look and its end: its hook does it.
meanwhile() {
	printf '%s\n' "$@" >"$T/meanwhile"
	CONFIG="hooks = { refreshed = \"sh $T/meanwhile\"; };"
}
# begin: alice's is due, and she logs in anew while it is refreshed
begin() {
	fresh
	mint alice left=30m
	write_store "main a b" xai:default=alice
	mint alice left=5h
	jq --slurpfile login "$T/logins/alice.json" '.profiles["xai:default"] = $login[0]' "$(store main)" >"$T/saved.json"
	chmod 600 "$T/saved.json"
	meanwhile "cp $T/saved.json $T/new.json" "mv $T/new.json $(store main)"
}
unit() { OAUTH_KEEPALIVE_RUN=$1 keeper refresh -q; }

for by in timer path; do
	begin
	unit "$by"
	expect_status 0
	expect_posts 1
	expect_eq "$by: the login, in main" "$(store_token main)" "$(login_token alice)"
	expect_eq "$by: in a and b" "$(store_token a) $(store_token b)" "$(login_token alice) $(login_token alice)"
done

# By hand that is the next run's.
begin
keeper refresh -q
expect_eq "a's is the refreshed one" "$([ "$(store_token a)" = "$(login_token alice)" ] || echo other)" other

# Whoever writes all the while.
fresh
fake carol left=5h
write_store "main a" xai:default=carol
while cp "$(store main)" "$T/again.json" && mv "$T/again.json" "$(store main)"; do :; done 2>/dev/null &
writer=$!
unit timer
{ kill "$writer" && wait "$writer"; } 2>/dev/null
expect_status 0
expect_no_secrets
