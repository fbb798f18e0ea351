#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# doctor --probe asks each token endpoint whether it is there, and each login's own API whether the access token works, and
# tells 401, 402, 403 and 429 apart. It spends nothing, writes nothing, and the token goes to that API and nowhere else.
. "$(dirname "$0")/lib.sh" || exit 1

mkdir "$T/stub"
PATH=$T/stub:$PATH
export T LEDGER OAUTH_KEEPALIVE
# shellcheck disable=SC2016
printf '#!/usr/bin/env bash\nexec "$OAUTH_KEEPALIVE" --config "$T/keeper.conf" --ledger-dir "$LEDGER" "$@"\n' >"$T/stub/oauth-keepalive"
chmod +x "$T"/stub/*

start_scripted
BASE=${TOKEN_URL%/*}
xai="{ name = \"xai\"; token_url = \"$TOKEN_URL\"; probe_url = \"$BASE/read\"; }"
everything() { find "$HOME" -type f -exec sha256sum {} + | sort; }
problem() { field ".problems[] | select(.code == \"$1\") | $2"; }
# probe [STATUS]: asked, with nothing changed and nothing spent.
probe() {
	local before posts
	before=$(everything)
	posts=$(posts)
	keeper doctor --probe -j
	expect_eq "files after a probe" "$(everything)" "$before"
	expect_eq "token requests of a probe" "$(posts)" "$posts"
	[ $# -eq 0 ] || expect_status "$1"
}
# read_as JSON: what the API answers to the next read.
read_as() { answers "$(jq -c '. + {path: "/read"}' <<<"$1")"; }
# asked PATH JQ: of the last request there
asked() { control state | jq -r "[.requests[] | select(.path == \"$1\")][-1] | $2"; }

PROVIDERS=$xai
fake alice left=5h
write_store "main a b" xai:default=alice
OAUTH_KEEPALIVE_RUN=timer keeper refresh
expect_status 0

# ---- it works; and what was sent
read_as '{"status": 200, "body": {"data": []}}'
probe 0
expect_field '.accounts[0].probe | "\(.result) \(.http_status)"' "alive 200"
expect_field '.endpoints | map(.result) | join(" ")' reachable
expect_field '.accounts[0].last_proven_at != null' true
control state | jq '.requests' >"$T/requests.json"
expect_eq "methods" "$(jq -r 'map(.method) | unique | join(" ")' "$T/requests.json")" GET
expect_eq "who was told the access token" \
	"$(jq -r 'map(select(.headers.Authorization)) | map(.path) | unique | join(" ")' "$T/requests.json")" /read
expect_eq "and how" "$(asked /read .headers.Authorization)" "Bearer FAKE-ACCESS-alice"
expect_eq "all that is said there" "$(asked /read '.headers | keys | join(" ")')" "Accept Authorization Host User-Agent"
expect_eq "all that is said to the endpoint" "$(asked /token '.headers | keys | join(" ")')" "Accept Host User-Agent"
expect_eq "once, for three copies" "$(jq '[.[] | select(.path == "/read")] | length' "$T/requests.json")" 1
grep -q FAKE-REFRESH "$T/requests.json" && fail "a refresh token was sent"
read_as '{"status": 200, "body": {}}'
keeper doctor --probe
expect_status 0
expect_match "$out" 'xai:default +alive +http://.*/read: HTTP 200'
expect_match "$out" 'endpoint +reachable +http://.*/token: HTTP 404'

# ---- what else an API says: answer, code, severity, exit status
while IFS='|' read -r answer code severity expected; do
	read_as "$answer"
	probe "$expected"
	expect_eq "$answer" "$(problem "$code" .severity)" "$severity"
	expect_eq "besides $code" "$(field ".problems[] | select(.severity != \"info\" and .code != \"$code\") | .code")" ""
	read_as '{"status": 200, "body": {}}'
	probe 0
