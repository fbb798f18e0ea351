# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What a scenario needs. It runs the real binary on real files against real servers, in a home of its own:
#
#	# The promise that this scenario holds.
#	. "$(dirname "$0")/lib.sh" || exit 1    else HOME were the reader's own
#	start_oidc                              the strict server; rotates, a replay revokes the grant
#	mint alice left=30m                     a login there: 30 minutes of 6 hours left
#	write_store main xai:default=alice      agents/main/agent/auth-profiles.json, as OpenClaw writes it
#	keeper refresh                          the program; then $status, $out and $err (files)
#	expect_status 0
#	expect_posts 1
#	expect_generation alice main            the store holds what the server holds to be live
#
# A scenario ends with status 0 if every expectation held, 1 if not, 77 if it was skipped. `KEEP=1` keeps its files.
# Tokens never appear in variables that are printed: stores and servers are compared by fingerprint.

set -u
umask 077
LC_ALL=C.UTF-8
export LC_ALL

TESTS=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
OAUTH_KEEPALIVE=$(realpath -m "${OAUTH_KEEPALIVE:-$TESTS/../build/oauth-keepalive}")
PYTHON=python3
[ -x /usr/bin/python3 ] && PYTHON=/usr/bin/python3 # Debian's has python3-jsonschema; a version manager's is slow
SERVERS=()
FAILED=0
RUN=0
ROUND=0
CONTROL=
TOKEN_URL=
CA_FILE=
CONFIG=      # lines added to the configuration
CONFIG_FILE= # the configuration, if it is another than that of all runs (runs at once with their own)
PROVIDERS=   # entries added to its list of providers
status=0
out=/dev/null
err=/dev/null

unset NO_COLOR JOURNAL_STREAM XDG_CONFIG_HOME PI_CODING_AGENT_DIR "${!OPENCLAW_@}" "${!CODEX_@}" "${!CLAUDE_@}" \
	"${!GEMINI_@}" "${!GROK_@}" "${!OPENCODE_@}"
T=$(mktemp -d "${TMPDIR:-/tmp}/oauth-keepalive-test.XXXXXX") || exit 1
T=$(realpath "$T") || exit 1
mkdir "$T/runs" "$T/logins"
cd "$T" || exit 1

die() {
	echo "# cannot go on: $*" >&2
	exit 1
}

skip() {
	echo "# skip: $*"
	exit 77
}

# A fresh home, state directory and ledger; the first one is made at once.
fresh() {
	ROUND=$((ROUND + 1))
	export HOME=$T/home$ROUND
	STATE=$HOME/.openclaw
	LEDGER=$HOME/ledger
	mkdir -p "$STATE/agents"
	reset_posts
}

# shellcheck disable=SC2317 # called by the trap
finish() {
	local code=$?
	[ "$code" = 0 ] && check_documents
	[ "$code" = 0 ] && [ "$FAILED" -gt 0 ] && code=1
	stop_couriers
	for server in "${SERVERS[@]}"; do
		kill "$server" 2>/dev/null
		wait "$server" 2>/dev/null
	done
	if [ -n "${KEEP:-}" ]; then
		echo "# kept: $T"
	else
		rm -rf "$T"
	fi
	exit "$code"
}
trap finish EXIT
trap 'exit 1' INT TERM

# ---- servers

# serve COMMAND…: its first line is then in $line. False: it hangs before it says a word (node was seen to, once in thousands
# of starts), and is to be started again.
serve() {
	local began=$SECONDS

	: >"$ready"
	"$@" >"$ready" 2>"$ready.log" &
	SERVERS+=($!)
	until read -r line <"$ready"; do
		kill -0 $! 2>/dev/null || die "$1 did not start: $(cat "$ready.log")"
		if [ $((SECONDS - began)) -gt 90 ]; then
			{ kill -KILL $! && wait $!; } 2>/dev/null
			unset 'SERVERS[-1]'
			return 1
		fi
		sleep 0.02
	done
}

