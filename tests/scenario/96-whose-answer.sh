#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An answer to our own request is taken for somebody else's only if it is, and given up for no fault elsewhere in it;
# what cannot be taken stays in the receipt, the token that it spent is never sent again, and a new login ends the matter.
. "$(dirname "$0")/lib.sh" || exit 1

start_scripted
id=xai:default
jwt() { printf 'eyJhbGciOiJub25lIn0.%s.FAKE' "$(printf %s "$1" | base64 -w0 | tr '+/' '-_' | tr -d =)"; }
claims() { jq -nc --argjson now "$(date +%s)" '$ARGS.named.more + {iat: $now, exp: ($now + 21600)}' --argjson more "$1"; }
openai() { echo "{\"https://api.openai.com/auth\":{\"chatgpt_account_id\":\"acct\",\"chatgpt_user_id\":\"$1\"}}"; }

# login PROVIDER CLAIMS [KEY=VALUE…]: in main and an agent, due.
login() {
	fresh
	id=$1:default
	fake old provider="$1" access="$(jwt "$2")" "${@:3}"
	write_store "main a" "$id=old"
}
# answer NAME ACCESS-CLAIMS [ID-CLAIMS [MORE]]
answer() {
	local more='{}'
	[ -n "${3:-}" ] && more="{\"id_token\":\"$(jwt "$3")\"}"
	answers "{\"tokens\": $(jq -nc --arg access "$(jwt "$(claims "$2")")" --argjson more "$more" \
		"{access_token: \$access, refresh_token: \"FAKE-REFRESH-$1\"} + \$more + ${4:-{\}}")}"
}
taken() { # NAME: by main and agent, in one request
	keeper refresh -j
	expect_status 0
	expect_posts 1
	for agent in main a; do
		expect_eq "$1 in $agent" "$(store_token $agent "$id")" "$(printf 'FAKE-REFRESH-%s' "$1" | sha256sum | cut -c1-12)"
	done
	keeper refresh -j # … and by whom it is belongs to the account from then on
	expect_status 0
	expect_field '[.accounts[].outcome] | join(" ")' unchanged
}

# The id token calls the person by another name than the access token, and the store has no id token.
login openai-codex "$(openai user-ann)"
answer openai "$(openai user-ann)" '{"sub":"google-oauth2|1"}'
taken openai
login xai '{"sub":"pairwise-1"}'
answer subject '{"sub":"pairwise-1"}' '{"sub":"pairwise-2"}'
taken subject

# The next tokens call the person by other names, also when only one of the two is given again.
login xai '{"sub":"pairwise-1"}' idToken="$(jwt '{"sub":"pairwise-2"}')"
answers '{"tokens": {"access_token": "FAKE-ACCESS-opaque", "refresh_token": "FAKE-REFRESH-opaque"}}'
taken opaque
login xai '{"sub":"pairwise-1"}' access=FAKE-ACCESS idToken="$(jwt '{"sub":"pairwise-2"}')"
answer named '{"sub":"pairwise-1"}' '{"sub":"pairwise-2"}'
taken named
due
for agent in main a; do # … and the generation after that goes to all of them, too
	jq '.profiles[].expires = (now * 1000 | floor) + 3600000' "$(store $agent)" >"$T/x" && cat "$T/x" >"$(store $agent)"
done
reset_posts
answer again '{"sub":"pairwise-1","jti":"2"}'
taken again
login openai-codex "{\"sub\":\"auth0|1\",$(openai user-ann | cut -c2-)"
answer plain '{"sub":"auth0|1"}'
taken plain

# An e-mail address is what people change.
login xai '{"sub":"ann","email":"ann@old.example"}' email=ann@old.example
answer email '{"sub":"ann","email":"ann@new.example"}' '{"sub":"ann","email":"ann@new.example"}'
taken email
login openai-codex "$(openai user-ann)" email=ann@old.example accountId=acct
answer email2 "$(openai user-ann)" '{"sub":"google-oauth2|1","email":"ann@new.example"}'
taken email2
login openai-codex "$(openai user-ann)" email=ann@old.example idToken="$(jwt '{"email":"ann@old.example"}')"
answer email3 "$(openai user-ann)" '{"email":"ann@new.example"}'
taken email3

