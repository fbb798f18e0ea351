#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Logins under one name, names under one login: a token that somebody else may spend is sent for nobody; nobody else is
# held for it; and a person's login is neither dropped in silence nor overwritten unkept.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
login() { jq -c "${2:-.}" "$T/logins/$1.json"; } # NAME [JQ]
log_out() { write_store main xai:z='{"type": "api_key", "provider": "xai", "key": "FAKE-KEY-FAKE-KEY"}'; }
displaced() { grep -lsE "\"fingerprint\":[[:space:]]*\"$(login_token "$1")" "$LEDGER"/displaced/* | wc -l; }
codex() { login "$1" '.provider = "openai-codex"'; }
says() { expect_field "[.accounts[] | select(.profile == \"$1\") | \"\\(.outcome) \\(.error.code)\"] | sort | join(\", \")" "$2"; }

# One token under two providers, or under a name that is excluded: sent for neither, also when no copy shows it, for a
# fence stands in its place, or an old copy. Another person's login of the same name is served.
CONFIG='exclude = ( "xai:two" );'
mint alice left=5h
write_database shared xai:two=alice xai:default="$(fence alice failed)"
keeper refresh -j
expect_status 3
says xai:default "held shared_token"
fresh
CONFIG=
mint alice left=5h
write_database shared xai:default=alice
keeper refresh -j
write_database shared openai-codex:default="$(codex alice)" xai:default="$(fence alice failed)"
keeper refresh -j
expect_status 3
expect_posts 0
fresh
mint alice left=30m
write_store main xai:default=alice
keeper refresh -j
now=$(jq -c '.profiles["xai:default"] | .provider = "openai-codex"' "$(store main)")
write_store main xai:default=alice openai-codex:default="$now"
mint bob left=30m
write_store b xai:default=bob
keeper refresh -j
expect_status 3
says xai:default "held shared_token, refreshed null"
expect_posts 2
expect_generation bob b

# Logged out, a run, and another person logs in: the agent that still has the first login keeps a working one.
fresh
mint alice left=5h
write_store "main a" xai:default=alice
keeper refresh -j
log_out
keeper refresh -j
expect_status 3
mint bob left=5h
write_store main xai:default=bob
due
keeper refresh -j
expect_status 0
due
keeper refresh -j
expect_generation alice a
expect_generation bob main

# The same where that person has an own login already: it goes on, and the token that was main's is kept.
fresh
mint alice left=5h
write_store "main a" xai:default=alice
keeper refresh -j
mint bob left=5h
write_store main xai:default=bob
keeper refresh -j
alice=$(store_token a)
mint alice left=359m
write_store main xai:default=alice
keeper refresh -j
log_out
keeper refresh -j
mint carol left=5h
write_store main xai:default=carol
keeper refresh -j
expect_status 0
expect_eq "alice's own login in a" "$(store_token a)" "$alice"
due
keeper refresh -j
expect_status 0
[ "$(store_token a)" != "$alice" ] || fail "alice's own login in a is not refreshed any more"
expect_eq "alice's login of main, kept" "$(displaced alice)" 1

# Half-way to SQLite: an own login that is still in JSON alone is not forgotten, and one beside a database that cannot be
# read is not spent.
fresh
mint alice left=5h
mint bob left=5h
write_store main xai:default=alice
write_store b xai:default=bob
keeper refresh -j
write_database main xai:default=alice
write_database b other:x='{"type": "api_key", "provider": "other", "key": "FAKE-KEY-FAKE-KEY"}'
keeper refresh -j
expect_status 3
says xai:default "held main_store, unchanged null"
expect_match "$out" "has not imported this login"
fresh
mint alice left=5h
mint bob left=5h
write_store main xai:default=alice
write_store "b c" xai:default=bob
keeper refresh -j
echo "no database, but it is there" >"$STATE/agents/c/agent/openclaw-agent.sqlite"
chmod 600 "$STATE/agents/c/agent/openclaw-agent.sqlite"
due
keeper refresh -j
expect_status 3
expect_posts 1
says xai:default "held main_store, refreshed null"

# A week after a logout the ledger forgets the token; the copy that an agent still has is kept before it is replaced.
fresh
mint alice left=5h
cp "$T/logins/alice.json" "$T/logins/before.json"
write_store "main a" xai:default=alice
keeper refresh -j
log_out
keeper refresh -j
change_records 'if .ended_ms > 0 then .ended_ms -= 8 * 86400000 else . end'
keeper refresh -j
mint alice left=359m
write_store main xai:default=alice
keeper refresh -j
expect_eq "the token in a" "$(store_token a)" "$(login_token alice)"
expect_eq "the login before, kept" "$(displaced before)" 1

# After a logout any new login is one, also one that does not say when it expires.
log_out
keeper refresh -j
expect_status 3
mint alice
write_store main xai:default="$(login alice 'del(.expires)')"
keeper refresh -j
expect_status 0
expect_generation alice main a

# Two people of one workspace: the agent of one is deleted; her other agent keeps her login, and the other's is left alone.
fresh
for name in alice bob carol; do mint $name left=5h; done
write_store main xai:default="$(login alice 'del(.email) + {accountId: "W1"}')"
write_store "b d" xai:default="$(login bob 'del(.email) + {accountId: "W2"}')"
keeper refresh -j
write_store a2 xai:default="$(login carol 'del(.email) + {accountId: "W2"}')"
keeper refresh -j
rm -r "$STATE/agents/b"
due
keeper refresh -j
expect_status 0
expect_generation bob d
expect_eq "carol's token in a2" "$(store_token a2)" "$(login_token carol)"
# … until nothing of the first is left: then it is the second's.
rm -r "$STATE/agents/d"
keeper refresh -j
expect_status 0
expect_field '[.accounts[] | select(.copies[].agent == "a2") | .copies[].state] | join(" ")' current

# A login moved over another name and fenced off, in one run of OpenClaw's.
fresh
mint alice left=5h
cp "$T/logins/alice.json" "$T/logins/moved.json"
mint alice left=5h
write_database shared xai:default=moved xai:b=alice
keeper refresh -j
write_database shared xai:b="$(fence moved failed 11111111111111111111111111111111 xai:b)"
keeper refresh -j
expect_status 0
expect_posts 1
expect_field '.accounts[] | select(.profile == "xai:b") | .outcome' refreshed
expect_eq "what was xai:b's, kept" "$(displaced alice)" 1

# A provider that asks for patience is not asked again under the next name.
start_scripted
fresh
fake dave left=1h email=dave@example.com
write_store main xai:default=dave
answers '{"status": 429, "headers": {"Retry-After": "3600"}, "repeat": 0}'
keeper refresh -j
write_store main xai:default=dave xai:two=dave
keeper refresh -j
expect_status 1
expect_posts 1
keeper preview -j
says xai:two "failed http_429"
keeper refresh --force -j
expect_posts 2
