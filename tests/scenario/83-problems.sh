#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Every state that a person should know of is said: its code, how grave it is, the exit status, and a fix that mends it.
. "$(dirname "$0")/sqlite.sh" || exit 1

# shows CODE SEVERITY STATUS FIX: `status` and `refresh` say it, end with that status, and advise that.
shows() {
	local command said
	said="[.problems[] | select(.code == \"$1\")]"
	for command in status refresh; do
		keeper $command -j
		expect_status "$3"
		expect_eq "$1: how grave, in $command" "$(field "$said | map(.severity) | unique | join(\" \")")" "$2"
		fix=$(field "$said | .[0].fix // \"nothing\"")
		[[ $fix =~ $4 ]] || fail "$1: what $command advises" "is:    $fix" "shall: $4"
	done
	keeper refresh
	expect_match "$err" "^$2 \[$1\]"
}

silent() { # CODE
	keeper status -j
	expect_field "[.problems[] | select(.code == \"$1\")] | length" 0
}

# mends CODE: the fix is a command, and run as it stands there it does.
oauth-keepalive() { keeper "$@"; }
mends() {
	status=0
	eval "$fix" || status=$?
	expect_status 0
	silent "$1"
}

start_scripted
state() { # CONFIGURATION [LEFT]: a fresh home, in which main and a hold one login
	CONFIG=$1
	fresh
	fake alice left="${2:-5h}" email=alice@example.com
	write_store "main a" xai:default=alice
}

# ---- copies

# Older than the login that was adopted, but not than the one before: it may have been saved beside the other.
state "" 3h
keeper refresh
fake later left=5h email=alice@example.com
write_store main xai:default=later
keeper refresh
fake between left=4h email=alice@example.com
write_store "odd's" xai:default=between
shows copy_diverged error 3 "^oauth-keepalive sync --follow .*odd.*/auth-profiles\.json'? .*--adopt .*odd"
mends copy_diverged
expect_eq "main, after the fix" "$(store_token main)" "$(login_token later)"

# A copy that says nothing of whose it is.
state ""
fake nameless left=5h
write_store b xai:default=nameless
shows copy_unproven warning 0 '^oauth-keepalive sync --follow .*/agents/b/agent/auth-profiles\.json'
mends copy_unproven
expect_eq "b, after the fix" "$(store_token b)" "$(store_token main)"

# Somebody else's, in a store that is no agent's.
state 'stores = ( { path = "~/elsewhere.json"; role = "external"; } );'
fake carol left=5h email=carol@example.com
write_store "$HOME/elsewhere.json" xai:default=carol
before=$(sum "$HOME/elsewhere.json")
shows copy_foreign warning 0 .
expect_untouched "$HOME/elsewhere.json" "$before"

state ""
write_store b xai:default="$(jq -c '.access = 7' "$T/logins/alice.json")"
shows credential_unreadable error 3 "^openclaw models auth login .* # or correct the entry"

# One refresh token under two providers; and under a name that is excluded.
state "" 30m
write_store main xai:default=alice openai:other="$(jq -c '.provider = "openai"' "$T/logins/alice.json")"
shows shared_token error 3 "own login"
state 'exclude = ( "xai:out" );' 30m
write_store main xai:default=alice xai:out=alice
shows shared_token error 3 "exclude"

# OpenClaw gave up a login that we never had.
state ""
rm -r "$STATE/agents"
write_database shared xai:default="$(fence alice failed)"
shows copy_fenced error 3 '^openclaw models auth login --provider xai$'

# ---- times

# Of tokens that live for ten days `doctor --fix` of 2026.9.4 and later refreshes, and may lose, what has a day left.
for ERA in 2026.9.6 2026.8.1; do
	state ""
	rm -r "$STATE/agents"
	fake codex left=9d provider=openai-codex
	write_database shared openai-codex:default=codex
	for margin in 2h 24h 25h ""; do
		CONFIG=${margin:+"margin = \"$margin\";"}
		case $ERA/$margin in
		2026.9.6/2h | 2026.9.6/24h) shows margin_short warning 0 'margin = "25h"' ;;
		*) silent margin_short ;;
		esac
	done
done
ERA=2026.9.6

state 'margin = "5h";' 5h
answers "{\"body\": $(tokens 1)}"
shows margin_too_long warning 0 'shorter `margin`'
silent timer_too_slow

state 'timer_period = "10m";'
fake moon left=14m provider=minimax-portal email=alice@example.com
write_store main minimax-portal:default=moon
shows timer_too_slow warning 0 '`timer_period`'
CONFIG='timer_period = "1m";'
silent timer_too_slow

# The login itself ends, as an answer or the configuration tells: said from three days before.
for hours in 73 71; do
	PROVIDERS="{ name = \"xai\"; token_url = \"$TOKEN_URL\"; grant_lifetime = \"${hours}h\"; }"
	state "" 30m
	answers "{\"body\": $(tokens "$hours")}"
	keeper refresh
	[ $hours = 71 ] || silent login_ends_soon
done
shows login_ends_soon warning 0 '^openclaw models auth login --provider xai$'
PROVIDERS=

