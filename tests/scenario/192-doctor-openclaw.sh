#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What openclaw.json makes of the logins is said before it costs anything: keys and orders that keep a login from being used,
# names from before an upgrade, models in an order that is paid for; each is gone once the command that is shown was run.
# (That a real OpenClaw takes these commands: tests/interop/56-doctor.sh.)
. "$(dirname "$0")/lib.sh" || exit 1

# What openclaw's command line does, to the same files.
mkdir "$T/stub"
PATH=$T/stub:$PATH
cat >"$T/stub/openclaw" <<'END'
#!/usr/bin/env python3
import json, os, re, sys
state, words = os.environ["STATE"], sys.argv[1:]
def change(file, path, value):
    document = json.load(open(file)) if os.path.exists(file) else {}
    at = document
    for key in path[:-1]:
        at = at[key] if isinstance(key, int) else at.setdefault(key, {})
    if value is None:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    json.dump(document, open(file, "w"))
def value_of(text):
    try:
        return json.loads(text)
    except ValueError:
        return text
path = [int(part) if part.isdigit() else part for part in re.split(r"[.\[\]]+", words[2].rstrip("]"))]
if words[:2] == ["config", "set"]:
    change(f"{state}/openclaw.json", path, value_of(words[3]))
elif words[:2] == ["config", "unset"]:
    change(f"{state}/openclaw.json", path, None)
elif words[:4] == ["models", "auth", "order", "set"]:
    _, agent, _, provider, *profiles = words[4:]
    change(f"{state}/agents/{agent}/agent/auth-state.json", ["order", provider], profiles)
else:
    sys.exit(1)