done <<-'END'
	{"status": 402, "body": {"error": {"type": "payment_required", "message": "Your membership benefits are used up."}}}|payment_required|error|3
	{"status": 403, "body": {"error": {"type": "permission_error", "message": "Your organization does not allow this."}}}|plan_gate|error|3
	{"status": 403, "body": "<html>blocked</html>"}|probe_unclear|warning|1
	{"status": 403, "headers": {"cf-mitigated": "challenge"}, "body": "<html>just a moment</html>"}|probe_unclear|warning|1
	{"status": 429, "headers": {"Retry-After": "600"}, "body": {"error": "rate_limited"}}|rate_limited|warning|1
	{"status": 500, "body": {}}|probe_unclear|warning|1
	{"status": 302, "headers": {"Location": "/elsewhere"}}|probe_unclear|warning|1
	{"cut": "before"}|probe_unclear|warning|1
END
expect_eq "requests that followed a redirect" "$(control state | jq '[.requests[] | select(.path == "/elsewhere")] | length')" 0

# ---- 401, and the command that mends it
read_as '{"status": 401, "body": {"error": {"code": "token_invalidated", "message": "FAKE-ACCESS-alice is no token of ours"}}}'
probe 3
expect_eq "login_refused" "$(problem login_refused .severity)" error
fix=$(problem login_refused .fix)
answers "{\"path\": \"/token\", \"body\": $(tokens new)}"
bash -c "$fix" >"$T/fix.out" 2>&1 || fail "$fix" "$(cat "$T/fix.out")"
read_as '{"status": 200, "body": {}}'
probe 0
expect_eq "with the new one" "$(asked /read .headers.Authorization)" "Bearer FAKE-ACCESS-new"

# ---- a clock that is not the servers'
ahead=$(date -u -d '+2 hours' '+%a, %d %b %Y %H:%M:%S GMT')
answers "{\"path\": \"/token\", \"status\": 405, \"headers\": {\"Date\": \"$ahead\"}}"
read_as "{\"status\": 200, \"body\": {}, \"headers\": {\"Date\": \"$ahead\"}}"
probe 1
expect_match "$out" "this machine's clock is (1h59m|2h) behind 127.0.0.1's"

# ---- endpoints that are not reached: which way
while IFS='|' read -r url code; do
	PROVIDERS="{ name = \"xai\"; token_url = \"$url\"; probe_url = \"$BASE/read\"; }"
	CONFIG='http = { connect_timeout = "5s"; deadline = "10s"; };'
	read_as '{"status": 200, "body": {}}'
	probe 3
	expect_eq "$url" "$(problem endpoint_unreachable .severity)" error
	expect_field '.endpoints[0].message | split(":")[0]' "$code"
done <<-END
	http://127.0.0.1:9/token|connect
	https://nobody.invalid/token|dns
	${BASE/http:/https:}/token|tls
END
CONFIG=

# ---- an endpoint that is discovered: the document, then what it names; only in the provider's domain
PROVIDERS="{ name = \"xai\"; discovery_url = \"$BASE/.well-known\"; probe_url = \"$BASE/read\"; }"
while IFS='|' read -r endpoint expected results; do
	answers "$(jq -nc --arg url "$endpoint" '{path: "/.well-known", body: {token_endpoint: $url}}')"
	read_as '{"status": 200, "body": {}}'
	probe "$expected"
	expect_field '.endpoints | map(.result) | join(" ")' "$results"
done <<-END
	$TOKEN_URL|0|reachable reachable
	https://elsewhere.example/token|3|unreachable
END

# ---- who is not asked, and that it is said
before=$(control state | jq '[.requests[] | select(.path == "/read")] | length')
PROVIDERS="{ name = \"xai\"; token_url = \"$TOKEN_URL\"; }" # whose tokens they are then nobody knows: the preset's API is not told
probe 0
expect_eq "not_probed" "$(problem not_probed .severity)" info
PROVIDERS=$xai
CONFIG='exclude = ( "xai:*" );'
probe 0
CONFIG=
expect_field '.accounts[0].probe.result' not_probed
change_records '.live.expires_ms = ((now - 60) * 1000 | floor)'
for agent in main a b; do
	jq '.profiles["xai:default"].expires = ((now - 60) * 1000 | floor)' "$(store $agent)" >"$T/new" && cat "$T/new" >"$(store $agent)"
done
probe
expect_field '.accounts[0].probe.message' "its access token has expired"
expect_eq "reads" "$(control state | jq '[.requests[] | select(.path == "/read")] | length')" "$before"
keeper status --probe
expect_status 2

# shellcheck disable=SC2119
expect_no_secrets
