#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a person decides stands: `sync --adopt STORE` makes the login that stands there the live one, exactly that one, or
# says why not and does nothing; whatever the other copies hold, in JSON and in SQLite.
# Long: two dozen decisions.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
copies() { if [ "$FORMAT" = json ]; then write_store "$@"; else write_database "$@"; fi; }
login() { jq -c "${2:-.}" "$T/logins/$1.json"; } # NAME [JQ]
# one LEFT NAME: another login of alice, with so much left of its time.
one() {
	mint alice left="$1"
	mv "$T/logins/alice.json" "$T/logins/$2.json"
}
# The ledger knows two generations: `first`, which is displaced and was never sent (or was, and is spent), and `live`.
begin() {
	fresh
	one 3h first
	if [ "$1" = sent ]; then
		copies "main a b" xai:default=first
		keeper refresh --force -j
		mint alice left=5h
		mv "$T/logins/alice.json" "$T/logins/live.json"
	else
		copies "main a b" xai:default=first
		keeper sync -j
		one 5h live
	fi
	copies "main a b" xai:default=live
	keeper sync -j
	expect_status 0
}
# name KIND: what stands in the store that is named.
name() {
	case $1 in
	live) named=live ;;
	newer) one 330m named ;;
	diverged) one 4h named ;;
	unproven) mint nobody left=4h && login nobody 'del(.email, .accountId) + {access: "FAKE-OPAQUE-ACCESS", refresh: "FAKE-OPAQUE-REFRESH"}' >"$T/logins/named.json" ;;
	unsent | sent) named=first ;;
	foreign | own) mint bob left=4h && mv "$T/logins/bob.json" "$T/logins/named.json" ;;
	ended) login live '.access = "" | .refresh = ""' >"$T/logins/named.json" ;;
	esac
}
other() {
	case $1 in
	none) copies b xai:default=live ;;
	newer) one 350m other && copies b xai:default=other ;;
	older) one 1h other && copies b xai:default=other ;;
	diverged) one 210m other && copies b xai:default=other ;;
	esac
}
cell() { # KIND OTHER
	begin "$1"
	local named=named b
	name "$1"
	other "$2"
	b=$(store_token b)
	if [ "$1" = foreign ]; then # an agent's is an account of its own
		write_store "$HOME/ext.json" xai:default=named
		CONFIG="stores = ( { path = \"$HOME/ext.json\"; format = \"openclaw-json\"; role = \"external\"; } );"
		set -- "$@" "$HOME/ext.json"
	else
		CONFIG=
		copies a xai:default=$named
		set -- "$@" a
	fi
	keeper sync --adopt "$3" --dry-run -j
	local planned
	planned=$(field '.accounts[0] | "\(.decision) \(.generation)"')
	keeper sync --adopt "$3" -j
	expect_eq "$FORMAT $1 $2: the plan is what is done" "$planned" "$(field '.accounts[0] | "\(.decision) \(.generation)"')"
	case $1 in
	sent | foreign | own | ended)
		expect_status 3
		expect_field '.accounts[0].error.code' adopt_refused
		[ "$1" = own ] && expect_eq "$FORMAT $1 $2: bob's stays" "$(store_token a)" "$(login_token named)"
		expect_eq "$FORMAT $1 $2: nothing is written" "$(store_token main) $(store_token b)" "$(login_token live) $b"
		;;
	*)
		expect_status 0
		expect_eq "$FORMAT $1 $2: everywhere" "$(store_token main) $(store_token a) $(store_token b)" \
			"$(login_token $named) $(login_token $named) $(login_token $named)"
		# … and from then on
		keeper sync -j
		expect_status 0
		expect_eq "$FORMAT $1 $2: in the next run" "$(field '.accounts[0].generation')" "$(login_token $named)"
		# Nothing that was replaced is lost.
		expect_eq "$FORMAT $1 $2: kept" "$(for id in "$(login_token live)" "$b"; do
			[ "$id" = "$(login_token $named)" ] || grep -lq "\"fingerprint\":[[:space:]]*\"$id" "$LEDGER"/displaced/* || echo "$id"
		done)" ""
		;;
	esac
	expect_posts "$([ "$1" = sent ] && echo 1 || echo 0)"
}

# A third of them are every kind in both formats, and all that may stand beside; EVERY=1 takes them all.
cells=()
for FORMAT in json sqlite; do
	for kind in live newer diverged unproven unsent sent foreign own ended; do
		for beside in none newer older diverged; do
			cells+=("$FORMAT $kind $beside")
		done
	done
done
for i in $(sample 71 3 0); do
	read -r FORMAT kind beside <<<"${cells[i]}"
	cell "$kind" "$beside"
done
expect_no_secrets