# start_server COMMAND…: CONTROL, TOKEN_URL, DISCOVERY_URL and CA_FILE are then of this one. However long it takes to
# start, it is waited for while it lives; and its line is read when it is whole.
# shellcheck disable=SC2034
start_server() {
	local ready=$T/server${#SERVERS[@]}.json line

	until serve "$@"; do :; done
	{ read -r CONTROL; read -r TOKEN_URL; read -r DISCOVERY_URL; read -r CA_FILE; } < \
		<(jq -r '.control_url, .token_url, .discovery_url, .ca_file // ""' <<<"$line")
	[ -n "$CONTROL" ] || die "$1 did not say where it is, but: $line"
	POSTS_BEFORE=0
}

# With --tls: https, by a certificate of the authority $CA_FILE.
start_oidc() { start_server "$TESTS/server/node" "$TESTS/server/oidc.js" ${1:+--tls "$T/tls"}; }
start_scripted() { start_server "$PYTHON" "$TESTS/server/scripted.py" ${1:+--tls "$T/tls"}; }

# control PATH [JSON]: call the server's control port.
control() { curl -sS --fail-with-body "$CONTROL/$1" ${2:+-d "$2"} || die "control call $1"; }

# answers ANSWER…: what the scripted server shall say next (tests/server/scripted.py).
answers() {
	local IFS=,
	control control "{\"answers\":[$*]}" >/dev/null
}

# tokens N [JSON]: a good answer's body, with obviously fake tokens of number N.
tokens() {
	jq -nc --arg n "$1" --argjson more "${2:-{\}}" '{access_token: "FAKE-ACCESS-\($n)", token_type: "Bearer",
		refresh_token: "FAKE-REFRESH-\($n)", expires_in: 21600} + $more | with_entries(select(.value != null))'
}

# hold_answer: the oidc server spends the next token, and answers only at release_answer (of the scripted one: "held").
hold_answer() { control hold '{"answers": 1}' >/dev/null; }
release_answer() { control release '{}' >/dev/null; }

posts() { control state | jq .posts; }
# Token requests are counted from here on (and from each `fresh`).
reset_posts() { POSTS_BEFORE=${CONTROL:+$(posts)}; }

# to_json KEY=VALUE…: of strings. (jq only where it is needed: its start would be a third of what `mint` costs.)
to_json() {
	local pair text=
	case $* in
	*[[:cntrl:]\"\\]*)
		jq -nc '$ARGS.positional | map(split("=") | {(.[0]): .[1:] | join("=")}) | add' --args "$@"
		return
		;;
	esac
	for pair; do text+=${text:+,}\"${pair%%=*}\":\"${pair#*=}\"; done
	echo "{$text}"
}

# next_second: what a token says of its age is in whole seconds; of two in one, neither is the newer.
next_second() {
	local now
	now=$(date +%s)
	while [ "$(date +%s)" = "$now" ]; do sleep 0.02; done
}

# mint NAME [left=30m] [lifetime=6h] [provider=xai] [email=…] [jwt=yes]: a login at the oidc server.
mint() {
	is_jwt "$1" && next_second
	keep_login "$1" "$(control mint "$(to_json "account=$1" "${@:2}")")"
}

# peer NAME: somebody else refreshes this login.
peer() {
	is_jwt "$1" && next_second
	keep_login "$1" "$(control peer "$(to_json "account=$1")")"
}

# Is there a login of that name already, whose tokens say their age?
is_jwt() { [ -e "$T/logins/$1.json" ] && jq -e '.access | split(".") | length == 3' "$T/logins/$1.json" >/dev/null; }

# The newest under the name, all of them for expect_no_secrets.
keep_login() {
	[ "${2:0:1}" = "{" ] || die "no login of $1: $2"
	echo "$2" | tee "$T/logins/$1.json" >"$T/logins/$1.$EPOCHREALTIME.json"
}

# fake NAME [KEY=VALUE…]: a login nobody knows, for the scripted server: left, lifetime as `mint`; other keys as given.
fake() {
	local left=1h more_keys=() pair n
	for pair in "${@:2}"; do
		case $pair in left=*) left=${pair#*=} ;; *) more_keys+=("$pair") ;; esac
	done
	n=${left%[smhd]}
	case $left in *m) n=$((n * 60)) ;; *h) n=$((n * 3600)) ;; *d) n=$((n * 86400)) ;; esac
	to_json "${more_keys[@]}" | jq --arg name "$1" --argjson left "$n" '{type: "oauth", provider: "xai",
		access: "FAKE-ACCESS-\($name)", refresh: "FAKE-REFRESH-\($name)", expires: ((now + $left) * 1000 | floor)} + .' \
		>"$T/logins/$1.json"
}

