#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Many stores become durable together: main first and alone; then batch by batch, each text before its place is taken, each
# directory before its lock is let go; and the refresh locks stay until the last of them is written.
. "$(dirname "$0")/many.sh" || exit 1

strace_sees_paths || { not_shown "the order of fsync and rename: strace sees no paths here"; exit 0; }
start_scripted
many 1 60
good_answers
calls=fsync,renameat2,link,unlink
UNDER=(strace -f -y -qq -s 512 -o "$T/trace" -e "trace=$calls")
keeper refresh -v -j
UNDER=()
expect_status 0
expect_all_new 1 60
"$PYTHON" - "$T/trace" <<-'END' || fail "the order of fsync, rename and unlock"
	import re, sys
	order, kinds, unlocked = {}, [], None
	for at, line in enumerate(open(sys.argv[1])):
	    # A call that another thread cut in two counts when it began.
	    call = re.match(r"\d+ +(\w+)\((.*)", line)
	    if not call or " resumed>" in line:
	        continue
	    name, rest = call[1], call[2]
	    if name == "unlink" and "/oauth-refresh/" in rest and rest.split('"')[1].endswith(".lock"):
	        unlocked = unlocked or at
	    agent = re.search(r"/agents/(\w+)/agent", rest)
	    if not agent:
	        continue
	    if name == "fsync":
	        step = "text" if ".oauth-keepalive.tmp>" in rest else "directory"
	    elif name == "renameat2":
	        step = "place"
	    elif name == "unlink" and rest.split('"')[1].endswith("auth-profiles.json.lock"):
	        step = "free"
	    else:
	        continue
	    order.setdefault(agent[1], {})[step] = at # the last: main's proof of room was synced before
	    if agent[1] != "main" and kinds[-1:] != [step]:
	        kinds.append(step)
	if len(order) != 60:
	    sys.exit(f"# {len(order)} stores")
	for agent, steps in order.items():
	    if not steps.get("text", 1e9) < steps.get("place", -1) < steps.get("directory", -1) < steps.get("free", -1):
	        sys.exit(f"# {agent}: {steps}")
	first = min(steps["text"] for agent, steps in order.items() if agent != "main")
	last = max(steps["directory"] for steps in order.values())
	if order["main"]["directory"] > first:
	    sys.exit("# main was not durable before the others began")
	if not unlocked or unlocked < last:
	    sys.exit("# the refresh locks were let go before the last store was written")
	batches = kinds.count("place")
	print(f"# {batches} batches for 59 stores")
	sys.exit(batches > 15)
END
expect_no_secrets
