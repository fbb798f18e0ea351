#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `sync --follow STORE` makes the login there give way to the live one, and changes nothing else; what it held is kept. The
# commands that a problem shows do what they say, the harmless one first.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
copies() { if [ "$FORMAT" = json ]; then write_store "$@"; else write_database "$@"; fi; }
login() { jq -c "${2:-.}" "$T/logins/$1.json"; } # NAME [JQ]
one() { mint alice left="$1" && mv "$T/logins/alice.json" "$T/logins/$2.json"; }
begin() {
	fresh
	CONFIG=
	one 3h first
	copies "main a b" xai:default=first
	keeper sync -j
	one 5h live
	copies "main a b" xai:default=live
	keeper sync -j
	one 4h diverged
	mint nobody left=4h
	login nobody 'del(.email, .accountId) + {access: "FAKE-OPAQUE-ACCESS", refresh: "FAKE-OPAQUE-REFRESH"}' >"$T/logins/unproven.json"
}
kept() { keeper restore -j && field "[.kept[] | select(.id == \"$(login_token "$1")\") | .may_come_back] | @csv"; }
shown() { field ".problems[] | select(.code == \"$1\") | .fix"; }

for FORMAT in json sqlite; do
	for kind in diverged unproven; do
		begin
		copies b xai:default=$kind
		keeper sync -j
		expect_eq "left alone" "$(store_token b)" "$(login_token $kind)"
		fix=$(shown copy_$kind)
		expect_eq "the harmless one first" "${fix%% /*}" "oauth-keepalive sync --follow"
		keeper sync --follow b --dry-run -j
		expect_eq "planned only" "$(store_token b)" "$(login_token $kind)"
		eval "keeper ${fix#oauth-keepalive } " # pasted
		expect_status 0
		expect_eq "$FORMAT $kind follows" "$(store_token b)" "$(login_token live)"
		expect_eq "main stays" "$(store_token main)" "$(login_token live)"
		expect_match "$out" "kept: oauth-keepalive restore $(login_token $kind) "
		expect_eq "it is kept" "$(kept $kind)" true
		keeper sync -j
		expect_status 0
		expect_field '[.accounts[].copies[].state] | unique | .[]' current

		# The other one, as it is shown.
		begin
		copies b xai:default=$kind
		keeper sync -j
		fix=$(shown copy_$kind)
		eval "keeper ${fix#*: oauth-keepalive }"
		expect_status 0
		expect_eq "$FORMAT $kind is taken" "$(store_token main) $(store_token a)" "$(login_token $kind) $(login_token $kind)"
	done

	# All at once.
	begin
	copies a xai:default=diverged
	copies b xai:default=unproven
	keeper sync --follow all -j
	expect_status 0
	expect_eq "$FORMAT all" "$(store_token main) $(store_token a) $(store_token b)" \
		"$(login_token live) $(login_token live) $(login_token live)"
	keeper sync --follow all -j
	expect_status 0
	expect_field '.summary.copies_written' 0
done

# Never main itself, nor a file of somebody else's; and an agent's own login only if it is named (114-follow-main-again).
FORMAT=json
begin
keeper sync --follow main xai:default -j
expect_status 3
expect_field '.accounts[0].error.code' adopt_refused
mint bob left=4h
write_store b xai:default=bob
write_store "$HOME/ext.json" xai:default=bob
CONFIG="stores = ( { path = \"$HOME/ext.json\"; format = \"openclaw-json\"; role = \"external\"; } );"
keeper sync -j
keeper sync --follow "$HOME/ext.json" -j
expect_status 3
expect_eq "the file" "$(store_token "$HOME/ext.json")" "$(login_token bob)"
keeper sync --follow all -j
expect_eq "bob's own" "$(store_token b)" "$(login_token bob)"
keeper sync --follow nowhere
expect_status 2
keeper sync --follow a --adopt b
expect_status 2
expect_posts 0

# Logged out in error: the login stands there again, and the command that is shown takes it.
begin
write_store main xai:other=nobody
keeper sync -j
expect_status 3
write_store main xai:default=live
keeper sync -j
expect_status 3
fix=$(shown login_ended)
eval "keeper ${fix#oauth-keepalive } -j"
expect_status 0
keeper sync -j
expect_status 0
expect_field '.accounts[] | select(.profile == "xai:default") | .outcome' unchanged
expect_no_secrets
