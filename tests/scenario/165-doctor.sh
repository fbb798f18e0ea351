#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# doctor says what is wrong around the logins, each with where, why and the command that mends it: it is there before, and
# once that command was run it is not. 3 with an error, 1 with warnings only, 0 when nothing is wrong. It changes nothing.
. "$(dirname "$0")/lib.sh" || exit 1

# What a `fix` calls, on this machine of ours.
mkdir "$T/stub"
PATH=$T/stub:$PATH
export T STATE LEDGER OAUTH_KEEPALIVE
# shellcheck disable=SC2016
printf '#!/usr/bin/env bash\nexec "$OAUTH_KEEPALIVE" --config "$T/keeper.conf" --ledger-dir "$LEDGER" "$@"\n' >"$T/stub/oauth-keepalive"
# shellcheck disable=SC2016
printf '#!/usr/bin/env bash\n[ "$1" = config ] || { touch "$T/login-asked"; exit; }\njq --arg path "$3" --argjson to "$4" '\''setpath($path / "."; $to)'\'' "$STATE/openclaw.json" >"$T/new" && cat "$T/new" >"$STATE/openclaw.json"\n' >"$T/stub/openclaw"
chmod +x "$T"/stub/*

problem() { field ".problems[] | select(.code == \"$1\") | $2"; }
everything() { find "$HOME" -type f -exec sha256sum {} + | sort; }
# finds CODE SEVERITY STATUS: that alone, in both forms, and nothing is changed by asking. Its fix is then $FIX.
finds() {
	local before
	before=$(everything)
	keeper doctor -j
	expect_eq "$1" "$(problem "$1" .severity)" "$2"
	expect_status "$3"
	expect_eq "what is wrong besides $1" "$(field ".problems[] | select(.severity != \"info\" and .code != \"$1\") | .code")" ""
	FIX=$(problem "$1" '.fix // ""')
	keeper doctor
	expect_status "$3"
	expect_match "$out" "\[$1\]"
	expect_eq "files after doctor" "$(everything)" "$before"
}
mend() { bash -c "$FIX" >"$T/fix.out" 2>&1 || fail "the fix fails: $FIX" "$(cat "$T/fix.out")"; }
clean() {
	keeper doctor -j
	expect_eq "what is wrong" "$(field '.problems[] | select(.severity != "info") | .code, .message')" ""
	expect_status 0
	keeper doctor
	expect_status 0
	expect_match "$out" "nothing is wrong"
}

# shellcheck disable=SC2119
start_oidc
mint alice left=5h email=alice@example.com
write_store "main a b" xai:default=alice
echo '{}' >"$STATE/openclaw.json"

# ---- the timer (191-doctor-timer)
OAUTH_KEEPALIVE_RUN=timer keeper refresh
clean
expect_match "$out" "1 login kept"
units=$T/home1/.config/systemd/user
mkdir -p "$units/timers.target.wants"
cp "$TESTS/../systemd/user/oauth-keepalive.timer" "$units"
ln -s ../oauth-keepalive.timer "$units/timers.target.wants"

# ---- the user's own timer ends with the session
if [ "$(id -u)" = 0 ] && [ -d /var/lib/systemd ] && unshare -m true 2>/dev/null; then
	mkdir -p "$T/systemd/linger"
	# shellcheck disable=SC2016
	UNDER=(unshare -m sh -c 'mount --bind "$0" /var/lib/systemd && exec "$@"' "$T/systemd")
	finds linger_off warning 1
	expect_eq "the fix" "$FIX" "loginctl enable-linger root"
	touch "$T/systemd/linger/root" # what that does
	clean
	UNDER=()
else
	not_shown "linger: it takes root, unshare(1) and /var/lib/systemd"
fi
rm -r "${T:?}/home1/.config"

# ---- a copy that has drifted
due
OAUTH_KEEPALIVE_RUN=timer keeper refresh
write_store b xai:default=alice # what somebody kept
finds copy_behind warning 1
mend
expect_generation alice main a b
clean

# ---- an API key beside a login: which one the order prefers
key='{"type": "api_key", "provider": "xai", "key": "FAKE-KEY-OF-NOBODY"}'
jq --argjson key "$key" '.profiles["xai:key"] = $key' "$(store main)" >"$T/new" && cat "$T/new" >"$(store main)"
cat "$T/new" >"$(store a)"
finds api_key_shadows_oauth warning 1
expect_match "$out" "no order in openclaw.json says"
mend
clean
echo '{"auth": {"order": {"xai": ["xai:key", "xai:default"]}}}' >"$STATE/openclaw.json"
finds api_key_shadows_oauth warning 1
expect_match "$out" "order prefers that"
mend
clean

# ---- tracked by git
if command -v git >/dev/null; then
	git -C "$T/home1" init -q
	touch "$STATE/auth-profiles.json.md"
	git -C "$T/home1" add "$STATE/auth-profiles.json.md"
	clean
	git -C "$T/home1" add "$(store a)"
	finds store_in_git error 3
	mend
	clean
	rm -rf "${T:?}/home1/.git"
else
	not_shown "a store in git: it is not installed"
fi

# ---- a lock that a dead process left
mkdir -p "$STATE/locks/oauth-refresh"
true &
gone=$!
wait $gone
for lock in "$STATE/locks/oauth-refresh/sha256-0.lock" "$(store b).lock"; do
	echo "{\"pid\": $gone, \"createdAt\": \"2026-01-01T00:00:00.000Z\"}" >"$lock"
	finds lock_orphaned warning 1
	expect_match "$out" "process $gone"
	mend
	[ -e "$lock" ] && fail "the lock is still there"
done
echo "{\"pid\": $$, \"createdAt\": \"$(date -u +%FT%T.000Z)\"}" >"$STATE/locks/oauth-refresh/sha256-0.lock"
clean # its holder lives
rm "$STATE/locks/oauth-refresh/sha256-0.lock"

# ---- what is no fault is a note
set_openclaw() { jq "$1" "$STATE/openclaw.json" >"$T/new" && cat "$T/new" >"$STATE/openclaw.json"; }
set_openclaw '.meta.lastTouchedVersion = "2026.9.6"'
clean
keeper doctor -j
expect_eq "openclaw_untested" "$(problem openclaw_untested .code)" ""
set_openclaw '.meta.lastTouchedVersion = "2027.1.2"'
clean
keeper doctor -j
expect_eq "openclaw_untested" "$(problem openclaw_untested .severity)" info
expect_eq "blast_radius" "$(problem blast_radius .message | cut -c1-30)" "3 agents depend on this login;"

# ---- a login that is lost, and the model that is used in its place
set_openclaw '.agents.defaults.model = {primary: "xai/grok", fallbacks: ["openai/gpt"]}'
clean
for agent in main a; do jq 'del(.profiles["xai:key"])' "$(store $agent)" >"$T/new" && cat "$T/new" >"$(store $agent)"; done # it would do instead
due
control revoke '{"account": "alice"}' >/dev/null
OAUTH_KEEPALIVE_RUN=timer keeper refresh
expect_status 3
keeper doctor -j
expect_status 3
expect_eq "outcome" "$(field ".accounts[0].outcome")" needs_login
expect_eq "fallback_in_use" "$(problem fallback_in_use .severity)" warning
FIX=$(problem fallback_in_use .fix)
mend
[ -e "$T/login-asked" ] || fail "the fix asks for no login: $FIX"
mint alice left=5h email=alice@example.com
write_store "main a b" xai:default=alice
OAUTH_KEEPALIVE_RUN=timer keeper refresh
clean

# ---- one account's own
keeper doctor nobody
expect_status 2
keeper doctor xai:default
expect_status 0
# shellcheck disable=SC2119
expect_no_secrets
