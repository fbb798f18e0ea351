#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The commands that doctor shows about openclaw.json are taken by a real OpenClaw as they stand, and the findings are gone;
# also about an order that stands in its databases, and one by the name that a provider had before the import.
# (Those about models are 56-doctor's: with its plugins off this OpenClaw knows no model, and takes none.)
. "$(dirname "$0")/sqlite.sh" || exit 1
. "$INTEROP/doctor-commands.sh"
IN_SQLITE=yes
tally_right() { if [ "$FAILED" = 0 ]; then tally "$@"; else tally "$1" "NOT: $FAILED expectations failed"; fi; }

start_scripted
check_orders openai
set_json 'del(.auth.order.openai) | .auth.order["openai-codex"] = ["openai-codex:default"]'
pasted "an order by the old name" provider_renamed
expect_eq "the order" "$(jq -c '.auth.order | del(.xai)' "$STATE/openclaw.json")" '{"openai":["openai:default"]}'
