#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What was displaced comes back: each decision can be undone by the command it shows, the login works again, and one that
# was sent is refused. A login that gives way without anybody's decision is said, with the command.
# Long: killed at some steps.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
login() { jq -c "${2:-.}" "$T/logins/$1.json"; } # NAME [JQ]
one() { mint alice left="$1" && mv "$T/logins/alice.json" "$T/logins/$2.json"; }
everywhere() { expect_eq "$1 in main, a and b" "$(store_token main) $(store_token a) $(store_token b)" "$(login_token "$1") $(login_token "$1") $(login_token "$1")"; }
begin() {
	fresh
	one 4h first
	one 3h second
	one 5h third
	write_store "main a b" xai:default=first
	keeper sync -j
	write_store a xai:default=second
}

# The wrong one was adopted: what the output says undoes it, and the undoing can be undone. Both are alive.
begin
keeper restore
expect_status 0
expect_match "$out" "^no displaced login is kept$"
keeper sync --adopt a --dry-run
expect_match "$out" "would displace $(login_token first), which is live$"
keeper sync --adopt a
everywhere second
expect_match "$out" "^ +undo: oauth-keepalive restore $(login_token first)$"
keeper restore -j
expect_field '.kept[] | "\(.id) \(.profile) \(.store) \(.may_come_back)"' "$(login_token first) xai:default null true"
keeper restore
expect_match "$out" "^$(login_token first) .* xai:default .* live$"
undo=$(login_token first)
keeper restore "$undo" --dry-run -j
everywhere second
keeper restore "${undo:0:5}" -j
expect_status 0
expect_field '.accounts[0].outcome' adopted
expect_field '.accounts[0].displaced[] | .generation' "$(login_token second)"
everywhere first
keeper restore "$undo" -j
expect_status 0
expect_field '.accounts[0].outcome' unchanged
keeper restore "$(login_token second)"
everywhere second
keeper refresh --force -j
expect_status 0
expect_posts 1
[ "$(store_token b)" != "$(login_token second)" ] || fail "what came back is refreshed"

# What was sent since does not come back: the second is spent now.
keeper sync -j
keeper restore "$(login_token first)" -j
expect_status 0
keeper restore "$(login_token second)" -j
expect_status 3
expect_eq "nothing is done" "$(store_token main)" "$(login_token first)"
keeper refresh --force -j
expect_status 0
keeper restore "$(login_token first)" -j
expect_status 3
expect_field '.accounts[0].error.code' adopt_refused
keeper restore -j
expect_field '[.kept[] | select(.id == "'"$(login_token first)"'") | .may_come_back] | unique | .[]' false

# A copy of the displaced one, put back by hand from a backup, is repaired; named, it comes back.
begin
keeper sync --adopt a
write_store main xai:default=first
keeper sync -j
everywhere second
write_store main xai:default=first
keeper sync --adopt main -j
expect_status 0
everywhere first
keeper sync -j
everywhere first

# Killed at any of its steps: the next run is whole, and the login can still be chosen.
begin
keeper sync --adopt a
everywhere second
for step in $(kill_steps 12); do
	UNDER=(strace -f -qq -o /dev/null -e inject=fsync:signal=KILL:when="$step")
	keeper restore "$(login_token first)" -j
	UNDER=()
	keeper sync -j
	expect_eq "killed at fsync $step: one login everywhere" "$(store_token main) $(store_token b)" "$(store_token a) $(store_token a)"
	keeper restore "$(login_token first)" -j
	expect_status 0
	everywhere first
	keeper restore "$(login_token second)" -j
	everywhere second
done

# A person's login that is older than ours gives way: said once, also under -q, with the command that brings it back.
fresh
one 5h third
write_store "main a b" xai:default=third
keeper sync -j
one 4h fourth
write_store b xai:default=fourth
keeper refresh -q
expect_status 0
everywhere third
expect_match "$err" "^warning \[login_displaced\] .*/b/"
expect_match "$err" "fix: oauth-keepalive restore $(login_token fourth)$"
keeper refresh -q
expect_no_match "$err" login_displaced
keeper restore "$(login_token fourth)"
expect_status 0
everywhere fourth

# Scraps under the wrong spelling are no login: refused, with what they would displace, unless forced.
fresh
one 5h third
write_store "main a" xai:default=third
write_store b xai:default='{"type": "oauth", "provider": "xai", "access_token": "a", "refresh_token": "b", "expires_at": 1}'
keeper sync -j
keeper sync --adopt b -j
expect_status 3
expect_field '.accounts[0].error.code' adopt_refused
expect_match "$out" "would replace the live login $(login_token third)"
expect_eq main "$(store_token main)" "$(login_token third)"
keeper sync --adopt b --force
expect_status 0
expect_match "$out" "undo: oauth-keepalive restore $(login_token third)"
keeper restore "$(login_token third)"
everywhere third

# One that is damaged is said, and the others are there all the same.
echo "{" >"$(find "$LEDGER/displaced" -name '*.json' | head -1)"
keeper restore -j
expect_status 0
expect_field '[.problems[].code] | unique | .[]' displaced_unreadable
expect_field '.kept | length > 0' true

# An account that has no login there: said, with what there is. And ids that are none.
write_store c other:x='{"type": "api_key", "provider": "other", "key": "FAKE-KEY-FAKE-KEY"}'
keeper sync --adopt c xai:default -j
expect_status 3
expect_match "$out" "holds no login of it; it holds: other:x"
printf '{' >"$(store c)"
keeper sync --adopt c -j
expect_status 3
expect_match "$out" "c cannot be read"
expect_field '[.problems[].code] | unique | map(select(. != "displaced_unreadable")) | join(" ")' store_unreadable
write_store c other:x='{"type": "api_key", "provider": "other", "key": "FAKE-KEY-FAKE-KEY"}'
for id in 123 zzzz ffffffffffff; do
	keeper restore $id
	expect_status 2
done

# Accounts of one name are told apart, by whose they are, by agent, by id; what matches nothing says which there are.
fresh
mint carol left=5h
mint dave left=5h
write_store main xai:default=carol
write_store d xai:default=dave
keeper sync -j
for name in dave@example.com xai/xai:default@dave@example.com d; do
	keeper status -j "$name"
	expect_status 0
	expect_field '[.accounts[].identity.email] | join(" ")' dave@example.com
done
keeper status -j xai
expect_field '.accounts | length' 2
keeper status nobody@example.com
expect_status 2
expect_match "$err" "there are:"
expect_match "$err" "xai:default  carol@example.com"
expect_no_secrets
