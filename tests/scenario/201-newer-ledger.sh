#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a newer version of the program wrote into the ledger is refused with a message, file by file: nothing of it is
# changed, removed or written over, and nothing is sent for the login that it is about. It may become newer in mid-run, too.
. "$(dirname "$0")/lib.sh" || exit 1

everything() { (cd "$HOME" && find .openclaw ledger -type f ! -name '*.lock' -exec sha256sum {} + | sort -k 2); }
# Two logins that are due: xai:one, which the ledger knows, and xai:two. One displaced login, a history, a failure.
state() {
	fresh
	fake one left=10m
	fake two left=10m
	fake late left=3h
	write_store "main a" xai:one=one xai:two=two
	answers "{\"body\": $(tokens one-2)}, {\"body\": $(tokens two-2)}"
	keeper refresh
	expect_status 0
	write_store b xai:one=late
	keeper refresh
	due
	reset_posts
}
newer_json() { sed -i -E 's/("v(ersion)?":[[:space:]]*)[0-9]+/\199/' "$1"; }
record() { grep -l xai:one "$LEDGER"/accounts/*.json; }
one_is_held() { # and the other goes on
	answers "{\"body\": $(tokens "$RUN")}"
	keeper refresh -j
	expect_status 3
	expect_field '.accounts[] | select(.profile != "xai:two") | .outcome' held
	expect_field '.accounts[] | select(.profile == "xai:two") | .outcome' refreshed
	expect_posts 1
	expect_field '[.problems[] | select(.code == "ledger_newer") | .severity, .fix] | join(": ")' "error: install that version again"
}
start_scripted

# The ledger as a whole: no command writes anything, and each says why.
state
newer_json "$LEDGER/ledger.json"
everything >"$T/before"
for command in refresh "refresh --force" preview status sync "sync --follow b" "sync --adopt b" restore "restore 1234" \
	"forget xai:one" "forget xai:one --force" own log doctor "token xai:one"; do
	# shellcheck disable=SC2086
	keeper $command
	cat "$out" >>"$err"
	case $command in own) expect_status 1 2 3 ;; *) expect_status 3 ;; esac
	expect_match "$err" "written by a newer version of this program"
	expect_eq "what $command changed" "$(everything | diff "$T/before" -)" ""
done
expect_posts 0

# An account, and a receipt.
state
newer_json "$(record)"
cp "$(record)" "$T/newer"
one_is_held
expect_untouched "$LEDGER/accounts/$(basename "$(record)")" "$(sum "$T/newer")"

state
receipt_of() { echo "$LEDGER/receipts/$(jq -r .live.fingerprint "$(record)")"; }
receipt=$(receipt_of)
printf 'receipt 2 {"accounts":[]}\nof a form that nobody knows yet\n' >"$receipt"
cp "$receipt" "$T/newer"
one_is_held
expect_untouched "$receipt" "$(sum "$T/newer")"
for command in "refresh --force" "refresh --last-try" "sync --adopt b" "forget xai:one --force"; do
	# shellcheck disable=SC2086
	keeper $command xai:one
	expect_status 2 3
	expect_untouched "$receipt" "$(sum "$T/newer")"
done
expect_posts 1

# A displaced login: only that version can restore it.
state
kept=$(echo "$LEDGER"/displaced/*.json)
newer_json "$kept"
cp "$kept" "$T/newer"
keeper restore
cat "$out" >>"$err"
expect_match "$err" "newer version of this program, and only that one can restore it"
keeper restore "$(login_token late)"
expect_status 2 3
keeper refresh
expect_untouched "$kept" "$(sum "$T/newer")"

# What is remembered for people.
state
for file in counts events; do newer_json "$LEDGER/log/$file"; done
answers '{"status": 400, "body": {"error": "invalid_grant"}}'
cp "$LEDGER/log/counts" "$T/counts"
cp "$LEDGER/log/events" "$T/events"
lines=$(wc -l <"$T/events")
keeper log
expect_match "$err" "newer version of this program: $lines, not shown"
echo '{"version":99,"new":true}' >"$LEDGER/log/open"
cp "$LEDGER/log/open" "$T/open"
keeper refresh
expect_status 1 3
for file in counts open; do expect_untouched "$LEDGER/log/$file" "$(sum "$T/$file")"; done
expect_eq "events of the newer version" "$(head -n "$lines" "$LEDGER/log/events" | sha256sum)" "$(sha256sum <"$T/events")"
keeper log
expect_match "$out" needs_login

# In mid-run: what was sent before is kept in its receipt, and that version finishes it.
state
answers "{\"held\": true, \"body\": $(tokens one-3)}"
receipt=$(receipt_of)
start_keeper refresh xai:one
wait_until eval '[ "$(jq ".posts" <<<"$(control state)")" -gt "$POSTS_BEFORE" ]'
newer_json "$LEDGER/ledger.json"
release_answer
wait_keepers
expect_eq "exit status" "$statuses" 1
expect_match "$err" "written by a newer version of this program"
expect_match "$receipt" '^answered '
expect_no_match "$(record)" FAKE-REFRESH-one-3
sed -i 's/"version":.*99/"version": 2/' "$LEDGER/ledger.json" # that version, for all that this one knows
stop_couriers
keeper refresh xai:one
expect_status 0
expect_posts 1
expect_match "$(store main)" FAKE-REFRESH-one-3

expect_no_secrets
