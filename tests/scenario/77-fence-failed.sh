#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A failed fence is a login that OpenClaw gave up. If it names the live token, ours is sent as the last resort and the
# answer takes exactly its place; if it names another, only a person can go on. A fence itself is never sent.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
known() {
	fresh
	mint alice left=5h
	write_database "shared a" xai:default=alice
	keeper refresh -j
	expect_status 0
}
fence_off() { write_database "$1" xai:default="$(fence alice failed)"; }
untouched() {
	expect_eq "the fence" "$(document shared)" "$before"
	expect_eq "spent tokens the server never gave out" "$(control state | jq "[.requests[]? | select(.unknown)] | length")" 0
}

known
fence_off shared
keeper preview -j
expect_field '.accounts[0].decision' refresh
expect_field '[.accounts[0].copies[] | "\(.role) \(.state) \(.planned)"] | join(", ")' "shared fenced true, agent current true"
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice shared a
expect_field '.accounts[0].outcome' refreshed
expect_field '.problems[] | select(.code == "gateway_notice") | .fix | test("models.authRefresh")' true
expect_field '[.accounts[0].copies[].state] | unique | join(" ")' current
keeper refresh -j
expect_status 0
expect_posts 1
expect_field '.problems | length' 0

# Other fields of the fence stay, the identity among them.
expect_eq "email" "$(document shared | jq -r '.profiles["xai:default"].email')" alice@example.com

# It names a token that we had replaced: a superseded copy, repaired, nothing sent.
known
cp "$T/logins/alice.json" "$T/logins/old.json"
keeper refresh --force -j
expect_posts 1
write_database a xai:default="$(fence old failed)"
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice shared a
write_database shared xai:default="$(fence old failed)"
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice shared a

# A newer login elsewhere goes first.
known
fence_off shared
mint alice
write_database a xai:default=alice
keeper refresh -j
expect_status 0
expect_posts 0
expect_generation alice shared a

# `fence = "report"`, `sync`, and a token that the ledger never had: the command, and nothing else.
known
fence_off shared
before=$(document shared)
CONFIG='fence = "report";'
keeper refresh -j
expect_status 3
expect_field '.accounts[0].outcome' needs_login
expect_field '.accounts[0].error.code' fenced
expect_posts 0
untouched
CONFIG=
keeper sync -j
expect_status 3
expect_posts 0
untouched
mint stranger left=2h email=alice@example.com
write_database shared xai:default="$(fence stranger failed)"
before=$(document shared)
keeper refresh -j
expect_status 3
expect_posts 0
expect_field '.accounts[0].outcome' needs_login
keeper refresh
expect_match "$out" "openclaw models auth login|log in with"
untouched
keeper refresh --force -j
expect_posts 0
untouched

# An agent's stranger does not keep main's from being recovered.
known
fence_off shared
write_database a xai:default="$(fence stranger failed)"
keeper refresh -j
expect_posts 1
expect_generation alice shared
expect_eq "the agent's fence" "$(document a | grep -c refresh-fence)" 1
expect_status 3

# OpenClaw's request had gone through, so the token is dead: once, never again, and a new login ends it.
known
fence_off shared
peer alice
keeper refresh -j
expect_status 3
expect_posts 1
expect_field '.accounts[0].outcome' needs_login
before=$(document shared)
keeper refresh --force -j
expect_posts 1
untouched
mint alice
write_database shared xai:default=alice
keeper refresh -j
expect_status 0
expect_generation alice shared

# A half of a fence, and one of a later form, are no tokens either.
known
for odd in '.access = "openclaw-oauth-refresh-fence:v9:x"' '.refresh = "openclaw-oauth-refresh-fence:v1:"'; do
	write_database shared xai:default="$(jq -c "$odd | .expires = 1" "$T/logins/alice.json")"
	before=$(document shared)
	keeper refresh --force -j
	expect_status 3
	expect_posts 0
	untouched
done

# The provider cannot be reached: the fence stays, it is tried again.
known
fence_off shared
before=$(document shared)
kill "${SERVERS[0]}"
wait "${SERVERS[0]}" 2>/dev/null
keeper refresh -j
expect_status 1
expect_eq "the fence" "$(document shared)" "$before"
expect_field '.accounts[0].outcome' failed
expect_no_secrets
