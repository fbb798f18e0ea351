#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An agent that has another person's login goes back to main's, by the command that identity_split shows, and gets its own
# back by the one that undoes it: ids, client and all, never a mixture, and nothing of either is lost. An entry that names
# somebody else beside the account's own token is put right by the command that identity_conflict shows.
# Long: both formats, and killed at some steps.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
copies() { if [ "$FORMAT" = json ]; then write_store "$@"; else write_database "$@"; fi; }
profile_of() { # AGENT: all that stands there
	if [ "$FORMAT" = json ]; then cat "$(store "$1")"; else document "$1"; fi | jq -S '.profiles["xai:default"]'
}
login_as() { jq -c "$2" "$T/logins/$1.json" >"$T/login" && mv "$T/login" "$T/logins/$3.json"; } # NAME JQ NEW
pasted() { eval "keeper ${1#oauth-keepalive } -j"; }                  # as it is shown, the comment too
shown() { field "[.problems[] | select(.code == \"$1\")][0].fix | split(\" #\")[0]"; }
undo_of() { field "[.accounts[].displaced[] | select(.generation == \"$1\")][0].undo"; }

# main was alice's, and all agents'; then carol logged in there.
split() {
	fresh
	CONFIG=
	mint alice left=5h
	login_as alice '. + {accountId: "acct-alice", displayName: "Alice"}' alice
	copies "main a b" xai:default=alice
	keeper sync -j
	mint carol left=5h
	login_as carol '. + {accountId: "acct-carol"}' carol
	copies main xai:default=carol
	keeper sync -j
	expect_eq "$FORMAT: kept apart" "$(store_token a) $(store_token b)" "$(login_token alice) $(login_token alice)"
}
whole() { # AGENT NAME: the entry is that login's, and has nothing of anybody else's
	expect_eq "$FORMAT: the token in $1 is $2's" "$(store_token "$1")" "$(login_token "$2")"
	expect_eq "$FORMAT: $1 is $2's, all of it" "$(profile_of "$1" | jq -c '[.email, .accountId, .userId]')" \
		"$(jq -c '[.email, .accountId, .userId]' "$T/logins/$2.json")"
	expect_eq "$FORMAT: who else is named" "$(profile_of "$1" | jq '[.. | strings] | map(ascii_downcase) | any(contains("'"$3"'"))')" false
}

