#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The courier is locked in: the real one, made to try a store, is refused by Landlock and by seccomp, and what it needs
# it has.
. "$(dirname "$0")/lib.sh"

COURIER=$(dirname "$OAUTH_KEEPALIVE")/oauth-keepalive-courier
command -v "${CC:-cc}" >/dev/null || skip "no C compiler"
nm -D "$COURIER" 2>/dev/null | grep -q __asan_init && skip "a courier with AddressSanitizer takes no other malloc"
"${CC:-cc}" -shared -fPIC -O1 -o "$T/preload.so" "$TESTS/fuzz/preload.c" || die "tests/fuzz/preload.c does not compile"

fake alice left=30m
write_store main xai:default=alice
secret=$(store main)
before=$(sum "$secret")
mode=$(stat -c %a "$secret")
: >"$T/tried"

# A keeper of our own, because the true one gives its courier an empty environment: the pair at descriptor 3, one SEND.
"$PYTHON" - "$COURIER" "$T/preload.so" "$secret" "$T/tried" "$T/receipt" <<-'END' || fail "the courier did not answer"
	import array, fcntl, json, os, socket, struct, subprocess, sys
	courier, preload, secret, tried, receipt = sys.argv[1:]
	ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
	ours, theirs = (socket.socket(fileno=fcntl.fcntl(end.detach(), fcntl.F_DUPFD_CLOEXEC, 10)) for end in (ours, theirs))
	os.dup2(theirs.fileno(), 3, inheritable=True)
	environment = {"LD_PRELOAD": preload, "PRELOAD_TRY": secret, "PRELOAD_LOG": tried}
	process = subprocess.Popen([courier], pass_fds=[3], env=environment)
	os.close(3)
	theirs.close()
	request = os.memfd_create("request")
	os.write(request, json.dumps({"url": "http://127.0.0.1:1/token", "method": "POST", "headers": [], "locks": [],
	    "body": "FAKE", "deadline_ms": 5000, "hold_until_boot_ms": 0}).encode())
	saved = os.open(receipt, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
	os.write(saved, b"receipt 1 {}\n")
	ours.settimeout(10)
	hear = lambda: struct.unpack("<IIII32s160s", ours.recv(4096))[1:4]
	ready = hear()[0] == 5
	message = struct.pack("<IIII32s160s", 2, 1, 7, 0, b"", b"")
	ours.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [request, saved]))])
	kind, number, result = hear()
	# While it lives: no new privileges, and a filter on its system calls.
	status = dict(line.split(":\t", 1) for line in open(f"/proc/{process.pid}/status").read().splitlines() if ":\t" in line)
	print("#", "NoNewPrivs", status["NoNewPrivs"], "Seccomp", status["Seccomp"], "result", result)
	ours.close()
	process.wait(10)
	sys.exit(not (ready and kind == 4 and number == 7 and result == 2 and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"))
END

tried() { sed -n "s/^$1 //p" "$T/tried"; }
# Refused by the list of calls, whatever the kernel.
for call in unlink rename link chmod truncate execve fork ptrace readv kill limits type; do
	expect_eq "$call within the sandbox" "$(tried $call)" EPERM
done
expect_eq "the certificates" "$(tried certificates)" "done"
expect_eq "its own limits" "$(tried own_limits)" "done"
# Refused by Landlock, from Linux 5.13 on where it is enabled.
landlock=$("$PYTHON" -c 'import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))')
if [ "$landlock" -ge 1 ]; then
	for call in open write openat2 create; do
		expect_eq "$call within the sandbox" "$(tried $call)" EACCES
	done
else
	echo "# this kernel has no Landlock: opening a file is not refused here, the rest is"
fi
expect_untouched "$secret" "$before"
expect_eq "mode of the store" "$(stat -c %a "$secret")" "$mode"
rm -f /tmp/FAKE-created /tmp/FAKE-stolen
