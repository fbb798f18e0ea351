#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A running gateway: after a refresh of ours every agent asks the model with the new token, with no restart and no
# request of OpenClaw's own; and where it had given a login up, the notice that we print brings it back.
. "$(dirname "$0")/sqlite.sh" || exit 1

# ---- the gateway

# One that the kernel gives to nobody who asks for any: it starts a little later.
free_port() {
	"$PYTHON" - "$(cut -f1 /proc/sys/net/ipv4/ip_local_port_range)" <<-'END'
		import random, socket, sys
		for port in random.sample(range(10000, max(12000, int(sys.argv[1]))), 1000):
		    try:
		        socket.socket().bind(("127.0.0.1", port))
		    except OSError:
		        continue
		    sys.exit(print(port))
	END
}

# shellcheck disable=SC2317 # by wait_until
gateway_answers() { curl -s -o /dev/null "http://127.0.0.1:$GATEWAY/v1/models" -H "Authorization: Bearer FAKE-GATEWAY"; }

gateway_call() {
	"${ENVIRONMENT[@]}" OPENCLAW_GATEWAY_TOKEN=FAKE-GATEWAY "$CACHE/node" "$ROOT/openclaw.mjs" gateway call "$@" \
		>"$T/call" 2>&1 </dev/null || fail "gateway call $1" "$(tail -5 "$T/call")"
}

# Every agent's model is one of anthropic's; that provider is gateway-model.mjs.
start_gateway() {
	"$CACHE/node" "$INTEROP/gateway-model.mjs" >"$T/model" &
	SERVERS+=($!)
	wait_until test -s "$T/model"
	GATEWAY=$(free_port)
	openclaw_environment
	jq --argjson port "$GATEWAY" --arg model "http://127.0.0.1:$(head -1 "$T/model")" '
		.agents.defaults.model = {primary: "anthropic/claude-sonnet-4-6"}
		| .gateway = {mode: "local", port: $port, bind: "loopback", auth: {mode: "token", token: "FAKE-GATEWAY"},
			http: {endpoints: {chatCompletions: {enabled: true}}}}
		| .models = {providers: {anthropic: {baseUrl: $model, api: "anthropic-messages", models: [{id: "claude-sonnet-4-6",
			name: "a model", contextWindow: 200000, maxTokens: 4096, input: ["text"], reasoning: false,
			cost: {input: 0, output: 0, cacheRead: 0, cacheWrite: 0}}]}}}' "$STATE/openclaw.json" >"$T/openclaw.json"
	mv "$T/openclaw.json" "$STATE/openclaw.json"
	"${ENVIRONMENT[@]}" "NETWORK_CUT=$T/cut" NODE_OPTIONS="--import=$INTEROP/gateway-network.mjs" \
		"$CACHE/node" "$ROOT/openclaw.mjs" gateway run >"$T/gateway.log" 2>&1 </dev/null &
	GATEWAY_PID=$!
	SERVERS+=($!)
	for _ in {1..600}; do
		kill -0 $GATEWAY_PID 2>/dev/null || die "the gateway ended: $(tail -20 "$T/gateway.log")"
		gateway_answers && return
		sleep 0.2
	done
	die "the gateway does not answer: $(tail -20 "$T/gateway.log")"
}

# turn AGENT: a message to it. $answer is the status, $token the fingerprint of what the model was asked with, if it was.
turn() {
	local before
	before=$(wc -l <"$T/model")
	answer=$(curl -s -m 200 -o "$T/turn" -w '%{http_code}' "http://127.0.0.1:$GATEWAY/v1/chat/completions" \
		-H "Authorization: Bearer FAKE-GATEWAY" -H "Content-Type: application/json" \
		-d "{\"model\": \"openclaw/$1\", \"messages\": [{\"role\": \"user\", \"content\": \"how are you?\"}]}")
	token=$(tail -n +$((before + 1)) "$T/model" | tail -1)
	# What it makes up for a model on loopback where it has no credential.
	if [ "$token" = "$(printf custom-local | sha256sum | cut -c1-12)" ]; then
		token=
		answer=401
	fi
}

# ---- main's login, which ops reads through, and one that work made for itself

P=anthropic:default
start_oidc
mint alice left=5d lifetime=10d provider=anthropic
mint dave left=5d lifetime=10d provider=anthropic
write_store main $P=alice
write_store work $P=dave
mkdir -p "$STATE/agents/ops/agent"
migrated
main=$(main_database)
# shellcheck disable=SC2016 # jq's variable
access_of() { document "$(if [ "$1" = work ]; then echo work; else echo "$main"; fi)" | fingerprint_of --arg p $P '.profiles[$p].access'; }

# Up to 2026.7.1 one turn may still be asked with the token that the gateway has in memory; that one lives on.
uses_new_token() {
	local late=0 most=1
	if is_later_than 2026.8.1; then most=0; fi

	turn "$1"
	expect_eq "$1's turn" "$answer" 200
	while [ "$token" != "$(access_of "$1")" ] && [ $late -lt $most ]; do
		late=$((late + 1))
		turn "$1"
		expect_eq "$1's turn" "$answer" 200
	done
	expect_eq "$1's token" "$token" "$(access_of "$1")"
	LATE="$LATE $1:$late"
}

has_no_token() {
	turn "$1"
	expect_eq "$1 asks the model with" "$token" ""
	[ "$answer" != 200 ] || fail "$1's turn: $(cat "$T/turn")"
}

# After a failure OpenClaw leaves the whole provider alone for half a minute, whatever is in its store.
comes_back() {
	for _ in {1..40}; do
		turn "$1"
		[ "$answer" = 200 ] && break
		sleep 2
	done
	uses_new_token "$1"
}

LATE=
keeper refresh --force -j # and now we know both
expect_status 0
expect_posts 2

# ---- main's login expires while no name resolves

expire
touch "$T/cut"
start_gateway
has_no_token main
has_no_token ops
rm "$T/cut"
if is_later_than 2026.9.4; then
	expect_eq "fences" "$(fences)" 1
	has_no_token main # lost, for OpenClaw
fi
expect_posts 2
reset_posts
keeper refresh -j # sends the fenced token; or puts the expiry right, which our ledger knows better
expect_status 0
if is_later_than 2026.9.4; then expect_posts 1; else expect_posts 0; fi
expect_eq "fences" "$(fences)" 0
expect_eq "alice" "$(store_token "$main" $P)" "$(server_token alice)"
if is_later_than 2026.9.4; then
	notice=$(field '.problems[] | select(.code == "gateway_notice") | .fix')
	expect_eq "the notice" "${notice%% --params*}" "openclaw gateway call models.authRefresh"
	eval "gateway_call ${notice#openclaw gateway call }"
fi
comes_back main
comes_back ops

# ---- on any other day

LATE=
reset_posts
keeper refresh --force -j
expect_status 0
expect_posts 2
for agent in main work ops; do uses_new_token $agent; done
expect_posts 2
tally "the gateway has our token, turns with the old one before" "${LATE# }"
expect_eq "alice" "$(store_token "$main" $P)" "$(server_token alice)"
expect_eq "dave" "$(store_token work $P)" "$(server_token dave)"
expect_eq "alice's and dave's grants are alive" "$(control state | jq -c '[.accounts.alice.alive, .accounts.dave.alive]')" "[true,true]"
kill -0 "$GATEWAY_PID" 2>/dev/null || fail "the gateway ended" "$(tail -5 "$T/gateway.log")"
expect_intact
expect_no_secrets
