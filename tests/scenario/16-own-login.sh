#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An agent that logged in as somebody else under the same profile id is served as an account of its own, never mixed.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=30m
mint carol left=20m
write_store "main a" xai:default=alice
write_store b xai:default=carol

keeper refresh -j
expect_status 0
expect_posts 2
expect_generation alice main a
expect_generation carol b
expect_field '[.accounts[] | select(.profile == "xai:default") | .identity.email] | sort | join(" ")' \
	"alice@example.com carol@example.com"
expect_field '[.accounts[] | .copies | length] | sort | join(" ")' "1 2"
expect_eq "email in b" "$(jq -r '.profiles["xai:default"].email' "$(store b)")" carol@example.com

# The other way round: main becomes carol's too; alice's agent keeps alice.
mint carol
write_store main xai:default=carol
keeper refresh -j
expect_generation alice a
expect_eq "carol's new login in main" "$(store_token main)" "$(login_token carol)"
expect_field '[.problems[].code] | index("identity_split") != null' true
expect_posts 2
keeper status # one profile id, two people: told apart
expect_match "$out" '^xai:default \(alice@example.com, agent [a-z]+\) .* fresh '
expect_match "$out" '^xai:default \(carol@example.com, agent main\) .* fresh '

# An answer for another person than the one whose token was sent is written nowhere.
fresh
start_scripted
fake alice left=30m email=alice@example.com
write_store "main a" xai:default=alice
before=$(sum "$(store main)")
jwt=e30.$(printf '{"sub":"mallory","email":"mallory@example.com"}' | base64 -w0 | tr '/+' '_-' | tr -d =).e30
answers "{\"body\": $(tokens mallory "{\"id_token\": \"$jwt\"}")}"
keeper refresh -j
expect_status 3
expect_posts 1
expect_untouched "$(store main)" "$before"
expect_untouched "$(store a)" "$before"
keeper refresh -j
expect_status 3
expect_posts 1
