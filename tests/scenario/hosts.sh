# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # lib.sh has what is not here, and uses what is not used here
#
# Several hosts: each is a home with a state directory and a ledger of its own.
#
#	login_on a "main coder"         the server, and alice's login in these stores of a, which knows it
#	like a b                        b's stores are what a's are, as somebody copied them
#	hand a b [--release]            export there, import here; then on b, with $status of the import
#	export_from a FILE [OPTION…]    the document; import_to b FILE [OPTION…]

on() {
	HOST=$1
	export HOME=$T/$1
	STATE=$HOME/.openclaw LEDGER=$HOME/ledger
	mkdir -p "$STATE/agents"
}

login_on() {
	# shellcheck disable=SC2119
	start_oidc
	mint alice left=5h email=alice@example.com
	on "$1"
	write_store "$2" xai:default=alice
	keeper refresh
	expect_status 0
}

like() {
	on "$2"
	cp -a "$T/$1/.openclaw/agents/." "$STATE/agents/"
}

export_from() {
	on "$1"
	keeper export xai:default "${@:3}"
	mv "$out" "$2"
	: >"$out" # what it says by its own wish is no leak
}

import_to() {
	on "$1"
	keeper_command import "${@:3}"
	"${COMMAND[@]}" <"$2" >"$out" 2>"$err"
	status=$?
	echo "$status" >"$T/runs/$RUN.status"
}

hand() {
	export_from "$1" "$T/document" "${@:3}"
	expect_status 0
	import_to "$2" "$T/document"
}

# expect_ownership HOST ours|follows|released
expect_ownership() {
	on "$1"
	keeper status -j xai:default
	expect_field '.accounts[0].ownership' "$2"
}
