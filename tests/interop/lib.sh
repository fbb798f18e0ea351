# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What an interop scenario needs besides tests/scenario/lib.sh: a real OpenClaw of the version $OPENCLAW, in-process
# (driver.mjs tells its commands) and as its command line.
#
#	openclaw COMMAND KEY=VALUE…             one command; what it says is then in $said (a file)
#	start_openclaw NAME COMMAND KEY=VALUE…  in the background; $T/NAME is what it says. wait_openclaw NAME
#	hold NAME COMMAND KEY=VALUE…            the same, and wait until it holds its lock
#	start_workers AGENT…                    warm processes of it, one each; ask N …, answer N, stop_workers
#	cli ARG…                                its command line; $cli_out
#	tally KEY VALUE                         a number for the table of `run`; tally_right, if all went well so far
#
# ROUNDS is how often what is repeated is repeated. POLLS=dense: see driver.mjs.

OPENCLAW=${OPENCLAW:-2026.6.1}
ROUNDS=${ROUNDS:-100}
INTEROP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=$(realpath -m "${INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/oauth-keepalive-tests}")
# shellcheck source=../scenario/lib.sh
. "$INTEROP/../scenario/lib.sh" || exit 1

ROOT=$CACHE/openclaw-$OPENCLAW/node_modules/openclaw
if [ ! -x "$CACHE/node" ] || [ ! -e "$CACHE/openclaw-$OPENCLAW/modules.json" ]; then
	[ -z "${UNREACHABLE:-}" ] || skip "$UNREACHABLE"
	die "OpenClaw $OPENCLAW is not in $CACHE: run tests/interop/install"
fi
RANDOM=${SEED:-4711} # who comes first in which round
WORKERS=()
declare -A BACKGROUND=()

# Through 2026.5.2 its lock lets two holders in, and its refreshes are then two.
lock_is_sound() { [[ $OPENCLAW == 2026.[6-9].* ]]; }

tally() {
	echo "# $1: $2"
	[ -z "${TALLY:-}" ] || echo "$1|$2" >>"$TALLY"
}

# For what is right or wrong, and not counted.
tally_right() { if [ "$FAILED" = 0 ]; then tally "$@"; else tally "$1" "NOT: $FAILED expectations failed"; fi; }

# A home of its own, no plugins (their loader would run npm), no logs elsewhere, a configuration that says so.
openclaw_environment() {
	[ -e "$STATE/openclaw.json" ] || echo "{\"logging\": {\"file\": \"$T/openclaw.log\"}}" >"$STATE/openclaw.json"
	ENVIRONMENT=(env -i "HOME=$HOME" "PATH=$PATH" "TMPDIR=$T" "OPENCLAW_STATE_DIR=$STATE" "OPENCLAW_ROOT=$ROOT"
		OPENCLAW_DISABLE_BUNDLED_PLUGINS=1 OPENCLAW_LOG_LEVEL=error NO_COLOR=1 "TOKEN_URL=$TOKEN_URL"
		"POLLS=${POLLS:-real}" "NODE_COMPILE_CACHE=$CACHE/compiled")
}

# In one warm process for each home.
openclaw() {
	said=$T/said
	if [ "${CALLED_IN:-}" != "$HOME" ]; then
		CALLED=${#WORKERS[@]}
		CALLED_IN=$HOME
		start_workers ""
	fi
	ask "$CALLED" "$@"
	answer "$CALLED" >"$said"
	[ "$(jq 'has("broken")' "$said")" = false ] || die "OpenClaw $OPENCLAW, $1: $(jq -r .broken "$said")"
}

start_openclaw() {
	local name=$1

	openclaw_environment
	"${ENVIRONMENT[@]}" "$CACHE/node" "$INTEROP/driver.mjs" "${@:2}" >"$T/$name" 2>"$T/$name.err" </dev/null &
	BACKGROUND[$name]=$!
	SERVERS+=($!) # ended with the scenario
}

wait_openclaw() {
	wait "${BACKGROUND[$1]}" || fail "OpenClaw's $1 ended with $?" "$(tail -3 "$T/$1.err")"
	unset "BACKGROUND[$1]"
}

# shellcheck disable=SC2317
says() { [ "$(jq -r "$2 // empty" "$T/$1" 2>/dev/null)" ]; }

hold() {
	start_openclaw "$@"
	wait_until says "$1" .held
}

# answer_of NAME JQ: of all it said
answer_of() { jq -rs "add | $2" "$T/$1"; }

# ---- warm processes

start_workers() {
	local agent n first=${#WORKERS[@]}

	openclaw_environment
	for agent in "$@"; do
		n=${#WORKERS[@]}
		mkfifo "$T/worker$n.in" "$T/worker$n.out"
		"${ENVIRONMENT[@]}" "$CACHE/node" "$INTEROP/driver.mjs" serve \
			<"$T/worker$n.in" >"$T/worker$n.out" 2>"$T/worker$n.err" &
		SERVERS+=($!)
		local in out
		exec {in}>"$T/worker$n.in" {out}<"$T/worker$n.out"
		WORKERS+=("$in $out $agent")
	done
	for ((n = first; n < ${#WORKERS[@]}; n++)); do answer "$n" >/dev/null; done
}

# ask N COMMAND KEY=VALUE…: its agent is added.
ask() {
	local in out agent
	read -r in out agent <<<"${WORKERS[$1]}"
	echo "${*:2}${agent:+ agent=$agent}" >&"$in"
}

answer() {
	local in out agent line
	read -r in out agent <<<"${WORKERS[$1]}"
	IFS= read -r -t 200 line <&"$out" || die "worker $1 says nothing: $(tail -n 5 "$T/worker$1.err")"
	echo "$line"
}

# Their input ends, and so do they.
stop_workers() {
	local in out agent worker
	for worker in "${WORKERS[@]}"; do
		read -r in out agent <<<"$worker"
		exec {in}>&- {out}<&-
	done
	WORKERS=()
	CALLED_IN=
	rm -f "$T"/worker*.in "$T"/worker*.out
}

# ---- its command line

cli() {
	openclaw_environment
	cli_out=$T/cli.out
	"${ENVIRONMENT[@]}" "$CACHE/node" "$ROOT/openclaw.mjs" "$@" >"$cli_out" 2>"$T/cli.err" </dev/null
}

# expect_live NAME PROFILE AGENT…: these stores hold what the oidc server holds to be live, and it still is.
expect_live() {
	local agent
	expect_eq "$1's grant is alive" "$(control state | jq ".accounts[\"$1\"].alive")" true
	for agent in "${@:3}"; do
		expect_eq "generation of $1 in $agent" "$(store_token "$agent" "$2")" "$(server_token "$1")"
	done
}

# shellcheck disable=SC2317
was_sent() { [ "$(posts)" -gt "$POSTS_BEFORE" ]; }

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
