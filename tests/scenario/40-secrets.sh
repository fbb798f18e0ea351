#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# No token, nor 8 characters of one, is anywhere but in the stores and the ledger: not in what is printed, not in
# /proc, not in freed memory, not in a core dump, not in what a kill leaves behind for long; and what holds tokens is
# private.
. "$(dirname "$0")/lib.sh" || exit 1

# Bound at once, as what it is loaded into is: the first call of a function by a library that is not saves all vector
# registers on the stack, in which strings were copied.
nm -D "$OAUTH_KEEPALIVE" 2>/dev/null | grep -q __asan_init || {
	command -v "${CC:-cc}" >/dev/null && "${CC:-cc}" -shared -fPIC -O1 -Wl,-z,now -o "$T/preload.so" "$TESTS/fuzz/preload.c"
}

# private DIRECTORY: directories 0700, files 0600, of the ledger and of what we add to the state directory.
private() {
	expect_eq "what others can reach in $(basename "$1")" "$(find "$1" ! -type l -perm /077 | sort)" ""
	expect_eq "executable files in $(basename "$1")" "$(find "$1" -type f -perm /0111)" ""
}

# ---- memory, when all is done: the heap with what was freed, the stack, the data
start_oidc
if [ -f "$T/preload.so" ]; then # named from here: the list of LD_PRELOAD ends at a space
	for command in "refresh" "refresh --force -v" "status -j" "preview -j"; do
		mint "m$ROUND" left=30m jwt=yes email=alice@example.com
		write_store "main a" xai:default="m$ROUND"
		UNDER=(env LD_PRELOAD=./preload.so PRELOAD_DUMP="$T/memory")
		# shellcheck disable=SC2086
		keeper $command
		UNDER=()
		expect_status 0
		# Would we see one? What is no secret is there.
		grep -qa "agent/auth-profiles.json" "$T/memory" || fail "$command: the dump holds nothing"
		expect_no_secrets "$T/memory"
		fresh
	done
fi

# ---- modes, under a generous umask
mint modes left=30m
write_store "main a" xai:default=modes
chmod -R go-w "$STATE"
chmod 640 "$(store main)"
# shellcheck disable=SC2016
UNDER=(bash -c 'umask 000; exec "$@"' -)
keeper refresh
UNDER=()
expect_status 0
expect_eq "mode of main" "$(stat -c %a "$(store main)")" 640
private "$LEDGER"
private "$STATE/locks"

# ---- while a request is under way: arguments, environments, core limit, and then an orphan's memory
fresh
start_scripted tls
fake bob left=30m
write_store "main a" xai:default=bob
answers "{\"body\": $(tokens bob2), \"held\": true}"
start_keeper refresh -v
# shellcheck disable=SC2317 # by wait_until
was_sent() { [ -n "$(couriers)" ] && [ "$(posts)" != 0 ]; }
wait_until was_sent
keeper_pid=${STARTED[0]%:*}
courier=$(couriers)
for pid in $keeper_pid $courier; do
	{ cat "/proc/$pid/cmdline" "/proc/$pid/environ" "/proc/$pid/status" "/proc/$pid/limits"; } >"$T/runs/proc.$pid" 2>/dev/null
	expect_match "$T/runs/proc.$pid" '^Max core file size +0 +0 '
done
[ -n "$courier" ] || fail "no courier to look at"

# ---- killed at any moment: what is left is private, and gone after the next run
kill -9 "$keeper_pid"
wait_keepers
release_answer
private "$LEDGER"
wait_until grep -qs "^answered" "$LEDGER"/receipts/*
# It stays as the guard of the locks; of the tokens it holds nothing any more. (To look needs CAP_SYS_PTRACE.)
if kill -0 "$courier" 2>/dev/null && [ -r "/proc/$courier/mem" ] && dd if="/proc/$courier/mem" bs=1 count=0 2>/dev/null; then
	memory() {
		"$PYTHON" - "$courier" "$T/orphan" <<-'END'
			import sys
			pid, out = sys.argv[1:]
			with open(f"/proc/{pid}/mem", "rb", 0) as memory, open(out, "wb") as dump:
			    for line in open(f"/proc/{pid}/maps"):
			        span, mode = line.split()[:2]
			        if mode.startswith("rw"):
			            start, end = (int(x, 16) for x in span.split("-"))
			            memory.seek(start)
			            dump.write(memory.read(end - start))
		END
	}
	# What it holds until the answer is durable is under way, not left.
	is_empty_of_them() { memory && (expect_no_secrets "$T/orphan") >/dev/null; }
	if memory; then
		wait_until is_empty_of_them
		grep -qa oauth-keepalive "$T/orphan" || fail "the dump of the courier holds nothing"
		expect_no_secrets "$T/orphan"
	else
		not_shown "the memory of the courier: it cannot be read here"
	fi
fi
keeper refresh -j
expect_status 0
expect_posts 1
private "$LEDGER"

# The keeper killed by the kernel at each step that writes (its courier is not traced): temp files are private, and the next run sweeps them.
kills="fsync:1 fsync:3 fsync:6 renameat:1 ftruncate:1 ftruncate:2 symlinkat:1 renameat2:1 unlinkat:1"
strace -qq -e trace=execve -o /dev/null true 2>/dev/null || not_shown "what a kill leaves behind: strace may not trace here" || kills=
for call in $kills; do
	fresh
	fake "k$ROUND" left=30m
	write_store "main a" xai:default="k$ROUND"
	answers "{\"body\": $(tokens "after$ROUND")}"
	# shellcheck disable=SC2034 # keeper uses it
	UNDER=(strace -qq -o /dev/null -e "trace=${call%:*}" -e "inject=${call%:*}:signal=KILL:when=${call#*:}")
	{ keeper refresh; } 2>/dev/null # the shell's word on the kill
	UNDER=()
	expect_status 137
	private "$LEDGER"
	expect_eq "killed at $call: what others can read" \
		"$(find "$STATE" -name '*.tmp' -perm /077)" ""
	stop_couriers
	keeper refresh
	expect_eq "killed at $call: left behind" "$(find "$HOME" -name '*.tmp')" ""
	expect_eq "killed at $call: posts" "$(($(posts) - POSTS_BEFORE))" 1
done

# ---- a debugger, or a core dump, of the same user: what may be looked at may be dumped, and neither program may. (Of
# root's processes that cannot be seen, so root becomes somebody else.)
fresh
start_scripted
fake dora left=30m
write_store "main a" xai:default=dora
answers "{\"body\": $(tokens dora2), \"held\": true}"
AS=()
if [ "$(id -u)" = 0 ] && public_program; then
	AS=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chown -R 65534:65534 "$HOME"
fi
# shellcheck disable=SC2317 # by wait_until
looks() { "${AS[@]}" cat "/proc/$1/environ" >/dev/null 2>&1; }
keeper_command refresh
chmod 644 "$T/keeper.conf"
COMMAND[0]=${PUBLIC:-$OAUTH_KEEPALIVE}
"${AS[@]}" "${COMMAND[@]}" >"$out" 2>"$err" </dev/null &
keeper_pid=$!
wait_until was_sent
"${AS[@]}" sleep infinity &
SERVERS+=($!)
wait_until looks $! # or nothing is shown by this: a process like any other can be looked at
for pid in "$keeper_pid" "$(couriers)"; do
	kill -0 "$pid" || fail "there is nothing to look at"
	looks "$pid" && fail "a debugger of the same user may look into $(tr "\0" "\n" <"/proc/$pid/cmdline" | head -n 1)"
done
release_answer
wait "$keeper_pid"
expect_eq "exit status as another user" "$?" 0

expect_no_secrets
