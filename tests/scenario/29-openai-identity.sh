#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Who an OpenAI login belongs to stands in its JWT alone; static profiles are shown and never touched.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint carol provider=openai-codex jwt=yes lifetime=10d left=1d
mint dave provider=openai-codex jwt=yes lifetime=10d left=9d
bare() { jq -c 'del(.email, .accountId)' "$T/logins/$1.json"; }
id=openai-codex:default
key='{"type":"api_key","provider":"openai","key":"FAKE-API-KEY"}'
fixed='{"type":"token","provider":"anthropic","token":"FAKE-STATIC-TOKEN","expires":1}'
write_store main $id=carol openai:key="$key" anthropic:setup="$fixed"
write_store a $id="$(bare carol)"
write_store b $id="$(bare dave)"
before=$(sum "$(store b)")

keeper refresh -j
expect_status 0
expect_posts 1
for agent in main a; do
	expect_eq "carol's token in $agent" "$(store_token $agent $id)" "$(server_token carol)"
done
expect_untouched "$(store b)" "$before"
expect_field ".accounts[] | select(.identity.account_id == \"acct-carol\") | .identity.email, .outcome, .lifetime_s" \
	"$(printf '%s\n' carol@example.com refreshed 864000)"
expect_field '.accounts[] | select(.identity.account_id == "acct-dave") | .outcome' unchanged
for profile in openai:key anthropic:setup; do
	expect_field "[.accounts[] | select(.profile == \"$profile\") | .copies[].state] | join(\" \")" static
done
expect_eq "the static profiles" "$(jq -c '.profiles | [.["openai:key"], .["anthropic:setup"]]' "$(store main)")" "[$key,$fixed]"

# A token that expired ten minutes ago: the store's word, and the JWT's where the store says nothing credible.
fresh
mint erin provider=openai-codex jwt=yes lifetime=10d left=-10m
write_store main $id=erin
keeper refresh -j
expect_status 0
expect_posts 1
expect_eq "erin's token" "$(store_token main $id)" "$(server_token erin)"