for FORMAT in json sqlite; do
	# All of them, as it is shown; then back, all of them, by what the output says.
	split
	fix=$(shown identity_split)
	expect_eq "$FORMAT: what is shown" "$fix" "oauth-keepalive sync --follow all xai/xai:default@alice@example.com"
	eval "keeper ${fix#oauth-keepalive } --dry-run -j"
	expect_status 0
	expect_eq "$FORMAT: only planned" "$(store_token a)" "$(login_token alice)"
	planned=$(field '[.accounts[] | .copies[] | select(.planned) | .agent] | sort | join(" ")')
	pasted "$fix"
	expect_status 0
	expect_eq "$FORMAT: as planned" "$(field '[.accounts[] | .copies[] | select(.written) | .agent] | sort | join(" ")')" "$planned"
	for agent in a b; do whole $agent carol alice; done
	undo=$(undo_of "$(login_token alice)")
	expect_eq "$FORMAT: undo" "$undo" "oauth-keepalive restore $(login_token alice)"
	keeper sync -j
	expect_status 0
	expect_field '[.problems[].code] | join(" ")' ""
	expect_field '[.accounts[] | .copies[].state] | unique | .[]' current
	pasted "$undo"
	expect_status 0
	keeper sync -j
	expect_status 0
	expect_eq "$FORMAT: carol's stays" "$(store_token main)" "$(login_token carol)"
	for agent in a b; do whole $agent alice carol; done

	# One of two: the other goes on with the login, which lives.
	split
	keeper sync --follow b alice@example.com -j
	expect_status 0
	whole b carol alice
	whole a alice carol
	keeper refresh --force -j
	expect_status 0
	expect_posts 2
	expect_generation alice a
	expect_generation carol main b

	# A login that an agent made for itself, and the answer to a refresh of it is lost in no way.
	fresh
	mint alice left=5h
	mint bob left=5h
	login_as bob '. + {clientId: "bobs-client"}' bob
	copies "main a" xai:default=alice
	copies b xai:default=bob
	keeper sync -j
	expect_status 0
	keeper sync --follow b
	expect_status 0
	whole b alice bob
	expect_match "$out" "undo: oauth-keepalive restore $(login_token bob) \(.*\)$"
	keeper sync -j
	keeper restore "$(login_token bob)"
	expect_status 0
	whole b bob alice
	expect_eq "$FORMAT: its client, too" "$(profile_of b | jq -r .clientId)" bobs-client
	keeper refresh --force -j
	expect_status 0
	expect_generation bob b
	expect_generation alice main a
	# … and what was sent since is spent.
	keeper sync --follow b -j
	expect_status 0
	keeper refresh --force -j
	expect_generation alice main a b
	keeper restore "$(login_token bob)" -j
	expect_status 3
	expect_field '.accounts[0].error.code' adopt_refused

	# To adopt it for all is refused, with the reason; named as what it is, it is live already.
	mint bob left=5h
	copies b xai:default=bob
	keeper sync -j
	keeper sync --adopt b xai:default -j
	expect_status 3
	expect_field '[.accounts[] | select(.identity.email == "alice@example.com") | .error.message] | .[]' "the login there belongs to another identity, bob@example.com"
	keeper sync --adopt b bob@example.com -j
	expect_status 0
	whole b bob alice

	# What stands there meanwhile is not overwritten for it: somebody logs in again as bob.
	fresh
	mint alice left=5h
	mint bob left=5h
	copies "main a" xai:default=alice
	copies b xai:default=bob
	keeper sync -j
	keeper sync --follow b -j
	mint carol left=5h
	copies b xai:default=carol
	keeper restore "$(login_token bob)" -j
	expect_status 3
	whole b carol alice

	# An entry says that it is somebody else's.
	for agent in a main; do
		fresh
		mint alice left=5h
		login_as alice '.userId = "u-alice"' alice
		login_as alice '.userId = "u-eve" | .email = "eve@example.com"' eve
		copies "main a" xai:default=alice
		keeper sync -j
		copies $agent xai:default=eve
		keeper sync -j
		expect_status 3
		fix=$(shown identity_conflict)
		pasted "$fix"
		expect_status 0
		whole $agent alice eve
		keeper sync -j
		expect_status 0
		expect_field '[.problems[].code] | join(" ")' ""
	done
done

# Refused: where nothing is to follow, where more belongs to the login than we know of, where its refresh is not finished.
FORMAT=json
fresh
mint alice left=5h
mint bob left=5h
write_store "main a" xai:default=alice
login_as bob '. + {projectId: "bobs-project"}' bob
write_store b xai:default=bob
keeper sync -j
keeper sync --follow b -j
expect_status 3
expect_match "$out" "has more fields that belong to its login"
whole b bob alice
login_as bob 'del(.projectId)' bob
write_store b xai:default=bob
write_store main other:x='{"type": "api_key", "provider": "other", "key": "FAKE-KEY-FAKE-KEY"}'
keeper sync --follow b -j
expect_status 3
expect_field '[.accounts[] | .error.code // ""] | any(. == "adopt_refused")' true
whole b bob alice
write_store main xai:default=alice
keeper sync --adopt main -j
change_records 'if .own_login then .live.expires_ms = ((now + 600) * 1000 | floor) else . end'
hold_answer
start_keeper refresh -j bob@example.com
wait_until eval '[ "$(($(posts) - POSTS_BEFORE))" = 1 ]'
kill -9 "${STARTED[0]%:*}"
stop_couriers
wait_keepers
release_answer
keeper sync --follow b -j --wait 0
expect_status 3
expect_match "$out" "is not finished"
whole b bob alice

# Killed at any step, it is the one or the other, and the next try is whole.
fresh
mint alice left=5h
mint bob left=5h
write_store "main a" xai:default=alice
write_store b xai:default=bob
keeper sync -j
for step in $(kill_steps 8); do
	UNDER=(strace -f -qq -o /dev/null -e inject=fsync:signal=KILL:when="$step")
	keeper sync --follow b -j
	UNDER=()
	keeper sync -j
	case $(store_token b) in
	"$(login_token alice)") whole b alice bob ;;
	*) whole b bob alice ;;
	esac
	keeper sync --follow b xai:default -j
	whole b alice bob
	keeper sync -j
	expect_status 0
	keeper restore "$(login_token bob)" -j
	expect_status 0
	whole b bob alice
done
expect_no_secrets
