#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Logins that change places: nobody's token lands on another person's copy, and a healthy login goes on being refreshed.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
login() { jq -c "${2:-.}" "$T/logins/$1.json"; } # NAME [JQ]

# Two agents' own logins of which only the workspace is known: it may be two people's.
fresh
for name in alice bob carol; do mint $name left=5h; done
write_store main xai:default="$(login alice 'del(.email) + {accountId: "W1"}')"
write_store b xai:default="$(login bob 'del(.email) + {accountId: "W2"}')"
keeper refresh -j
write_store c xai:default="$(login carol 'del(.email) + {accountId: "W2"}')"
keeper refresh -j
expect_status 0
expect_field '[.accounts[].copies[] | "\(.agent) \(.state)"] | sort | join(", ")' "b current, c unproven, main current"
due
keeper refresh -j
expect_posts 2
expect_eq "bob's token in b" "$(store_token b)" "$(server_token bob)"
expect_eq "carol's token in c" "$(store_token c)" "$(login_token carol)"
# … but the next one in the same place is whoever logged in there before.
mint bob left=5h
write_store b xai:default="$(login bob 'del(.email) + {accountId: "W2"}')"
keeper refresh --force -j
expect_status 0
expect_eq "bob's next token in b" "$(store_token b)" "$(server_token bob)"

# An agent's login is copied over main's, refreshed there, and main is put back: the agent's goes on.
fresh
mint dora left=5h
mint erin left=5h
write_store main xai:default=dora
write_store a xai:default=erin
keeper refresh -j
cp "$(store main)" "$T/main.json"
cp "$(store a)" "$(store main)"
keeper refresh -j
due
keeper refresh -j
expect_generation erin main a
cp "$T/main.json" "$(store main)"
keeper refresh -j
expect_status 0
due
keeper refresh -j
expect_status 0
expect_generation dora main
expect_generation erin a
expect_eq "tokens that were sent twice" "$(control state | jq '[.tokens[] | select(. > 1)] | length')" 0

# Somebody else logs in to main while the answer to the old login is somebody's whom we do not know: theirs goes on.
fresh
start_scripted
fake frank left=30m email=frank@example.com
fake grace left=30m email=grace@example.com
write_store "main a" xai:default=frank
mallory=e30.$(printf '{"sub":"mallory","email":"mallory@example.com"}' | base64 -w0 | tr '/+' '_-' | tr -d =).e30
answers "{\"body\": $(tokens mallory "{\"id_token\": \"$mallory\"}")}"
keeper refresh -j
expect_field '.accounts[0].error.code' identity_mismatch
write_store main xai:default=grace
keeper refresh -j
answers "{\"body\": $(tokens grace2)}"
keeper refresh -j
expect_posts 2
expect_eq "grace's token in main" "$(store_token main)" "$(printf FAKE-REFRESH-grace2 | sha256sum | cut -c1-12)"
expect_eq "frank's in a" "$(store_token a)" "$(login_token frank)"
expect_no_secrets
