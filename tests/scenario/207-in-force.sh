#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# config says what is in force and where it comes from, providers the same of each provider: by the file and line, also of
# an included file, by the environment, by an option, built in, or default. No secret is in it, nor anything that drives a
# terminal; nothing is sent, written or locked.
. "$(dirname "$0")/lib.sh" || exit 1

fake alice left=5h
write_store main xai:default=alice
mkdir -p "$HOME/.config/oauth-keepalive"
conf=$HOME/.config/oauth-keepalive/oauth-keepalive.conf
cat >"$conf" <<END
margin = "2h";
http = { deadline = "30s"; };
@include "more.conf"
exclude = ( "kimi:*", "b" );
stores = ( { path = "$T/codex.json"; format = "codex-cli"; account = "openai-codex:default"; refresh_token = "share"; } );
hooks = { failed = "true"; };
END
cat >"$HOME/.config/oauth-keepalive/more.conf" <<END
// a comment
providers = (
  { name = "XAI"; margin = "33%"; client_secret_file = "$T/client-secret";
    headers = ( "X-Agent-Key: FAKE-HEADER-SECRET" ); },
  { name = "corp"; token_url = "https://login.corp.example/oauth/token"; client_id = "agents"; } );
END
echo FAKE-CLIENT-SECRET >"$T/client-secret"
chmod 600 "$conf" "$HOME/.config/oauth-keepalive/more.conf" "$T/client-secret"

bare() { # WORD…: as a person runs it
	keeper_command
	"$OAUTH_KEEPALIVE" "$@" >"$out" 2>"$err" </dev/null
	status=$?
	echo "$status" >"$T/runs/$RUN.status"
	echo "$*" >"$T/runs/$RUN.args"
}
of() { jq -r ".settings[] | select(.setting == \"$1\") | \"\(.value) < \(.from)\"" "$out" | paste -sd' '; }
provider() { jq -r ".providers[] | select(.name == \"$1\") | .settings[] | select(.setting == \"$2\") | \"\(.value) < \(.from)\"" "$out"; }

bare config -j
expect_status 0
expect_eq config "$(of config)" "$conf < default"
expect_eq margin "$(of margin)" "2h < $conf:1"
expect_eq http.deadline "$(of http.deadline)" "30s < $conf:2"
expect_eq http.connect_timeout "$(of http.connect_timeout)" "10s < default"
expect_eq exclude "$(of exclude)" "kimi:* < $conf:4 b < $conf:4"
expect_eq stores "$(of stores)" "$T/codex.json (codex-cli) < $conf:5"
expect_eq providers "$(of providers)" "xai < ${conf%/*}/more.conf:3 corp < ${conf%/*}/more.conf:5"
expect_eq hooks.failed "$(of hooks.failed)" "true < $conf:6"
expect_eq hooks.refreshed "$(of hooks.refreshed)" "null < default"
expect_eq fence "$(of fence)" "recover < default"
expect_eq state_dirs "$(of state_dirs)" "$STATE < default"
# Every setting that the manual has, also those of sections; what belongs to an entry of a list is in no row of its own here.
settings=$(awk '/^\.Sh SETTINGS/ { on = 1; next } /^\.Sh / { on = 0 }
	on && /^\.Bl/ { depth++ } on && /^\.El/ { depth-- }
	on && /^\.It Ic / { sub(/^\.It Ic /, ""); n = split($0, names, / , /)
		if (depth == 1) section = names[1]
		for (i = 1; i <= n; i++) if (depth == 1) print names[i]
			else if (section != "providers" && section != "stores" && section != "cluster") print section "." names[i] }' \
	"$TESTS/../man/oauth-keepalive.conf.5")
[ "$(wc -l <<<"$settings")" -ge 20 ] || fail "found too few settings in the manual" "$settings"
for name in $settings; do
	jq -e --arg n "$name" '.settings | any(.setting == $n or (.setting | startswith("\($n).")))' "$out" >/dev/null ||
		fail "config does not show $name"
done

OPENCLAW_STATE_DIR=$STATE bare config -j state_dirs
expect_eq "by the environment" "$(of state_dirs)" "$STATE < environment OPENCLAW_STATE_DIR"
bare --state-dir "$STATE" --ledger-dir "$LEDGER" -c "$conf" config -j
expect_eq "by an option, state_dir" "$(of state_dir)" "$STATE < option --state-dir"
expect_eq "by an option, ledger_dir" "$(of ledger_dir)" "$LEDGER < option --ledger-dir"
expect_eq "by an option, config" "$(of config)" "$conf < option --config"
XDG_CONFIG_HOME=$HOME/.config bare config -j config
expect_eq "by XDG_CONFIG_HOME" "$(of config)" "$conf < environment XDG_CONFIG_HOME"

bare providers -j
expect_status 0
expect_eq "providers" "$(jq '.providers | length' "$out")" "$(($(grep -c '^[[:blank:]]*\.name = ' "$TESTS/../src/provider/presets.c") + 1))"
expect_eq xai.margin "$(provider xai margin)" "33% < ${conf%/*}/more.conf:3"
expect_eq xai.lifetime "$(provider xai lifetime)" "6h < built in"
expect_eq xai.headers "$(provider xai headers)" "Accept, X-Agent-Key < ${conf%/*}/more.conf:4"
expect_eq corp.client_id "$(provider corp client_id)" "agents < ${conf%/*}/more.conf:5"
expect_eq corp.lifetime "$(provider corp lifetime)" "null < default"
expect_eq "aliases" "$(jq -r '.providers[] | select(.name == "openai-codex") | .aliases[]' "$out")" openai

bare config
expect_match "$out" '^margin +2h +~/.config/oauth-keepalive/oauth-keepalive.conf:1$'
bare config http
expect_eq "a section" "$(wc -l <"$out")" 4
bare providers xai
expect_match "$out" '^xai$'
expect_match "$out" '^    discovery_url +https://auth.x.ai/.* built in$'
expect_no_match "$out" 'client_id +-'
bare config margn
expect_status 2
expect_match "$err" 'no setting is called margn; did you mean `margin`\?'
bare config htpt
expect_match "$err" 'did you mean `http`\?'
bare providers $'x\033[31mai'
expect_status 2
expect_no_match "$err" $'\033'
[ ! -e "$HOME/.local/state" ] || fail "a ledger was made"
expect_no_match <(cat "$T"/runs/*) 'FAKE-(HEADER|CLIENT)-SECRET'
expect_no_secrets
