#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A preview in a shell says what the timer's unit would not see, or could not write: by what its last run noted, and before
# it has run, by the variables that it does not have.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
WHERE=
write_config() {
	{
		echo "$WHERE"
		echo "providers = ( { name = \"xai\"; token_url = \"$TOKEN_URL\"; } );"
	} >"$T/keeper.conf"
}
problem() { field ".problems[] | select(.code == \"$1\") | $2"; }
timer() { OAUTH_KEEPALIVE_RUN=timer keeper refresh "$@"; }
given() { # NAME DIRECTORY
	fresh
	STATE=$2
	mint "$1" left=5h
	write_store "main" xai:default="$1"
}
none() {
	expect_eq "what is said of the unit" "$(problem unit_unseen .code)$(problem unit_not_writable .code)" ""
}

# A variable of this shell alone leads there. The remedy, pasted; or a run, which the ledger remembers.
given alice "$T/elsewhere"
export OPENCLAW_STATE_DIR=$STATE
keeper preview -j
expect_status 0
expect_eq severity "$(problem unit_unseen .severity)" warning
expect_eq message "$(problem unit_unseen .message | grep -c OPENCLAW_STATE_DIR)" 1
WHERE=$(problem unit_unseen .fix | sed 's/name all: //; s/ in oauth.*//')
keeper preview -j
none
unset OPENCLAW_STATE_DIR
keeper preview -j
expect_field '.accounts[0].profile' xai:default
WHERE=
export OPENCLAW_STATE_DIR=$STATE
keeper refresh -j
keeper preview -j
none
unset OPENCLAW_STATE_DIR
timer -j
expect_status 0
expect_field '.accounts[0].profile' xai:default

# Main is where only OPENCLAW_AGENT_DIR leads: a run without it does not take another copy for main.
for variable in OPENCLAW_AGENT_DIR PI_CODING_AGENT_DIR; do
	given "bob$variable" "$T/home$((ROUND + 1))/.openclaw"
	mkdir -p "$HOME/moved"
	mv "$(store main)" "$HOME/moved/"
	write_store "coder" xai:default="bob$variable"
	export $variable="$HOME/moved"
	keeper preview -j
	expect_eq message "$(problem unit_unseen .message | grep -c $variable)" 1
	fix=$(problem unit_unseen "select(.message | contains(\"$variable\")) | .fix")
	keeper refresh -j
	expect_status 0
	unset $variable
	due
	timer -q
	expect_status 3
	expect_posts 0
	WHERE=$(sed 's/name it: //; s/ in oauth.*//' <<<"$fix")
	timer -j
	expect_status 0
	expect_posts 1
	expect_generation "bob$variable" "$HOME/moved/auth-profiles.json" coder
	WHERE=
done

# The timer's last run noted what it saw: a store that it did not see, one that it could not have written.
given carol "$T/home$((ROUND + 1))/.openclaw"
mkdir -p "$T/far/agent"
timer -j
expect_status 0
keeper preview -j
none
echo "{ \"agents\": { \"list\": [ { \"id\": \"far\", \"agentDir\": \"$T/far/agent\" } ] } }" >"$STATE/openclaw.json"
write_store "$T/far/agent/auth-profiles.json" xai:default=carol
keeper status -j
expect_eq store "$(problem unit_unseen .store)" "$T/far/agent/auth-profiles.json"
timer -j
keeper status -j
none
if [ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null; then
	UNDER=(env OAUTH_KEEPALIVE_RUN=timer unshare -m sh -c 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"' "$T/far")
	keeper refresh -j
	UNDER=()
	keeper preview -j
	expect_eq severity "$(problem unit_not_writable .severity)" warning
	expect_eq store "$(problem unit_not_writable .store)" "$T/far/agent/auth-profiles.json"
	timer -j
	keeper preview -j
	none
else
	not_shown "a sandbox: that takes root and a mount namespace"
fi
expect_no_secrets
