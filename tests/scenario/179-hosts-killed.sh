#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `export --release | import`, killed at any step of either: at no time would both hosts send the token, and at no time is it
# lost. Whoever has it afterwards, or takes it back with `own`, has every copy whole. EVERY=1 takes each step, not a sample.
# Long: killed at some steps.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/hosts.sh"
strace -qq -e inject=getpid:signal=SIGCONT:when=1 -o /dev/null true 2>/dev/null || skip "strace may not inject here"

CALLS=write,pwrite64,writev,rename,renameat,renameat2,link,linkat,symlinkat,unlink,unlinkat,mkdir,mkdirat,ftruncate,fallocate,fchmod,fchown,fsync,fdatasync,utimensat,exit_group

login_on a "main coder"
like a b
hand a b
expect_status 0
for host in a b; do
	on "$host"
	due
done
mkdir "$T/as-it-was"
cp -a "$T/a" "$T/b" "$T/as-it-was"
token=$(store_token main)

as_it_was() {
	rm -rf "$T/a" "$T/b"
	cp -a "$T/as-it-was/a" "$T/as-it-was/b" "$T"
}

# would_send HOST
would_send() {
	on "$1"
	keeper preview -j
	[ "$(field '.accounts[0].decision')" = refresh ]
}

# owners: how many hosts would send it.
owners() {
	local n=0
	would_send a && n=$((n + 1))
	would_send b && n=$((n + 1))
	echo "$n"
}

# steps FILE: each call there, and how often: "write 1", "write 2" ...
steps() { sed -E 's/^[0-9]+ +//; s/\(.*//' "$1" | grep -xE '[a-z0-9_]+' | awk '{print $1, ++n[$1]}'; }

# sampled_steps FILE: a sample of them, the first among it.
sampled_steps() { steps "$1" | sed -n "1~${EVERY:-4}p"; }

under() { UNDER=(strace -qq -o /dev/null -e "trace=$1" -e "inject=$1:signal=KILL:when=$2"); }

# The document, or what there is of it.
release_from_a() {
	on a
	{ keeper export --release xai:default; } 2>/dev/null # the shell's word on the kill
	mv "$out" "$T/document"
	: >"$out"
}

import_at_b() {
	on b
	keeper_command import
	{ "${UNDER[@]}" "${COMMAND[@]}" <"$T/document" >"$out" 2>"$err"; } 2>/dev/null
	status=$?
	echo "$status" >"$T/runs/$RUN.status"
}

# ---- the steps of each; and nothing is written to the pipe before it is released, durably
UNDER=(strace -qq -y -o "$T/trace.export" -e "trace=$CALLS")
release_from_a
UNDER=()
expect_status 0
if strace_sees_paths; then "$PYTHON" - "$T/trace.export" <<-'END' || fail "what was written before it was durable" "$(cat "$T/trace.export")"
	import re, sys
	lines = open(sys.argv[1]).read().splitlines()
	put = max(i for i, line in enumerate(lines) if re.match(r"rename\w*\(.*/accounts>.*\.json\"", line))
	synced = next(i for i, line in enumerate(lines) if i > put and re.match(r"f(data)?sync\(\d+<[^>]*accounts>", line))
	text = next(i for i, line in enumerate(lines) if re.search(r"oauth_keepalive_export", line))
	sys.exit(not put < synced < text)
END
else
	not_shown "that nothing is printed before it is durable: strace sees no paths here" || true
fi
UNDER=(strace -qq -o "$T/trace.import" -e "trace=$CALLS")
import_at_b
UNDER=()
expect_status 0
expect_eq "who would send it" "$(owners)" 1

# ---- export, killed before each of its steps
n=0
while read -r call when; do
	n=$((n + 1))
	as_it_was
	under "$call" "$when"
	release_from_a
	UNDER=()
	import_at_b
	imported=$status
	count=$(owners)
	[ "$count" -le 1 ] || fail "export killed at $call $when: $count hosts would send it"
	[ "$imported" = 0 ] || expect_eq "export killed at $call $when: who holds it, b having nothing" "$(would_send b && echo b)" ""
	if [ "$count" = 0 ]; then
		on a
		keeper own xai:default
		expect_eq "export killed at $call $when, and owned again" "$status $(owners)" "0 1"
	fi
	expect_eq "export killed at $call $when: the copies" "$(on a && store_token main) $(on b && store_token coder)" "$token $token"
done < <(sampled_steps "$T/trace.export")
echo "# export was killed at $n steps"
[ $((n * ${EVERY:-4})) -ge 10 ] || fail "export has more steps than $n"

# ---- import, killed before each of its steps, and once more
n=0
while read -r call when; do
	n=$((n + 1))
	as_it_was
	release_from_a
	under "$call" "$when"
	import_at_b
	UNDER=()
	count=$(owners)
	[ "$count" -le 1 ] || fail "import killed at $call $when: $count hosts would send it"
	import_at_b
	expect_eq "import killed at $call $when, and done again" "$status $(owners) $(would_send b && echo b)" "0 1 b"
done < <(sampled_steps "$T/trace.import")
echo "# import was killed at $n steps"
[ $((n * ${EVERY:-4})) -ge 10 ] || fail "import has more steps than $n"

# ---- and it is good
on b
keeper refresh
expect_status 0
expect_posts 1
expect_generation alice main coder
rm -f "$T/document"
