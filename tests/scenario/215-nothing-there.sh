#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Where there is no login, or half of one, a person hears what is there, and what mends it does.
. "$(dirname "$0")/lib.sh" || exit 1

problem() { field ".problems[] | select(.code == \"$1\") | $2"; }
mended() { # COMMAND: what is shown, in part or whole
	bash -c "$1" || fail "as it is shown: $1"
	keeper status -j
	expect_status 0
	expect_eq "problems" "$(field '[.problems[].code] | join(" ")')" ""
	expect_field '.accounts[0].profile' xai:default
}

# A file of no bytes, or of blanks: main's, and an agent's, which may do without.
fake alice left=5h
for text in "" "  \n"; do
	fresh
	write_store "main a" xai:default=alice
	keeper sync -q
	# shellcheck disable=SC2059
	printf "$text" >"$(store main)"
	keeper refresh -j
	expect_status 3
	expect_eq "main's" "$(problem store_unreadable .message)" "$(store main) is empty"
	expect_match <(problem store_unreadable .fix) '^put it back from a backup, or log in again$'
	write_store main xai:default=alice
	# shellcheck disable=SC2059
	printf "$text" >"$(store a)"
	keeper refresh -j
	expect_status 3
	expect_eq "the agent's" "$(problem store_unreadable .message)" "$(store a) is empty"
	mended "$(problem store_unreadable '.fix | sub("^.*main.s logins: "; "")')"
done

# A lone file of logins, where OpenClaw looks for none.
for lone in credentials/auth-profiles.json auth-profiles.json agent/auth-profiles.json; do
	fresh
	rmdir "$STATE/agents"
	write_store "$STATE/$lone" xai:default=alice
	keeper refresh -j
	expect_status 0
	expect_eq "what is named" "$(problem no_accounts .store)" "$STATE/$lone"
	mended "$(problem no_accounts '.fix | sub("^.*own: "; "")')"
done

# Agents without main: either cause, and what to do about it.
fresh
mkdir -p "$HOME/own"
write_store "coder" xai:default=alice
write_store "$HOME/own/auth-profiles.json" xai:default=alice
keeper status -j
expect_status 0
fix=$(problem main_missing .fix)
expect_match <(echo "$fix") '^openclaw models auth login # in main; or, if it is elsewhere, '
CONFIG=$(sed 's/.*conf: //; s|/…|'"$HOME/own"'|' <<<"$fix")
mended true
expect_field '.accounts[0].copies[] | select(.role == "main") | .store' "$HOME/own/auth-profiles.json"
CONFIG=
write_store main xai:default=alice # a login
mended true
expect_no_secrets