# Nobody says when the token ends, an answer neither: an hour is assumed. (A record of before that knows nothing.)
PROVIDERS="{ name = \"corp\"; token_url = \"$TOKEN_URL\"; client_id = \"x\"; }"
state ""
write_store main corp:default='{"type":"oauth","provider":"corp","access":"FAKE-ACCESS-c","refresh":"FAKE-REFRESH-c"}'
rm -r "$STATE/agents/a"
answers "{\"body\": $(tokens b '{"expires_in": null}')}"
keeper refresh
silent expiry_unknown
change_records '.live.expires_ms = 0'
shows expiry_unknown warning 0 '`lifetime`.* or run `oauth-keepalive refresh --force`'
PROVIDERS=${PROVIDERS/client_id/lifetime = \"1h\"; client_id}
fix="oauth-keepalive refresh --force"
answers "{\"body\": $(tokens d)}"
mends expiry_unknown
PROVIDERS=

# ---- stores and directories

state 'stores = ( { path = "~/a.json"; } );'
shows store_missing warning 0 .
ln -s "$HOME/nowhere.json" "$HOME/a.json"
shows store_dangling_link warning 0 .
mv "$STATE" "$HOME/away"
STATE=
shows no_state_dir error 3 '`state_dir` in oauth-keepalive.conf, or --state-dir'
keeper status -j --state-dir "$HOME/away"
expect_field '[.accounts[].profile] | join(" ")' xai:default

# Gone while the answer is on its way: nobody could check the stores. It lands once they are back.
state "" 30m
answers "{\"body\": $(tokens landed), \"held\": true}"
reset_posts
start_keeper refresh -j --wait 0
# shellcheck disable=SC2317
was_sent() { [ "$(posts)" -gt "$POSTS_BEFORE" ]; }
wait_until was_sent
mv "$STATE" "$HOME/away"
release_answer
wait_keepers
expect_status 3
expect_field '.problems[] | "\(.severity) \(.code) \(.fix)"' 'error stores_unseen oauth-keepalive status'
mv "$HOME/away" "$STATE"
keeper refresh
expect_eq "a, once it is back" "$(jq -r '.profiles["xai:default"].refresh' "$(store a)")" FAKE-REFRESH-landed
expect_posts 1

state ""
echo "not JSON" >"$(store a)"
shows store_unreadable error 3 .
echo '{"version": 1, "profiles": []}' >"$(store a)"
shows store_wrong_shape error 3 .

# Agents that cannot all be listed are unread, not gone: nothing is sent for those that were seen, and none is main. (Only
# root sees which directory a process that cannot be dumped reads.)
if [ "$(id -u)" = 0 ] && strace -qq -e inject=getpid:signal=SIGCONT:when=1 -o /dev/null true 2>/dev/null; then
	for call in 1 2; do
		state "" 30m
		reset_posts
		# shellcheck disable=SC2034 # keeper uses it
		UNDER=(strace -qq -o /dev/null -P "$STATE/agents" -e trace=getdents64
			-e "inject=getdents64:error=EIO:when=$call")
		shows store_unreadable error 3 .
		UNDER=()
		expect_posts 0
	done
else
	not_shown "agents that cannot all be listed: only root sees which directory is read"
fi

# Main is where only OpenClaw's environment says. Both remedies: the variable, and the configuration.
state ""
mkdir "$HOME/own"
mv "$(store main)" "$HOME/own/"
shows main_missing warning 0 'role = "main"'
OPENCLAW_AGENT_DIR=$HOME/own keeper status -j
expect_field '[.problems[].code, (.accounts[0].copies[0] | .role, (.store | split("/") | .[-2]))] | join(" ")' "main own"
CONFIG='stores = ( { path = "~/own/auth-profiles.json"; role = "main"; } );'
silent main_missing
expect_field '.accounts[0].copies[0] | .role, (.store | split("/") | .[-2])' "$(printf 'main\nown')"

# Who else can write there could turn a token elsewhere. The command that is advised closes it.
state ""
for open in "store_unsafe $(store a)" "state_dir_unsafe $STATE" "lock_directory $STATE/locks/oauth-refresh"; do
	keeper refresh
	[ -e "${open#* }" ] || mkdir -m 700 "${open#* }" # locks are made when they are taken
	chmod o+w "${open#* }"
	shows "${open%% *}" error 3 "^chmod go-w "
	mends "${open%% *}"
done

echo '{agents: {list: []}}' >"$STATE/openclaw.json"
shows openclaw_config_unread warning 0 '`stores` of oauth-keepalive.conf'

state 'stores = ( { path = "~/.openclaw/agents/a/agent/auth-profiles.json"; format = "codex-cli"; account = "openai-codex:default"; } );'
shows store_twice error 3 "^keep the one"

# ---- the ledger

state "" 30m
answers "{\"body\": $(tokens l)}"
keeper refresh
fake alice left=10m
write_store "main a" xai:default=alice
for file in "$LEDGER/ledger.json" "$LEDGER"/accounts/*.json; do
	cp -p "$file" "$T/as-it-was"
	sed -i -E 's/("version":[[:space:]]*)[0-9]+/\199/' "$file"
	shows ledger_newer error 3 "^install that version again"
	cp -p "$T/as-it-was" "$file"
	echo "{" >"$file"
	shows ledger_unreadable error 3 "restore .* from a backup"
	cp -p "$T/as-it-was" "$file"
done
silent ledger_newer

# Nothing to keep alive: as an installed timer says it, whose environment is not the shell's.
fresh
shows no_accounts warning 0 "state_dir"

# ---- and no code of the manual is left that no scenario shows

for code in $(sed -n '/^\.Ss Problems/,/^\.Ss Errors/s/^\.It Sy \([a-z_]*\).*/\1/p' "$TESTS/../man/oauth-keepalive.1"); do
	grep -qw "$code" "$TESTS"/scenario/*.sh || fail "no scenario shows $code"
done
