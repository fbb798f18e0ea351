#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A program that nobody has heard of is described in the configuration: where its tokens are, how its expiry is spelled, how
# it takes a login without a refresh token, its lock, its margin.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

start_oidc
file=
scene() {
	fresh_programs
	mint alice left=4h
	write_store "main a" xai:default=alice
	file=$HOME/tool/login.json
	mkdir -p "$(dirname "$file")"
	jq '{"a/b": {t: .access, r: .refresh, e: (.expires / 1000 | floor)}, keep: [1.10, "\u00e9"]}' "$T/logins/alice.json" >"$file"
}
fields='access = "/a~1b/t"; refresh = "/a~1b/r"; expires = "/a~1b/e"; expires_as = "s";'
token() { fingerprint_of <"$file" '.["a/b"].r'; }

scene
follow plain "$file" xai:default "fields = { $fields };"
before=$(jq -c '.keep' "$file")
keeper refresh --force -j
expect_status 0
expect_field '.accounts[0].copies[] | select(.role == "external") | .format, .state' "$(printf '%s\n' plain current)"
expect_eq "its token" "$(token)" "$(server_token alice)"
expect_eq "the rest" "$(jq -c '.keep' "$file")" "$before"
expect_eq "its expiry" "$(jq '.["a/b"].e' "$file")" "$(jq '.profiles["xai:default"].expires / 1000 | floor' "$(store main)")"

# Withheld, in its own way.
STORES=
follow plain "$file" xai:default "fields = { $fields }; withheld_as = \"remove\"; refresh_token = \"withhold\";"
keeper refresh -j
expect_status 0
expect_eq "its members" "$(jq -c '.["a/b"] | keys_unsorted' "$file")" '["t","e"]'
keeper refresh -j
expect_eq "its state" "$(copy_state)" withheld

# Its lock, and its margin: four hours of six are left, and it would refresh at five.
scene
follow plain "$file" xai:default "fields = { $fields }; lock_file = \"$HOME/tool/lock\"; margin = \"4h30m\";"
flock -F "$HOME/tool/lock" sleep infinity &
SERVERS+=($!)
wait_until sh -c "! flock -n '$HOME/tool/lock' true"
keeper refresh -j --wait 0
expect_status 4
expect_posts 0
{ kill "${SERVERS[-1]}" && wait "${SERVERS[-1]}"; } 2>/dev/null
keeper refresh -j
expect_status 0
expect_posts 1
expect_field '.accounts[0].margin_s >= 16200' true
expect_eq "its token" "$(token)" "$(server_token alice)"

# A margin of its own that we cannot go before is said: of codex's login, which lives for ten days, cliproxyapi renews five.
fresh_programs
mint bob provider=openai-codex jwt=yes lifetime=10d left=9d
write_store main $ID=bob
jq '{type: "codex", access_token: .access, refresh_token: .refresh, expired: "2030-01-01T00:00:00Z"}' "$T/logins/bob.json" >"$HOME/cpa.json"
follow cliproxyapi "$HOME/cpa.json" $ID 'refresh_token = "share";'
keeper status -j
expect_match "$out" margin_below_tool
STORES=
follow cliproxyapi "$HOME/cpa.json" $ID
keeper refresh
keeper status -j
expect_no_match "$out" margin_below_tool
