#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Codex refreshes at the same moment as we do, again and again: whoever loses, nobody loses the login. RACES: how often (5).
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

codex="$TESTS/scenario/codex.py"
"$PYTHON" "$codex" serve "$T/url" &
SERVERS+=($!)
wait_until test -s "$T/url"
read -r TOKEN_URL <"$T/url"

good() { curl -sS "$TOKEN_URL"; }
token() { fingerprint_of "$@"; }
good | jq '{type: "oauth", provider: "openai-codex", access: .access_token, refresh: .refresh_token,
	expires: ((now + 864000) * 1000 | floor), accountId: "acct-fake"}' >"$T/logins/fake.json"
write_store "main a" $ID=fake
write_codex fake
follow codex-cli "$CODEX" $ID 'refresh_token = "share";'
keeper refresh
expect_status 0

# We come second: our answer is "reused", and codex, whose answer is on its way, needs the lock that we hold.
before=$(codex_token)
curl -sS -o /dev/null "${TOKEN_URL%/token}/first/codex"
"$PYTHON" "$codex" refresh "$CODEX" "$TOKEN_URL" >"$T/codex.out" &
pid=$!
has_rotated() { [ "$(good | token .refresh_token)" != "$before" ]; }
wait_until has_rotated
keeper refresh --force -j
wait "$pid"
expect_status 0
expect_eq "codex" "$(cat "$T/codex.out")" committed
expect_field '.accounts[0].outcome' adopted
now=$(good | token .refresh_token)
expect_eq "main" "$(store_token main $ID)" "$now"
expect_eq "codex's token" "$(codex_token)" "$now"

curl -sS -o /dev/null "${TOKEN_URL%/token}/first/nobody"
for race in $(seq "${RACES:-5}"); do
	"$PYTHON" "$codex" refresh "$CODEX" "$TOKEN_URL" >"$T/codex.out" &
	pid=$!
	sleep "0.$((RANDOM % 10))"
	keeper refresh --force -j
	wait "$pid"
	expect_status 0
	echo "$(cat "$T/codex.out") $(field '.accounts[0].outcome')" >>"$T/outcomes"
	keeper refresh # what codex saved after we had looked
	expect_status 0
	now=$(good | token .refresh_token)
	for where in main a; do
		expect_eq "race $race: $where" "$(store_token $where $ID)" "$now"
	done
	expect_eq "race $race: codex" "$(codex_token)" "$now"
	expect_no_match "$T/codex.out" lost
done
echo "# $(sort "$T/outcomes" | uniq -c | tr -s ' \n' ' ')"
expect_no_secrets
