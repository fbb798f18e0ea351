#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login that the ledger knows and that no store shows any more is not let die in silence: said in quiet runs, exit 3,
# until it comes back, and then it goes on, or a person says `forget`. What cannot be read is not taken for empty.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
known() { # NAME FORMAT: kept alive once, two hours ago
	fresh
	mint "$1" left=30m
	case $2 in
	json) write_store "main a" xai:default="$1" ;;
	sqlite) write_database "main a" xai:default="$1" ;;
	shared) write_database "shared a" xai:default="$1" ;;
	esac
	keeper refresh -j
	expect_status 0
	expect_posts 1
	due
	rm -rf "$T/kept" && cp -a "$HOME" "$T/kept"
}
is_said() { # CODE
	local command
	for command in refresh status preview sync; do
		keeper $command -q
		expect_status 3
		cat "$out" >>"$err" # where the verb's answer is what is wrong
		expect_match "$err" "\[$1\]"
		keeper $command -j
		expect_status 3
		expect_field "[.problems[] | select(.code == \"$1\") | .severity] | first" error
		expect_field '.accounts[0].outcome' held
	done
	expect_posts 1
}
comes_back() { # NAME STORE…
	cp -a "$T/kept/.openclaw" "$HOME/back" && rm -rf "$STATE" && mv "$HOME/back" "$STATE"
	keeper refresh -j
	expect_status 0
	expect_posts 2
	expect_generation "$@"
}
vanished() { # NAME FORMAT BLOCK…
	known "$1" "$2"
	"${@:3}"
	is_said vanished
	expect_field '.problems[] | select(.code == "vanished") | .message | contains("only the ledger has it")' true
	case $2 in json) comes_back "$1" main a ;; sqlite) comes_back "$1" "$(database main)" "$(database a)" ;; esac
}
both() { "$@" "$(store main)" && "$@" "$(store a)"; }
empty_object() { echo '{}' >"$1"; }
empty_profiles() { echo '{"version":1,"profiles":{}}' >"$1"; }
zero() { : >"$1"; }

vanished files json both rm
vanished agents json eval 'rm -rf "$STATE/agents"'
vanished directory json eval 'rm -rf "$STATE"'
known object json
both empty_object
is_said store_wrong_shape
comes_back object main a
vanished profiles json both empty_profiles
vanished rows sqlite eval 'for d in main a; do sql "$(database $d)" "DELETE FROM auth_profile_store"; done'
vanished databases sqlite eval 'rm -f "$STATE"/agents/*/agent/openclaw-agent.sqlite*'

# Cut to nothing: unread, not empty.
known zero json
both zero
is_said store_unreadable
comes_back zero main a
for format in sqlite shared; do
	known cut$format $format
	[ $format = shared ] && main=shared || main=main
	: >"$(database $main)"
	rm -f "$(database $main)"-wal "$(database $main)"-shm
	is_said store_unreadable
	expect_field '[.problems[] | select(.code == "vanished")] | length' 0
done

# `forget`, as it is shown, ends it.
known gone json
rm -rf "$STATE/agents"
mkdir "$STATE/agents"
keeper status -j
expect_status 3
fix=$(field '.problems[] | select(.code == "vanished") | .fix')
keeper forget "${fix##* }" -j
expect_status 0
expect_field '[.problems[] | select(.code == "vanished")] | length' 0
keeper refresh -q
expect_status 0

# What lives on elsewhere is not lost: under another provider's name, or where its state directory was moved to.
known moved json
mkdir "$HOME/sub" && mv "$STATE" "$HOME/sub/moved"
STATE=$HOME/sub/moved
keeper refresh -j
expect_status 0
expect_generation moved main a
keeper refresh -q
expect_status 0

# A logout that can be seen is none of that: the profile alone is gone from main.
known out json
mint other left=5h
write_store "main" xai:other=other
rm -rf "$STATE/agents/a"
keeper refresh -j
expect_status 0
expect_field '[.problems[] | select(.code == "vanished")] | length' 0

# A state directory that cannot be looked at is not absent.
if [ "$(id -u)" = 0 ] && public_program; then
	umask 022
	known unread json
	chown -R 4242:4242 "$HOME"
	chmod 0 "$STATE"
	OAUTH_KEEPALIVE=$PUBLIC
	UNDER=(setpriv --reuid 4242 --regid 4242 --clear-groups)
	keeper refresh -q
	expect_status 2 3
	[ -s "$err" ] || fail "nothing was said"
	UNDER=()
fi
expect_no_secrets
