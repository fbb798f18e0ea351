# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What an interop scenario of OpenClaw's SQLite stores needs besides tests/scenario/sqlite.sh: a real OpenClaw of the
# version $OPENCLAW (2026.6.5 or later), in-process (sqlite-driver.mjs tells its commands) and as its command line.
#
#	openclaw COMMAND KEY=VALUE…             one command; $said is what it says
#	start_openclaw NAME COMMAND KEY=VALUE…  in the background; $T/NAME is what it says. wait_openclaw NAME
#	cli ARG…                                its command line, without any network; $cli_out
#	migrated                                `doctor --fix` has imported the JSON stores
#	CUT=yes                                 no name resolves for it any more

OPENCLAW=${OPENCLAW:-2026.9.6}
INTEROP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=$(realpath -m "${INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/oauth-keepalive-tests}")
# shellcheck source=../scenario/sqlite.sh
. "$INTEROP/../scenario/sqlite.sh" || exit 1

ROOT=$CACHE/openclaw-$OPENCLAW/node_modules/openclaw
if [ ! -x "$CACHE/node" ] || [ ! -d "$ROOT" ]; then
	[ -z "${UNREACHABLE:-}" ] || skip "$UNREACHABLE"
	die "OpenClaw $OPENCLAW is not in $CACHE: run tests/interop/install $OPENCLAW"
fi
CUT=
main= # `main_database`, once it has migrated
P=    # the profile that a scenario is about
declare -A BACKGROUND=()
# OpenClaw's command line may look for news and models: it gets a network of its own, with nothing in it.
ALONE=()
unshare -n true 2>/dev/null && ALONE=(unshare -n)
unshare -rn true 2>/dev/null && [ "$(id -u)" != 0 ] && ALONE=(unshare -rn)

is_later_than() { [ "$(printf '%s\n' "$1" "$OPENCLAW" | sort -V | head -1)" = "$1" ]; }

openclaw_environment() {
	local agents
	agents=$(find "$STATE/agents" -mindepth 1 -maxdepth 1 -printf '{"id":"%f"}\n' | sort | jq -sc .)
	[ -e "$STATE/openclaw.json" ] ||
		echo "{\"logging\": {\"file\": \"$T/openclaw.log\"}, \"agents\": {\"list\": $agents}}" >"$STATE/openclaw.json"
	ENVIRONMENT=(env -i "HOME=$HOME" "PATH=$PATH" "TMPDIR=$T" "OPENCLAW_STATE_DIR=$STATE" "OPENCLAW_ROOT=$ROOT"
		OPENCLAW_DISABLE_BUNDLED_PLUGINS=1 OPENCLAW_LOG_LEVEL=error NO_COLOR=1 "NODE_COMPILE_CACHE=$CACHE/compiled")
	[ "$CUT" ] || ENVIRONMENT+=("TOKEN_URL=$TOKEN_URL")
}

openclaw() {
	openclaw_environment
	said=$T/said
	"${ENVIRONMENT[@]}" "$CACHE/node" "$INTEROP/sqlite-driver.mjs" "$@" >"$said" 2>"$T/said.err" </dev/null ||
		die "OpenClaw $OPENCLAW, $1: $(tail -5 "$T/said.err")"
}

start_openclaw() {
	local name=$1

	openclaw_environment
	"${ENVIRONMENT[@]}" "$CACHE/node" "$INTEROP/sqlite-driver.mjs" "${@:2}" >"$T/$name" 2>"$T/$name.err" </dev/null &
	BACKGROUND[$name]=$!
	SERVERS+=($!)
}

wait_openclaw() {
	wait "${BACKGROUND[$1]}" || fail "OpenClaw's $1 ended with $?" "$(tail -3 "$T/$1.err")"
	unset "BACKGROUND[$1]"
}

cli() {
	openclaw_environment
	cli_out=$T/cli.out
	timeout 120 "${ALONE[@]}" "${ENVIRONMENT[@]}" "$CACHE/node" "$ROOT/openclaw.mjs" "$@" >"$cli_out" 2>"$T/cli.err" </dev/null
}

migrated() {
	cli doctor --fix --non-interactive || die "doctor --fix: $(tail -n 5 "$T/cli.err" "$cli_out")"
	local left
	# 2026.7 leaves a copy of main's login where it is, beside a database without it, and reads it no more.
	while read -r left; do
		[ -e "$(dirname "$left")/openclaw-agent.sqlite" ] || die "doctor --fix left $left: $(tail -20 "$cli_out")"
	done < <(find "$STATE/agents" -name auth-profiles.json)
}

# Which store its main profiles are in.
main_database() { if is_later_than 2026.8.1; then echo shared; else echo main; fi; }

# With OpenClaw's own SQLite: the system's may not know all of its functions.
expect_intact() {
	local file
	while read -r file; do
		expect_eq "integrity of $file" "$("$CACHE/node" -e 'const { DatabaseSync } = require("node:sqlite");
			const database = new DatabaseSync(process.argv[1]);
			console.log(database.prepare("PRAGMA integrity_check").all().map((row) => row.integrity_check).join(),
				database.prepare("PRAGMA journal_mode").get().journal_mode)' "$file" 2>&1 </dev/null)" "ok wal"
	done < <(find "$STATE" -name openclaw-agent.sqlite -o -name openclaw.sqlite)
}

tally() { # KEY VALUE: a number for the table of `run`
	echo "# $1: $2"
	[ -z "${TALLY:-}" ] || echo "$1|$2" >>"$TALLY"
}

# expire: the main store's $P, and only there, as time does it.
expire() {
	document "$main" | jq -c --arg p "$P" --argjson ms "$(($(now_ms) - 60000))" '.profiles[$p].expires = $ms' | put_document "$main"
}

# fences: how many there are in the main store.
fences() { document "$main" | grep -c refresh-fence:; }

# saw JQ: of what OpenClaw said last
saw() { jq -r "$1" "$said"; }
