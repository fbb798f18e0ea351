#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An agent that has an API key under a login's profile id does not use that login: the key is never touched, and it is said
# of which agent, in whose place. A key of a name of its own is just that.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
KEY='{"type": "api_key", "provider": "xai", "key": "FAKE-API-KEY-0123456789"}'
for FORMAT in json sqlite; do
	fresh
	mint alice left=30m
	if [ $FORMAT = json ]; then
		write_store "main a" xai:default=alice
		write_store b xai:default="$KEY" xai:spare="$KEY"
		file=$(store b)
	else
		write_database "shared a" xai:default=alice
		write_database b xai:default="$KEY" xai:spare="$KEY"
		file=$(database b)
	fi
	before=$(sum "$file")
	keeper refresh -j
	expect_status 0
	expect_posts 1
	expect_untouched "$file" "$before"
	keeper status xai:default xai:spare
	expect_match "$out" "skipped  +an API key or fixed token stands in the place of this login: .*\(agent b\)"
	expect_match "$out" "xai:spare +skipped  +api_key or token profile: nothing to refresh"
done
expect_no_secrets
