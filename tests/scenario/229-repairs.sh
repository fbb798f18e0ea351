#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is found wrong is there before, and gone once the command shown for it was run, word for word as it is shown. (What
# openclaw.json, timers, git, probes and other programs' storage are about: 165, 190 to 193, 228; decisions and the ledger: 83,
# 103, 115.)
. "$(dirname "$0")/sqlite.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

# What the commands call here.
mkdir "$T/stub"
PATH=$T/stub:$PATH
export T LEDGER OAUTH_KEEPALIVE
# shellcheck disable=SC2016
printf '#!/usr/bin/env bash\nexec "$OAUTH_KEEPALIVE" --config "$T/keeper.conf" --ledger-dir "$LEDGER" "$@"\n' >"$T/stub/oauth-keepalive"
# A login in main, as `openclaw models auth login` makes one; `openclaw doctor --fix` clears the old store away.
cat >"$T/stub/openclaw" <<'END'
#!/usr/bin/env bash
main=$HOME/.openclaw/agents/main/agent/auth-profiles.json
case "$*" in
"models auth login"*) mkdir -p "${main%/*}" && jq '{version: 1, profiles: {"xai:default": .}}' "$T/logins/next.json" >"$main" ;;
"doctor --fix") rm "$main" ;;
*) exit 1 ;;
esac
END
printf '#!/bin/sh\n[ "$*" = "set-ntp true" ] && touch "$T/clock-set"\n' >"$T/stub/timedatectl"
chmod +x "$T"/stub/*

severities() { field "[.problems[] | select(.code == \"$1\") | .severity] | unique | join(\" \")"; }
# repaired WHAT CODE SEVERITY [DOCTOR-OPTION…]: alone, its command is run, and nothing is wrong any more.
repaired() {
	local fix
	keeper doctor -j "${@:4}"
	expect_eq "$1" "$(severities "$2")" "$3"
	case $3 in error) expect_status 3 ;; warning) expect_status 1 3 ;; esac # 3: what it keeps from being done
	fix=$(field "[.problems[] | select(.code == \"$2\")][0].fix // \"\"")
	(cd / && bash -c "${fix:-exit 99}") >"$T/runs/fix" 2>&1 || fail "$1: $fix" "$(cat "$T/runs/fix")"
	OAUTH_KEEPALIVE_RUN=timer keeper refresh
	keeper doctor -j "${@:4}"
	expect_eq "$1, after: $fix" "$(field '[.problems[] | select(.severity != "info") | .code] | join(" ")')" ""
	expect_status 0
}
begin() {
	fresh_programs
	mint alice left=5h email=alice@example.com
	cp "$T/logins/alice.json" "$T/logins/next.json"
	write_store "main a" xai:default=alice
	OAUTH_KEEPALIVE_RUN=timer keeper refresh
	expect_status 0
}

start_oidc

# ---- what OpenClaw reads as no profiles: where a login can be saved, it is
while IFS=@ read -r what filter; do
	for agent in main a; do
		begin
		jq "$filter" "$(store $agent)" >"$T/new" && cat "$T/new" >"$(store $agent)"
		repaired "$what, in $agent" store_wrong_shape error
		expect_eq "$what: what stood there" "$(jq -c . "$(store $agent).wrong-shape")" "$(jq -c . "$T/new")"
		case $what in lost*) continue ;; esac
		expect_eq "$what: the login in $agent" "$(store_token $agent)" "$(login_token alice)"
	done
done <<-'END'
	an array@.profiles = [.profiles[]]
	an array with ids@.profiles = [.profiles | to_entries[] | .value + {id: .key}]
	one level too deep@{auth: .}
	… and inside@.profiles = {profiles: .profiles}
	lost: a name that is no word@{"it's": .}
	lost: no object@[.]
	lost: no profiles@{version: 1}
	lost: a number@.profiles = 7
END

# … and neither jq's absence nor a second paste costs anything.
begin
jq '.profiles = [.profiles[]]' "$(store a)" >"$T/was" && cat "$T/was" >"$(store a)"
keeper doctor -j
fix=$(field '[.problems[] | select(.code == "store_wrong_shape")][0].fix')
printf '#!/bin/sh\nexit 127\n' >"$T/stub/jq" && chmod +x "$T/stub/jq"
bash -c "$fix" && fail "repaired without jq"
rm "$T/stub/jq"
expect_eq "without jq" "$(cat "$(store a)")" "$(cat "$T/was")"
bash -c "$fix" || fail "$fix"
bash -c "$fix" && fail "what was kept is written over"
expect_eq "pasted twice" "$(cat "$(store a).wrong-shape")" "$(cat "$T/was")"
expect_eq "the login, still" "$(store_token a)" "$(login_token alice)"

# ---- stores
begin
chmod 644 "$(store a)"
chmod 755 "$HOME" "$STATE" "$STATE/agents" "$STATE/agents/a" "$STATE/agents/a/agent"
chmod 755 "$T"
repaired "others can read it" store_readable warning
chmod 700 "$T"
begin
ln "$(store a)" "$HOME/another-name"
repaired "two names" store_hard_link warning
begin
mkdir -p "$(dirname "$(store 'a[1]')")"
cp -p "$(store a)" "$(store 'a[1]')"
ln "$(store 'a[1]')" "$HOME/yet-another-name"
repaired "two names, one like a pattern" store_hard_link warning
expect_eq "who is a link" "$(find "$STATE" "$HOME/yet-another-name" -type l)" "$HOME/yet-another-name"
begin
rm "$(store a)"
ln -s "$HOME/nowhere" "$(store a)"
repaired "a link to nowhere" store_dangling_link warning
begin
mv "$STATE/agents/main" "$HOME/main"
repaired "main has none" main_missing warning
begin
chmod 666 "$(store a)"
repaired "others can write it" store_unsafe error

# ---- logins
begin
change_records '.grant_expires_ms = ((now + 86400) * 1000 | floor)'
mint alice left=5h email=alice@example.com
cp "$T/logins/alice.json" "$T/logins/next.json"
repaired "it ends tomorrow" login_ends_soon warning

# ---- the clock, by a server's
begin
start_scripted
PROVIDERS="{ name = \"xai\"; token_url = \"$TOKEN_URL\"; probe_url = \"${TOKEN_URL%/*}/read\"; }"
ahead=$(date -u -d '+2 hours' '+%a, %d %b %Y %H:%M:%S GMT')
answers "{\"path\": \"/token\", \"status\": 405, \"headers\": {\"Date\": \"$ahead\"}}" \
	"{\"path\": \"/read\", \"body\": {}, \"headers\": {\"Date\": \"$ahead\"}}" '{"path": "/read", "body": {}}'
repaired "a clock two hours behind" clock warning --probe
[ -e "$T/clock-set" ] || fail "nobody set the clock"
expect_no_secrets