# ---- stores

# store AGENT: its file. A path stays what it is.
store() {
	case $1 in
	/*) echo "$1" ;;
	*) echo "$STATE/agents/$1/agent/auth-profiles.json" ;;
	esac
}

# write_store "AGENT|FILE…" PROFILE=LOGIN…: LOGIN is a name of `mint` or `fake`, or a profile as JSON. The text is
# exactly OpenClaw's: JSON.stringify(store, null, 2) and a line end.
write_store() {
	"$PYTHON" - "$T" "$STATE/agents" "$T/logins" "$@" <<-'END' || die "write_store $*"
		import json, os, sys
		top, agents, logins, stores, *pairs = sys.argv[1:]
		profiles = {}
		for profile, login in (pair.split("=", 1) for pair in pairs):
		    profiles[profile] = json.loads(login if login[0] == "{" else open(f"{logins}/{login}.json").read())
		text = json.dumps({"version": 1, "profiles": profiles}, indent=2, ensure_ascii=False) + "\n"
		for store in stores.replace(top, "\0").split():  # `top` may hold spaces
		    store = store.replace("\0", top)
		    path = store if store[0] == "/" else f"{agents}/{store}/agent/auth-profiles.json"
		    os.makedirs(os.path.dirname(path), exist_ok=True)
		    open(path, "w").write(text)
	END
}

# store_token AGENT|FILE [PROFILE]: fingerprint of the refresh token that stands there.
store_token() {
	fingerprint_of <"$(store "$1")" --arg p "${2:-xai:default}" '.profiles[$p] | .refresh // .refresh_token'
}

# login_token NAME: fingerprint of the refresh token of a login of `mint`, `peer` or `fake`.
login_token() { fingerprint_of <"$T/logins/$1.json" .refresh; }

fingerprint_of() { jq -j "$@" | sha256sum | cut -c1-12; }

# server_token NAME: fingerprint of the refresh token the oidc server holds to be live.
server_token() { control state | jq -r ".accounts[\"$1\"].generation"; }

# change_records JQ: every account of the ledger, as if time had passed.
change_records() {
	local record
	for record in "$LEDGER"/accounts/*.json; do
		jq "$1" "$record" >"$T/record" && cat "$T/record" >"$record"
	done
}
# due: every login we know has an hour left, by the ledger.
due() { change_records '.live.expires_ms = ((now + 3600) * 1000 | floor)'; }

# every_file: what is there, but for the ledger and the locks.
every_file() { find "$STATE" -path "$STATE/locks" -prune -o -print | sort; }

# ---- the program

# The configuration that `keeper` uses: every preset's token endpoint is the running server's.
write_config() {
	local name

	{
		echo "state_dir = \"$STATE\";"
		# As long as may be: what a scenario is about does not depend on how busy the machine is.
		case $CONFIG in *"http = "*) ;; *) echo "http = { connect_timeout = \"60s\"; deadline = \"60s\";" \
			"${CA_FILE:+ca_file = \"$CA_FILE\";} };" ;; esac
		echo "providers = ("
		case $PROVIDERS in
		*'"xai"'*) echo "$PROVIDERS" ;;
		*)
			for name in openai-codex openai anthropic; do
				echo "  { name = \"$name\"; token_url = \"$TOKEN_URL\"; },"
			done
			echo "  { name = \"xai\"; token_url = \"$TOKEN_URL\"; }${PROVIDERS:+, $PROVIDERS}"
			;;
		esac
		echo ");"
		echo "$CONFIG"
	} >"$T/keeper.conf.new"
	mv "$T/keeper.conf.new" "${CONFIG_FILE:-$T/keeper.conf}" # whole at any time: a race must not read half of it
}

# keeper ARG…: run it with that configuration. Sets $status, $out, $err. UNDER holds words that go before the command.
UNDER=()
keeper() {
	keeper_command "$@"
	"${UNDER[@]}" "${COMMAND[@]}" >"$out" 2>"$err" </dev/null
	status=$?
	echo "$status" >"$T/runs/$RUN.status"
}

# keeper_command ARG…: what `keeper` would run, in COMMAND, for the background or a race.
keeper_command() {
	RUN=$((RUN + 1))
	out=$T/runs/$RUN.out
	err=$T/runs/$RUN.err
	echo "$*" >"$T/runs/$RUN.args"
	[ -x "$OAUTH_KEEPALIVE" ] || die "no program at $OAUTH_KEEPALIVE (make, or set OAUTH_KEEPALIVE)"
	write_config
	COMMAND=("$OAUTH_KEEPALIVE" --config "${CONFIG_FILE:-$T/keeper.conf}" --ledger-dir "$LEDGER" "$@")
}

# public_program: a copy of the program, $PUBLIC, which other users can run, wherever this one was built. Fails, and says
# so, where none can come to $T (a TMPDIR in a home that is closed to others).
PUBLIC=
# shellcheck disable=SC2034 # a scenario uses it
public_program() {
	mkdir -p "$T/bin"
	install -m 755 "$OAUTH_KEEPALIVE" "$OAUTH_KEEPALIVE-courier" "$T/bin"
	chmod 755 "$T" "$T/bin"
	if setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$T/bin/oauth-keepalive" 2>/dev/null; then
		PUBLIC=$T/bin/oauth-keepalive
	else
		not_shown "what another user sees: none can reach $T"
	fi
}

# not_shown WHAT: a part that cannot be tried here. `run` says so, too.
not_shown() {
	echo "# not shown: $1"
	return 1
}

# start_keeper ARG…: the same in the background; its pid is $! (and UNDER's, if that becomes it). Several at once make a race.
STARTED=()
start_keeper() {
	keeper_command "$@"
	"${UNDER[@]}" "${COMMAND[@]}" >"$out" 2>"$err" </dev/null &
	STARTED+=("$!:$RUN")
}

# wait_keepers: for all of them; their statuses, in order, are then in $statuses.
wait_keepers() {
	local started
	statuses=
	for started in "${STARTED[@]}"; do
		wait "${started%:*}" 2>/dev/null
		status=$?
		echo "$status" >"$T/runs/${started#*:}.status"
		statuses+="${statuses:+ }$status"
	done
	STARTED=()
}

# May strace see the paths in the calls of our programs? They hide their memory, and show it to root alone: another user's
# strace prints pointers, and its -P matches nothing.
strace_sees_paths() {
	strace -qq -o "$T/hidden" -e trace=chdir "$PYTHON" -c \
		'import ctypes, os; PR_SET_DUMPABLE = 4; ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); os.chdir("/")' \
		2>/dev/null && grep -q 'chdir("/")' "$T/hidden"
}

# traced ARG…: keeper under strace; the calls are then in $T/trace, its own start at their head. TRACE chooses them. Names,
# numbers and flags are there for everybody; what needs a path or an address asks strace_sees_paths first. And that a call
# is missing shows something only where a run that makes it is looked at, too.
TRACE=%file,%network
traced() {
	strace -qq -e trace=execve -o /dev/null true 2>/dev/null || skip "strace may not trace here"
	UNDER=(strace -f -qq -s 512 -o "$T/trace" -e "trace=execve,$TRACE")
	keeper "$@"
	UNDER=()
	head -n 1 "$T/trace" | grep -q ' execve("' || die "strace saw nothing of: $*"
}

# sample LAST EVERY [FIRST]: the numbers of FIRST (1) to LAST, each EVERY-th, or as the variable EVERY says: 1 is all of them.
sample() { seq "${3:-1}" "${EVERY:-$2}" "$1"; }

# kill_steps LAST: a sample of a run's steps, to be killed there; none where strace may not.
kill_steps() {
	if strace -qq -e trace=none -o /dev/null true 2>/dev/null; then sample "$1" 3; else not_shown "kills, without strace" >&2 || true; fi
}

# What a run calls that asks the network, opens a file for writing, or changes a name. (What a C library asks for by itself,
# as of nscd by a UNIX socket, is no concern.)
# shellcheck disable=SC2034 # scenarios use them
ASKS='socket\(AF_(INET|NETLINK)' \
	WRITES='open(at)?\(.*(O_WRONLY|O_RDWR|O_CREAT|O_TRUNC)' \
	RENAMES='^[0-9]+ +(rename|unlink|mkdir|rmdir|link|symlink|chmod|chown|mknod|utime[nsat]*|truncate)(at)?2?\('
expect_traces() {
	local call
	for call; do expect_match "$T/trace" "$call"; done
}
expect_no_traces() {
	local call
	for call; do expect_no_match "$T/trace" "$call"; done
}
# Programs that were started, itself among them.
programs_started() { grep -c 'execve(.*) = 0$' "$T/trace"; }

# Couriers that stayed to guard an answer: those our lock files name, and nobody else.
couriers() {
	local lock pid
	for lock in "$T"/*/.openclaw/locks/oauth-refresh/*.lock; do
		[ -f "$lock" ] || continue
		pid=$(jq .pid "$lock" 2>/dev/null) || continue
		# Its `exe` only root may read.
		[ "$({ tr -d '\0' <"/proc/$pid/cmdline"; } 2>/dev/null)" = oauth-keepalive-courier ] && echo "$pid"
	done | sort -u
}

stop_couriers() {
	local pid
	for pid in $(couriers); do
		end_process "$pid"
	done
}

# end_process PID: by KILL; and all that it held is free.
end_process() {
	kill -9 "$1" 2>/dev/null
	wait_until has_ended "$1"
}
has_ended() { ! grep -qsE '^[0-9]+ \(.*\) [^ZX] ' "/proc/$1/stat"; } # a container's first process may reap nobody

# stop_process PID: it stands still from then on. A busy machine takes its time over a signal.
stop_process() {
	kill -STOP "$1"
	wait_until grep -qE '^[0-9]+ \(.*\) [TZX] ' "/proc/$1/stat"
}

# wait_until COMMAND…: for an event. Minutes, since the machine may be busy, and what never comes has come wrong.
wait_until() {
	local end=$((SECONDS + 240))
	while [ $SECONDS -lt $end ]; do
		"$@" && return
		sleep 0.05
	done
	fail "in vain waited until: $*"
	return 1
}

# ---- expectations

fail() {
	local depth=1
	while [ "${BASH_SOURCE[$depth]}" = "${BASH_SOURCE[0]}" ]; do depth=$((depth + 1)); done
	FAILED=$((FAILED + 1))
	echo "not ok - $1 (line ${BASH_LINENO[$((depth - 1))]})"
	shift
	[ $# -gt 0 ] && printf '%s\n' "$@" | sed 's/^/#   /'
	return 1
}

# field JQ: of the JSON document the last run printed.
field() { jq -r "$1" "$out" 2>/dev/null || echo "(no JSON document)"; }

# expect_eq WHAT IS SHALL
expect_eq() { [ "$2" = "$3" ] || fail "$1" "is:    $2" "shall: $3"; }

# expect_status N…: any of them
expect_status() {
	case " $* " in *" $status "*) return ;; esac
	fail "$(head -c 200 "$T/runs/$RUN.args"): exit status is $status, shall be $*" "$(head -c 2000 "$err")" "$(head -c 2000 "$out")"
}

# expect_field JQ VALUE
expect_field() { expect_eq "$1" "$(field "$1")" "$2"; }

# expect_posts N: token requests so far, at the server started last.
expect_posts() { expect_eq "token requests" "$(($(posts) - ${POSTS_BEFORE:-0}))" "$1"; }

# expect_generation NAME AGENT…: these stores hold what the oidc server holds to be live, and it still is.
expect_generation() {
	local agent alive live
	read -r alive live < <(control state | jq -r --arg name "$1" '.accounts[$name] | "\(.alive) \(.generation)"')
	expect_eq "$1's grant is alive" "$alive" true
	for agent in "${@:2}"; do
		expect_eq "generation of $1 in $agent" "$(store_token "$agent")" "$live"
	done
}

# expect_untouched FILE SUM…: as `sum` printed it before
sum() { sha256sum "$1" | cut -c1-64; }
expect_untouched() { expect_eq "bytes of $1" "$(sum "$1")" "$2"; }

# expect_match FILE EXTENDED-REGEX, expect_no_match
expect_match() { grep -qE -- "$2" "$1" || fail "nothing in $(basename "$1") matches $2" "$(head -c 1000 "$1")"; }
expect_no_match() {
	local found
	found=$(grep -E -m 3 -- "$2" "$1") || return 0
	fail "$(basename "$1") matches $2" "$found"
}

# No token, and no 8 characters of one, in anything the program printed: tokens are what stands under their names in
# any JSON file of this test, logins that were replaced meanwhile included.
expect_no_secrets() {
	"$PYTHON" - "$T" "$@" <<-'END' || fail "a secret was printed"
		import glob, json, os, re, sys
		top, extra = sys.argv[1], sys.argv[2:]
		names = r'"(?:access|refresh|id|access_token|refresh_token|id_token|idToken|token|key)"\s*:\s*"([^"]{12,})"'
		tokens = set()
		for folder, _, files in os.walk(top):
		    for name in files:
		        if "runs" not in folder and not name.endswith(".lock"):
		            tokens.update(re.findall(names, open(os.path.join(folder, name), errors="replace").read()))
		# A fingerprint may be shown, and a fence is none.
		tokens = {token for token in tokens if not re.match("[0-9a-f]+$|openclaw-oauth-refresh-fence:", token)}
		# A JWT's first part is the same for all of them, and public.
		parts = {part for token in tokens for part in ((token.split(".")[1:] if token.startswith("eyJ") else [token]))}
		windows = {part[i:i + 8] for part in parts for i in range(len(part) - 7)}
		# What stands in every path, in our formats, and in names that OpenClaw gives to things.
		for public in ("/.openclaw/agents/", "openclaw-sqlite", "openclaw-json"):
		    windows -= {public[i:i + 8] for i in range(len(public) - 7)}
		if not windows:
		    sys.exit("# no tokens found to look for")
		bad = False
		for path in glob.glob(f"{top}/runs/*") + extra:
		    text = open(path, errors="replace").read()
		    hit = next((i for i in range(len(text) - 7) if text[i:i + 8] in windows), None)
		    if hit is not None:
		        bad = True
		        print(f"# {path}: a part of a token at byte {hit}, after: {text[max(0, hit - 60):hit]!r}")
		sys.exit(bad)
	END
}

# Every JSON document of this scenario: parses, says the exit status that was, and matches docs/schema.json.
# shellcheck disable=SC2317
check_documents() {
	"$PYTHON" - "$T/runs" "$TESTS/../docs/schema.json" <<-'END' || FAILED=$((FAILED + 1))
		import glob, json, os, sys
		runs, schema = sys.argv[1:]
		try:
		    import jsonschema
		    check = jsonschema.Draft7Validator(json.load(open(schema))) if os.path.exists(schema) else None
		except ImportError:
		    check = None
		bad = False
		for path in glob.glob(f"{runs}/*.args"):
		    args, base = open(path).read().split(), path[:-5]
		    if not {"-j", "--json"} & set(args) or not os.path.exists(f"{base}.status"):
		        continue
		    code = int(open(f"{base}.status").read())
		    if code > 128:
		        continue  # killed, as the scenario wanted
		    try:
		        document = json.load(open(f"{base}.out"))
		    except ValueError as error:
		        if code == 2:
		            continue  # a usage error says what it has to say on standard error
		        document, errors = None, [f"no JSON document: {error}"]
		    else:
		        errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in check.iter_errors(document)] if check else []
		        if document.get("exit_code") != code:
		            errors.append(f"exit_code says {document.get('exit_code')}, the program ended with {code}")
		    for error in errors[:5]:
		        bad = True
		        print(f"not ok - document of '{' '.join(args)}': {error}")
		sys.exit(bad)
	END
}

fresh