END
chmod +x "$T"/stub/*
export STATE

problem() { field ".problems[] | select(.code == \"$1\") | $2"; }
# shellcheck disable=SC2034 # case_of evaluates its words
key='{"type": "api_key", "provider": "xai", "key": "FAKE-KEY-OF-NOBODY"}'
# shellcheck disable=SC2034
openai_key='{"type": "api_key", "provider": "anthropic", "key": "FAKE-KEY-OF-NOBODY-ELSE"}'

start_scripted
fake alice left=5h
fake bob left=5h
fake carol left=5d provider=openai lifetime=10d

# case NAME CODE SEVERITY PROFILES OPENCLAW_JSON [AUTH_STATE [AGENT]]: CODE is found, alone; its command is run, and it is gone.
# shellcheck disable=SC2086 # words
case_of() {
	fresh
	export STATE
	eval "write_store 'main a' $4"
	write_store b
	echo "$5" >"$STATE/openclaw.json"
	[ -z "${6:-}" ] || echo "$6" >"$STATE/agents/${7:-main}/agent/auth-state.json"
	OAUTH_KEEPALIVE_RUN=timer keeper refresh
	keeper doctor -j
	expect_eq "$1" "$(problem "$2" .severity)" "$3"
	expect_eq "$1: besides" "$(field ".problems[] | select(.severity != \"info\" and .code != \"$2\") | .code")" ""
	[ "$3" = warning ] && expect_status 1
	FIX=$(problem "$2" .fix)
	bash -c "$FIX" >"$T/fix.out" 2>&1 || fail "$1: $FIX" "$(cat "$T/fix.out")"
	keeper doctor -j
	expect_eq "$1: after $FIX" "$(field "[.problems[] | select(.severity != \"info\" or .code == \"$2\")] | map(.code) | join(\" \")")" ""
	expect_status 0
}
order_is() { expect_eq "the order" "$(jq -c "$1" "$STATE/openclaw.json")" "$2"; }

both='xai:default=alice xai:key="$key"'
case_of "a key, and no order" api_key_shadows_oauth warning "$both" '{}'
order_is .auth.order.xai '["xai:default"]'
case_of "a key first" api_key_shadows_oauth warning "$both" '{"auth": {"order": {"xai": ["xai:key", "xai:default"]}}}'
order_is .auth.order.xai '["xai:default","xai:key"]'
case_of "a key alone in the order" api_key_shadows_oauth warning "$both" '{"auth": {"order": {"xAI": ["xai:key"]}}}'
order_is '.auth.order | keys' '["xAI"]'
case_of "two logins: none is left out" api_key_shadows_oauth warning "$both xai:work=bob" '{"auth": {"order": {"xai": ["xai:key", "xai:work"]}}}'
order_is .auth.order.xai '["xai:work","xai:default","xai:key"]'
case_of "an order beside the profiles goes first" api_key_shadows_oauth warning "$both" \
	'{"auth": {"order": {"xai": ["xai:default"]}}}' '{"version": 1, "order": {"xai": ["xai:key"]}}'
case_of "… also an agent's own" api_key_shadows_oauth warning "$both" \
	'{"auth": {"order": {"xai": ["xai:default"]}}}' '{"version": 1, "order": {"xai": ["xai:key"]}}' a
case_of "… of an agent that has no login of its own" api_key_shadows_oauth warning "$both" \
	'{"auth": {"order": {"xai": ["xai:default"]}}}' '{"version": 1, "order": {"xai": ["xai:key"]}}' b
case_of "an order that leaves every login out" login_unused warning "xai:default=alice" '{"auth": {"order": {"xai": ["xai:gone"]}}}'
case_of "a model by the provider's old name" provider_renamed warning "openai:default=carol" \
	'{"agents": {"defaults": {"model": "openai-codex/gpt-5"}}}'
order_is .agents.defaults.model '"openai/gpt-5"'
case_of "… as a fallback, of an agent" provider_renamed warning "openai:default=carol xai:default=alice" \
	'{"agents": {"list": [{"id": "a", "model": {"primary": "xai/grok-4", "fallbacks": ["openai-codex/gpt-5"]}}]}}'
order_is '.agents.list[0].model.fallbacks' '["openai/gpt-5"]'
case_of "an order by the old name" provider_renamed warning "openai:default=carol" \
	'{"auth": {"order": {"openai-codex": ["openai-codex:default"]}}}'
order_is .auth.order '{"openai":["openai:default"]}'
case_of "what is metered before what is not" fallback_order info "xai:default=alice anthropic:key=\"\$openai_key\"" \
	'{"agents": {"defaults": {"model": {"primary": "anthropic/opus", "fallbacks": ["other/x", "xai/grok-4"], "timeoutMs": 1}}}}'
order_is .agents.defaults.model '{"primary":"xai/grok-4","fallbacks":["anthropic/opus","other/x"],"timeoutMs":1}'

# ---- a 402 that OpenClaw remembers is explained while it lasts
fresh
export STATE
write_store main xai:default=alice
OAUTH_KEEPALIVE_RUN=timer keeper refresh
for until in 600 -600; do
	jq -n --argjson s $until '{version: 1, usageStats: {"xai:default": {disabledReason: "billing", disabledUntil: ((now + $s) * 1000)},
		"gone": {disabledReason: "billing", disabledUntil: 1e300}}}' >"$STATE/agents/main/agent/auth-state.json"
	keeper doctor -j
	expect_status 0
	expect_eq "until $until" "$(problem billing_cooldown '"\(.severity) \(.profile)"')" "$([ $until -lt 0 ] || echo "info xai:default")"
done

# ---- what is right is not said
while read -r openclaw; do
	fresh
	write_store "main a" xai:default=alice openai-codex:default="$(jq '.provider = "openai-codex"' "$T/logins/carol.json")"
	echo "$openclaw" >"$STATE/openclaw.json"
	OAUTH_KEEPALIVE_RUN=timer keeper refresh
	keeper doctor -j
	expect_status 0
	expect_eq "$openclaw" "$(field '.problems[] | select(.code != "blast_radius") | .code')" ""
done <<'END'
{}
{"agents": {"defaults": {"model": "openai-codex/gpt-5"}}, "auth": {"order": {"openai-codex": ["openai-codex:default"]}}}
{"agents": {"defaults": {"model": {"primary": "xai/grok-4", "fallbacks": ["openai/gpt-5"]}}}}
{"auth": {"order": {"xai": []}}, "agents": {"list": [{"id": "a"}]}}
END
echo '{"meta": {"lastTouchedVersion": "2026.9.6"}}' >"$STATE/openclaw.json"
keeper status -j
expect_field .openclaw_version 2026.9.6
# shellcheck disable=SC2119
expect_no_secrets
