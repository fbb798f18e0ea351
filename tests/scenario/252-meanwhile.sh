#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A run at whose end something is left that was not there before is no failure: what another run is in the middle of it waits
# for; what nobody is at, because a person has just logged in, it writes itself. What it did itself, it says all the same.
. "$(dirname "$0")/lib.sh" || exit 1

hold() { printf '{"pid": %d, "createdAt": "%s"}' $$ "$(date -u +%FT%T.000Z)" >"$(store "$1").lock"; }
asked() { [ "$(posts)" -gt "$before" ]; }
written() { [ "$(store_token work)" = "$(login_token alice)" ] && [ ! -e "$(store work).lock" ]; }

# log_in AGENT LOGIN: as OpenClaw writes it, beside what is there.
log_in() {
	jq --slurpfile new "$T/logins/$2.json" '.profiles["xai:default"] = $new[0]' "$(store "$1")" >"$T/new" &&
		cat "$T/new" >"$(store "$1")"
}

# begin: a run that waits for bob's answer, and has seen that nothing is to be done for alice; then she logs in again.
begin() {
	fresh
	mint alice left=5h email=a@example.org
	mint bob left=30m email=b@example.org
	write_store "main work" xai:default=alice xai:bob=bob
	write_store hers xai:default=alice
	keeper sync
	expect_status 0
	before=$(posts)
	hold_answer
	start_keeper refresh -v -j --wait 3m
	slow=${STARTED[0]}
	wait_until asked
	mint alice left=6h email=a@example.org
	log_in main alice
}
outcome_of() { jq -r ".accounts[] | select(.profile == \"$1\") | \"\\(.outcome) \\(.error.code)\"" "$T/runs/${slow#*:}.out"; }

start_oidc

# Nobody is at it.
begin
release_answer
wait_keepers
expect_eq "exit status" "$statuses" 0
expect_eq "of alice" "$(outcome_of xai:default)" "adopted null"
expect_eq "of bob" "$(outcome_of xai:bob)" "refreshed null"
expect_generation alice main work hers
expect_posts 1

# Another run is: one store is left to it, which is locked by somebody.
begin
hold hers
start_keeper refresh xai:default --wait 3m
other=${STARTED[1]%%:*}
wait_until written
stop_process "$other"
release_answer
waits() { grep -q 'another run works on this account' "$T/runs/${slow#*:}.err" || has_ended "${slow%%:*}"; }
wait_until waits
rm "$(store hers).lock"
kill -CONT "$other"
wait_keepers
expect_eq "exit statuses" "$statuses" "0 0"
expect_eq "of alice" "$(outcome_of xai:default)" "unchanged null"
expect_eq "of bob" "$(outcome_of xai:bob)" "refreshed null"
expect_generation alice main work hers
expect_posts 1
expect_no_secrets
