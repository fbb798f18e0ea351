#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Stores are written main first, each under its lock until its second time stamp; one that is locked keeps nobody waiting.
. "$(dirname "$0")/many.sh" || exit 1

start_scripted
many 1 40
good_answers
TRACE=link,linkat,unlink,unlinkat,renameat,renameat2,utimensat
UNDER=(strace -f -qq -ttt -y -s 512 -o "$T/trace" -e "trace=$TRACE")
if strace_sees_paths; then
	keeper refresh -j
	expect_status 0
	expect_all_new 1 40
	"$PYTHON" - "$T/trace" <<-'END' || fail "the order of a store's lock, its new text and its second time stamp"
		import collections, re, sys
		steps = collections.defaultdict(list)
		for line in open(sys.argv[1]):
		    found = re.match(r"\d+ +([\d.]+) (\w+)\((.*)\) += 0", line)
		    if not found:
		        continue
		    time, call, rest = float(found[1]), found[2], found[3]
		    agent = re.search(r"agents/(\w+)/agent", rest)
		    if not agent:
		        continue
		    if call in ("link", "linkat") and 'auth-profiles.json.lock"' in rest:
		        step = "locked"
		    elif call.startswith("rename") and 'auth-profiles.json"' in rest:
		        step = "written"
		    elif call == "utimensat":
		        step = "stamped"
		    elif call == "unlink" and rest.endswith('auth-profiles.json.lock"'):
		        step = "free"
		    else:
		        continue
		    if not steps[agent[1]] or steps[agent[1]][-1][0] != step:
		        steps[agent[1]].append((step, time))
		for agent, way in steps.items():
		    if [step for step, _ in way] != ["locked", "written", "stamped", "free"]:
		        sys.exit(f"# {agent}: {way}")
		    if way[2][1] - way[1][1] < 0.02:
		        sys.exit(f"# {agent}: stamped {way[2][1] - way[1][1]} s after it was written")
		first = min(way[0][1] for agent, way in steps.items() if agent != "main")
		if len(steps) != 40 or steps["main"][1][1] > first:
		    sys.exit(f"# {len(steps)} stores; main was written at {steps['main'][1][1]}, the first of the others locked at {first}")
	END
else
	not_shown "the order of a store's lock, its new text and its second time stamp: strace sees no paths here"
fi
UNDER=()

# Thirty stores that a living process has locked: the others do not wait, and all thirty have one patience together.
hold() { printf '{"pid": %d, "createdAt": "%s"}' $$ "$(date -u +%FT%T.000Z)" >"$(store "$1").lock"; }
new_in() { grep -l -- '-next"' "$STATE"/agents/*/agent/auth-profiles.json | wc -l; }
for wait in 0 10s; do
	fresh
	many 1 40
	behind
	for i in {10..39}; do hold "a$i"; done
	keeper sync -v -j --wait "$wait"
	expect_status 1
	expect_field '.accounts[0].error.code' copies_pending
	expect_eq "stores written" "$(new_in)" 10
	expect_at_most "looks with --wait $wait" "$(cost looks)" 24
	[ "$wait" = 0 ] && expect_at_most "looks with --wait 0" "$(cost looks)" 7
	rm "$STATE"/agents/*/agent/auth-profiles.json.lock
	keeper sync -j
	expect_status 0
	expect_eq "stores written, once they are free" "$(new_in)" 40
done
expect_no_secrets
