#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The commands that doctor shows about openclaw.json are taken by a real OpenClaw as they stand, and the findings are gone.
. "$(dirname "$0")/lib.sh" || exit 1
. "$INTEROP/doctor-commands.sh"

start_scripted
check_orders openai-codex

# ---- models
prepare openai:default="$(jq '.provider = "openai"' "$T/logins/carol.json")" xai:default=alice \
	anthropic:key='{"type": "api_key", "provider": "anthropic", "key": "FAKE-KEY-OF-NOBODY"}'
set_json '.agents.defaults.model = {primary: "openai-codex/gpt-5", fallbacks: ["anthropic/opus", "openai-codex/gpt-5-mini"]}'
pasted "a model by its old name" provider_renamed
set_json '.agents.defaults.model = {primary: "anthropic/opus", fallbacks: ["openai-codex/gpt-5-mini", "xai/grok-4"]}'
pasted "a fallback by its old name" provider_renamed
pasted "what is metered before what is not" fallback_order
expect_eq "the models" "$(jq -c .agents.defaults.model "$STATE/openclaw.json")" \
	'{"primary":"openai/gpt-5-mini","fallbacks":["xai/grok-4","anthropic/opus"]}'
tally_right "doctor's commands about models" "taken"
