# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What a table of the bench needs: tests/scenario/lib.sh, and
#
#	world N M [LEFT]               a fresh home: main and N agents, M logins in each (world.py)
#	first_run                      … which the ledger then knows
#	behind                         … and is a generation ahead of
#	run=(…)                        the command line of a run with nothing around it: command refresh -q
#	measure ROUNDS CMD , CMD…      run in turn; into the arrays wall, least, cpu (µs) and memory (KiB), in that order
#	syscalls CMD…, instructions CMD…    counts, which do not depend on what else the machine does
#	title WHAT, row WHAT VALUE…    a table; times A B, A / B with one decimal place
#	target WHAT IS LIMIT           is it met? Said in a line; `targets_met` fails if one was not
#
# Everything that is compared is measured in one run, side by side: what a machine does in a millisecond is its own affair,
# the ratio is ours.
. "$(dirname "${BASH_SOURCE[0]}")/../scenario/lib.sh" || exit 1

BENCH=$TESTS/bench
TOOLS=$(dirname "$OAUTH_KEEPALIVE")/bench
MISSED=0

[ -x "$TOOLS/measure" ] || die "no $TOOLS/measure: run \`make bench\`"

world() {
	fresh
	"$PYTHON" "$BENCH/world.py" "$STATE" "$@" || die "world $*"
	# Stores as they are when nobody has touched them for a while.
	find "$STATE" -exec touch -d '1 hour ago' {} +
}

# bare VERB…: in `run`, a run with nothing around it.
# shellcheck disable=SC2034 # a table runs it
bare() {
	keeper_command "$@"
	run=("${COMMAND[@]}")
}

first_run() {
	keeper refresh -q
	[ "$status" = 0 ] || die "the first run: $(cat "$err")"
	bare refresh -q
}

measure() {
	local line
	wall=() least=() cpu=() memory=()
	while read -r -a line; do
		wall+=("${line[0]}") least+=("${line[1]}") cpu+=("${line[2]}") memory+=("${line[3]}")
	done < <("$TOOLS/measure" "$@" || echo "measure failed: $*" >&2)
	[ "${#wall[@]}" -gt 0 ] || die "nothing was measured"
}

syscalls() {
	strace -f -qq -o "$T/strace" "$@" >/dev/null </dev/null || die "strace $*"
	grep -cE '^[0-9]+ +[a-z]' "$T/strace"
}

instructions() {
	valgrind --tool=callgrind --callgrind-out-file=/dev/null "$@" 2>&1 >/dev/null </dev/null |
		sed -n 's/.*Collected *: *//p'
}

# The ledger is ahead of every store by one generation.
behind() {
	"$PYTHON" - "$LEDGER" <<-'END'
		import glob, hashlib, json, sys
		for path in glob.glob(f"{sys.argv[1]}/accounts/*.json"):
		    record = json.load(open(path))
		    live = record["live"]
		    record["superseded"] = (record["superseded"] + [live["fingerprint"]])[-256:]
		    live["refresh"] = live["refresh"].split("+")[0] + "+" + str(len(record["superseded"]))
		    live["fingerprint"] = hashlib.sha256(live["refresh"].encode()).hexdigest()
		    open(path, "w").write(json.dumps(record))
	END
}

times() { awk -v a="$1" -v b="$2" 'BEGIN { printf b < 1 ? "-" : a / b < 100 ? "%.2f" : "%.0f", a / b }'; }
ms() { awk -v us="$1" 'BEGIN { printf us < 100000 ? "%.2f" : "%.0f", us / 1000 }'; }

title() { printf '\n%s\n' "$1"; }
row() {
	printf '  %-52s' "$1"
	shift
	[ $# = 0 ] || printf ' %13s' "$@"
	echo
}

target() {
	if awk -v a="$2" -v b="$3" 'BEGIN { exit a > b }'; then
		printf '  %-52s %13s   (target: %s at most, met)\n' "$1" "$2" "$3"
	else
		printf '  %-52s %13s   (target: %s at most, MISSED)\n' "$1" "$2" "$3"
		MISSED=$((MISSED + 1))
	fi
}
targets_met() { [ "$MISSED" = 0 ] || fail "$MISSED targets were missed"; }
