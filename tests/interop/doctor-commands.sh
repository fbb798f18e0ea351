# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034,SC2154 # lib.sh, which the scenarios read first, has the variables
#
# What 56-doctor (JSON) and 67-doctor (SQLite) have in common: doctor's findings about openclaw.json, and the command of each
# run by the real OpenClaw.
#
#	prepare PROFILE=LOGIN…      main's store, where this OpenClaw keeps it; "openclaw" in $T/bin is its command line
#	pasted WHAT CODE            CODE is found, its command is run as it is shown, and it is gone
#	set_json JQ                 change openclaw.json

prepare() {
	fresh
	CALLED_IN=
	write_store main "$@"
	[ -z "${IN_SQLITE:-}" ] || migrated
	openclaw_environment
	mkdir -p "$T/bin"
	printf '#!/bin/bash\nexec %s "$@"\n' "$(printf '%q ' "${ENVIRONMENT[@]}" "$CACHE/node" "$ROOT/openclaw.mjs")" >"$T/bin/openclaw"
	chmod 755 "$T/bin/openclaw"
}

problem() { field ".problems[] | select(.code == \"$1\") | $2"; }

pasted() {
	local fix
	keeper doctor -j
	fix=$(problem "$2" .fix)
	[ -n "$fix" ] || fail "$1: no $2 is found" "$(field '.problems[].code')"
	PATH=$T/bin:$PATH bash -c "$fix" >"$T/fix.out" 2>&1 || fail "$1: OpenClaw $OPENCLAW does not take: $fix" "$(tail -n 5 "$T/fix.out")"
	keeper doctor -j
	expect_eq "$1, after: $fix" "$(problem "$2" .message)" ""
}

set_json() { jq "$1" "$STATE/openclaw.json" >"$T/new" && cat "$T/new" >"$STATE/openclaw.json"; }

check_orders() {
	local key='{"type": "api_key", "provider": "xai", "key": "FAKE-KEY-OF-NOBODY"}'

	fake alice left=5d lifetime=10d
	fake bob left=5d lifetime=10d
	fake carol left=5d lifetime=10d provider="$1"

	prepare xai:default=alice xai:work=bob xai:key="$key" "$1:default=carol"
	pasted "a key, and no order" api_key_shadows_oauth
	expect_eq "the order that OpenClaw has" "$(jq -c .auth.order.xai "$STATE/openclaw.json")" '["xai:default","xai:work"]'
	cli models auth order set --agent main --provider xai xai:key xai:default || fail "order set" "$(cat "$T/cli.err")"
	pasted "an order beside the profiles" api_key_shadows_oauth
	cli models auth order get --agent main --provider xai --json
	expect_eq "the order that OpenClaw has stored" "$(jq -c .order "$cli_out")" '["xai:default","xai:work","xai:key"]'
	set_json '.auth.order.'"$(jq -n --arg p "$1" '$p')"' = ["gone:default"]'
	pasted "an order that leaves a login out" login_unused
	keeper doctor -j
	expect_field .openclaw_version "$OPENCLAW"
	tally_right "doctor's commands about orders" "taken"
}
