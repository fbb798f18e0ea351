#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# JavaScript writes half of a character where it cut a text ("\ud83d"), and \u0000; OpenClaw reads both. So do we: the logins
# in such a store are served, and what is odd in it stays what it is. A token that holds one is not sent, a profile id
# that does is left alone, and nobody else with it.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
copies() { if [ "$FORMAT" = json ]; then write_store "$@"; else write_database "$@"; fi; }
text_of() { if [ "$FORMAT" = json ]; then cat "$(store "$1")"; else document "$1"; fi; }
put_text() { if [ "$FORMAT" = json ]; then cat >"$(store "$1")"; else put_document "$1"; fi; }
# change STORE JAVASCRIPT: to the document s, as node reads and writes it.
change() {
	text_of "$1" | node -e 'const s = JSON.parse(require("fs").readFileSync(0, "utf8")), p = s.profiles["xai:default"];
		'"$2"';
		process.stdout.write(JSON.stringify(s, null, 2) + "\n")' >"$T/changed" || die "change $1"
	put_text "$1" <"$T/changed"
}
# holds_live STORE…: jq, and with it expect_generation, reads no such text.
holds_live() {
	local name
	for name in "$@"; do
		expect_eq "$FORMAT: $name" "$(text_of "$name" | node -e 'process.stdout.write(
			JSON.parse(require("fs").readFileSync(0, "utf8")).profiles["xai:default"].refresh)' | sha256sum | cut -c1-12)" \
			"$(server_token alice)"
	done
}
# All but what a refresh changes.
rest_of() { text_of "$1" | sed -E 's/"(access|refresh|expires)": ("[^"]*"|[0-9.]+)/"\1"/'; }
begin() {
	fresh
	mint alice left=30m
	copies "$main a" xai:default=alice
}

for FORMAT in json sqlite; do
	[ $FORMAT = json ] && main=main || main=shared
	begin
	for name in $main a; do
		change $name 'p.displayName = "Ann \ud83d"; p.note = "a\u0000b"; s.order = {"\udc00": ["\ud800\ud800", "\ufffd"]}'
	done
	expect_match "$T/changed" 'Ann \\ud83d"'
	expect_match "$T/changed" 'a\\u0000b'
	before=$(rest_of $main)
	keeper refresh -j
	expect_status 0
	expect_posts 1
	expect_field '.problems | length' 0
	holds_live $main a
	expect_eq "$FORMAT: the rest of it" "$(rest_of $main)" "$before"

	# In a token
	for odd in '\u0000' '\ud83d'; do
		begin
		keeper sync -q
		reset_posts
		change $main "p.refresh += '$odd'"
		keeper refresh -j
		expect_status 3
		expect_posts 0
		expect_eq "$FORMAT: no logout" "$(field '.accounts[0] | .outcome, .error.code' | tr '\n' ' ')" "held main_store "
		change $main "p.refresh = p.refresh.slice(0, -1)"
		keeper refresh -j
		expect_status 0
		expect_posts 1
	done

	# In a profile id: that one, beside the others.
	begin
	change a 's.profiles["xai:\ud83d"] = {...p}'
	keeper refresh -j
	expect_status 3
	expect_posts 1
	holds_live $main a
	expect_field '[.problems[] | select(.message | contains("half of a character"))] | length' 1
	text_of a >"$T/a.json"
	expect_match "$T/a.json" '"xai:\\ud83d"'
done
expect_no_secrets
