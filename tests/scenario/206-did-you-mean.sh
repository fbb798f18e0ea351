#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Who mistypes the name of a command, an option, an account or a setting is told which one is close; and only if one is.
. "$(dirname "$0")/lib.sh" || exit 1

said() { # WHAT WORD…: standard error of the run, which is a usage error
	keeper "${@:2}"
	expect_status 2
	expect_match "$err" "$1"
}
said 'unknown command: statsu; did you mean `status`\?' statsu
said 'unknown command: PREVEIW; did you mean `preview`\?' PREVEIW
said 'unknown command: ref; did you mean `refresh`\?' ref
said 'unknown option: --wach; did you mean `--watch`\?' status --wach
said 'unknown option: --adpot=x; did you mean `--adopt`\?' sync --adpot=x
said 'unknown command: frobnicate \(try' frobnicate
said 'unknown option: --frobnicate \(try' status --frobnicate
said 'unknown command: .x1B.31mx \(try' $'\033[31mx'

start_scripted
fake alice left=5h email=alice@example.com
fake bob left=20m provider=openai-codex email=bob@example.com
write_store "main coder" xai:default=alice openai-codex:bob@example.com=bob
answers "{\"body\": $(tokens 1)}"
keeper refresh
said 'no account matches xai:defualt; did you mean `xai:default`\?' status xai:defualt
said 'there are:' status xai:defualt
said 'did you mean `xai/xai:default`\?' status xai/xai:defaul
said 'did you mean `alice@example.com`\?' refresh alcie@example.com
said 'did you mean `coder`\?' preview codre
said 'did you mean `openai-codex`\?' status opanai-codex
said 'no account matches mallory$' status mallory
keeper log bob@exmaple.com
expect_match "$err" 'the log has nothing about bob@exmaple.com; did you mean `bob@example.com`\?'
keeper log bob@example.com
expect_eq "standard error" "$(cat "$err")" ""

CONFIG='magin = "2h";' said '`magin`: unknown setting \(did you mean `margin`\?\); known here: state_dir' status
CONFIG='hooks = { refershed = "true"; };' said '`hooks.refershed`: unknown setting \(did you mean `refreshed`\?\)' status
PROVIDERS='{ name = "xia"; margin = "2h"; }' said 'correct the name \(did you mean `xai`\?\)' status
CONFIG='nonsense = 1;' said '`nonsense`: unknown setting; known here' status

# Hundreds are not all listed.
fresh
mapfile -t pairs < <(for i in $(seq 50); do
	echo "xai:person-$i={\"type\":\"oauth\",\"provider\":\"xai\",\"access\":\"FAKE-ACCESS-of-$i\",\"refresh\":\"FAKE-REFRESH-of-$i\"}"
done)
write_store main "${pairs[@]}"
said 'did you mean `xai:person-44`\?' status xai:persn-44
expect_match "$err" '^oauth-keepalive:   and 30 more: oauth-keepalive status$'
expect_no_secrets
