#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A mistake in the configuration is said with file, line and setting; nothing is done, exit status 2.
. "$(dirname "$0")/lib.sh" || exit 1

start_scripted
fake alice left=30m
write_store main xai:default=alice
bad() { # LINE WORD TEXT: the error names this line and this word
	printf '%b\n' "$3" >"$T/bad.conf"
	keeper_command refresh
	"$OAUTH_KEEPALIVE" --config "$T/bad.conf" --state-dir "$STATE" --ledger-dir "$LEDGER" refresh >"$out" 2>"$err"
	status=$?
	expect_status 2
	expect_eq "standard output" "$(cat "$out")" ""
	grep -qE -- "bad\.conf:$1\b.*$2" "$err" || fail "${3//\\n/ ⏎ }" "is:    $(head -1 "$err")" "shall: …bad.conf:$1: …$2…"
}

bad 1 'margim' 'margim = "2h";'
bad 2 'margin' '\nmargin = 7200;'
bad 1 'margin' 'margin = "2 parsecs";'
bad 1 'margin' 'margin = "133%";'
bad 1 'margin' 'margin = "-1h";'
bad 3 '' 'margin = "2h";\n\nmargin = ;'
bad 1 'timer_period' 'timer_period = 3000000000;'
bad 1 'fence' 'fence = "ignore";'
bad 1 'deadline' 'http = { deadline = "61s"; };'
bad 1 'timeout' 'http = { timeout = "5s"; };'
bad 2 'token_url' 'providers = (\n{ name = "corp"; token_url = "http://login.example/token"; client_id = "x"; } );'
bad 1 'token_url' 'providers = ( { name = "corp"; token_url = "https://user@login.example/t"; client_id = "x"; } );'
bad 1 'token_url' 'providers = ( { name = "corp"; token_url = "ftp://127.0.0.1/t"; client_id = "x"; } );'
bad 1 'name' 'providers = ( { token_url = "https://login.example/token"; } );'
bad 1 'encoding' 'providers = ( { name = "xai"; encoding = "xml"; } );'
bad 1 'rotates' 'providers = ( { name = "xai"; rotates = "yes"; } );'
bad 1 'providers' 'providers = { name = "xai"; };'
bad 1 'format' 'stores = ( { path = "~/x.json"; format = "yaml"; } );'
bad 1 'path' 'stores = ( { format = "openclaw-json"; } );'
bad 1 'role' 'stores = ( { path = "~/x.json"; format = "openclaw-json"; role = "king"; } );'
bad 1 'exclude' 'exclude = "personal:*";'
bad 1 'hooks' 'hooks = "reload";'
bad 1 'hooks.refreshed' 'hooks = { refreshed = 7; };'
bad 1 'hooks.reloaded' 'hooks = { reloaded = "true"; };'
bad 1 'hooks.timeout' 'hooks = { timeout = "2m"; };'
bad 1 'metrics_file' 'metrics_file = "metrics.prom";'
bad 1 'names no endpoints' 'cluster = { prefix = "/x/"; };'

# Usage errors too, and a configuration that is not there.
for args in "refersh" "refresh --att +1h" "refresh --wait soon" "refresh --wait=" "refresh --at 2020-01-01T00:00:00Z" "status --state-dir=" "refresh no-such-account" "preview --at yesterday" ""; do
	# shellcheck disable=SC2086
	keeper $args
	expect_status 2
	expect_eq "standard output of '$args'" "$(cat "$out")" ""
done
keeper status --check
expect_match "$err" 'status takes no --check'
keeper_command refresh
"$OAUTH_KEEPALIVE" -c "$T/none.conf" refresh >"$out" 2>"$err"
status=$?
expect_status 2
expect_match "$err" none.conf
expect_posts 0
[ ! -e "$LEDGER" ] || fail "a ledger was made"

# A ledger that cannot be read is said to be just that, in the document, too; nothing is spent.
mkdir -m 700 "$LEDGER"
echo "{" >"$LEDGER/ledger.json"
keeper refresh -j
expect_status 3
expect_posts 0
expect_field '[.problems[].code] | join(" ")' ledger_unreadable
expect_eq "what it says" "$(cat "$LEDGER/ledger.json")" "{"
