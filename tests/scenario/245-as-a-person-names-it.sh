#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A store may be named as a person would: by its agent, whatever else is called so where one stands; by any path to it, or
# to its agent's directory. An id may be typed in capitals. Two of them are refused, and nothing is done.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
for name in live named; do
	mint alice left="$([ $name = live ] && echo 5h || echo 4h)"
	mv "$T/logins/alice.json" "$T/logins/$name.json"
done
copies() { if [ "$FORMAT" = json ]; then write_store "$@"; else write_database "$@"; fi; }
path() { if [ "$FORMAT" = json ]; then store "$1"; else database "$1"; fi; }
as() { # STORE: means coder's
	keeper sync --adopt "$1" --dry-run -j
	expect_status 0
	expect_eq "$FORMAT: $1" "$(field '.accounts[0] | "\(.decision) \(.generation)"')" "adopt $(login_token named)"
}
refused() { # REGEX ARG…
	keeper "${@:2}"
	expect_status 2
	expect_match "$err" "$1"
}

for FORMAT in json sqlite; do
	fresh
	copies "main coder writer" xai:default=live
	keeper sync -q
	copies coder xai:default=named
	file=$(path coder)
	mkdir "$HOME/coder" "$HOME/main"
	ln -s "$STATE" "$HOME/link"
	cd "$HOME" || die "no home"
	as coder
	as "$file"
	as ".openclaw${file#"$STATE"}"
	# shellcheck disable=SC2088 # as in --adopt=~/…
	as "~/.openclaw${file#"$STATE"}"
	as "\$HOME/.openclaw${file#"$STATE"}"
	as "$HOME/link${file#"$STATE"}"
	as ".openclaw//agents/./coder/agent/"
	cd "$STATE/agents" || die "no agents"
	as coder
	as coder/
	as ./coder
	cd "$(dirname "$file")" || die "no directory"
	as "$(basename "$file")"
	as .
	cd "$T" || die "no $T"

	refused "did you mean .coder.\?" sync --adopt codre
	refused "no store has this path" sync --adopt "$STATE"
	refused "one store at a time" sync --adopt coder --adopt writer
	refused "one store at a time" sync --follow=coder --follow writer
	refused "one of them" sync --adopt coder --follow writer
	expect_eq "$FORMAT: nothing was done" "$(store_token main) $(store_token coder)" "$(login_token live) $(login_token named)"

	keeper sync --adopt coder --adopt=coder
	expect_status 0
	id=$(login_token live)
	refused "no displaced login has that id" restore "${id:0:11}g"
	keeper restore "${id^^}" -j
	expect_status 0
	# It comes from the ledger, and not from where the one before it was taken.
	expect_field '.accounts[0] | "\(.outcome) \(.generation) \(.adopted_from)"' "adopted $id null"
	expect_eq "$FORMAT: restored" "$(store_token main)" "$id"
	keeper restore
	expect_match "$out" "^$id .* was live$"
done
expect_no_secrets