# A display name cut in the middle of an emoji, NUL, another NUL in a name, many levels, a long number.
login xai '{"sub":"ann"}'
deep=$(printf '[%.0s' {1..1200})$(printf ']%.0s' {1..1200})
answers "{\"body\": $(jq -n --arg text "{\"access_token\":\"FAKE-ACCESS-odd\",\"account\":{\"name\":\"Ann \\ud83d\",\"x\\u0000\":\"\\u0000\"},\"deep\":$deep,\"n\":$(printf '1%.0s' {1..100}),\"expires_in\":\"21600\",\"refresh_token\":\"FAKE-REFRESH-odd\"}" '$text')}"
taken odd

# Somebody else's is written nowhere. Its receipt keeps it until a login has taken the place of the token that was sent.
displaced() { grep -lE "\"refresh\":[[:space:]]*\"$1\"" "$LEDGER"/displaced/* 2>/dev/null | wc -l; }
open_receipts() { find "$LEDGER/receipts" -type f | wc -l; }
login xai '{"sub":"ann","email":"ann@example.com"}'
before=$(sum "$(store main)")
answer stranger '{"sub":"bob","email":"bob@example.com"}'
keeper refresh -j
expect_status 3
expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "held identity_mismatch"
expect_untouched "$(store main)" "$before"
size=$(stat -c %s "$LEDGER"/receipts/*)
keeper refresh -j --force
expect_status 3
expect_posts 1
expect_eq "the receipt's size after another run" "$(stat -c %s "$LEDGER"/receipts/*)" "$size"
fake new access="$(jwt "$(claims '{"sub":"ann"}')")" left=5h
write_store main $id=new
keeper refresh -j
expect_status 0
expect_eq "receipts that are open" "$(open_receipts)" 0
expect_eq "the answer in displaced/" "$(displaced FAKE-REFRESH-stranger)" 1
expect_eq "the new login in the agent" "$(store_token a)" "$(login_token new)"

# The same person's answer for another workspace is no answer for this one, whatever else it says.
workspace() { echo "{\"https://api.openai.com/auth\":{\"chatgpt_account_id\":\"$1\",\"chatgpt_user_id\":\"ann\"}}"; }
login openai-codex "$(workspace one)" accountId=one email=ann@example.com idToken="$(jwt '{"sub":"ann"}')"
answer workspace "$(workspace two)" '{"sub":"ann","email":"ann@example.com"}'
keeper refresh -j
expect_status 3
expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "held identity_mismatch"
expect_eq "what main holds" "$(store_token main "$id")" "$(login_token old)"
expect_eq "receipts that keep the answer" "$(open_receipts)" 1

# Granted, and unreadable: held as long as the access token lives, then a login; no time, option or fence sends it again.
login xai '{"sub":"ann"}'
answers '{"body": "{\"access_token\": \"FAKE-ACCESS-x\", \"refresh_token\": \"FAKE REFRESH\"}"}' '{"tokens": {}, "repeat": 0}'
keeper refresh -j
expect_status 3
expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "held unknown_outcome"
change_records '.live.expires_ms = (now * 1000 | floor) + 120000'
for agent in main a; do
	jq --argjson left 120000 '.profiles[].expires = (now * 1000 | floor) + $left' "$(store $agent)" >"$T/x" && cat "$T/x" >"$(store $agent)"
done
for force in "" --force; do
	keeper refresh -j $force
	expect_status 3
	expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "needs_login answer_unreadable"
	expect_field '.accounts[0].error.message | contains("receipts/")' true
done
expect_posts 1
fake new access="$(jwt "$(claims '{"sub":"ann"}')")" left=5h
write_store main $id=new
keeper refresh -j
expect_status 0
expect_posts 1
expect_eq "the new login in the agent" "$(store_token a)" "$(login_token new)"
expect_eq "receipts that are open" "$(open_receipts)" 0
expect_no_secrets
