#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The courier is locked in: the real one, made to try a store, is refused by Landlock and by seccomp, and what it needs
# it has.
. "$(dirname "$0")/lib.sh" || exit 1

COURIER=$(dirname "$OAUTH_KEEPALIVE")/oauth-keepalive-courier
command -v "${CC:-cc}" >/dev/null || skip "no C compiler"
nm -D "$COURIER" 2>/dev/null | grep -q __asan_init && skip "a courier with AddressSanitizer takes no other malloc"
"${CC:-cc}" -shared -fPIC -O1 -Wl,-z,now -o "$T/preload.so" "$TESTS/fuzz/preload.c" || die "tests/fuzz/preload.c does not compile"

fake alice left=30m
write_store main xai:default=alice
secret=$(store main)
before=$(sum "$secret")
mode=$(stat -c %a "$secret")

# Somebody to talk to, by name and by an abstract name. As the user's D-Bus would, they answer anybody.
"$PYTHON" - "$T/socket" <<-'END' &
	import socket, sys, time
	for name in (sys.argv[1], "\0FAKE-abstract"):
	    listener = socket.socket(socket.AF_UNIX)
	    listener.bind(name)
	    listener.listen(64)
	    globals()[name] = listener
	time.sleep(600)
END
SERVERS+=($!)
wait_until [ -S "$T/socket" ]

# try [PREFIX…]: a keeper of our own, because the true one gives its courier an empty environment: the pair at descriptor 3, one SEND.
export LOCAL= # whether names below .local are asked for
try() {
	: >"$T/tried"
	rm -f "$T/receipt"
	"$@" "$PYTHON" - "$COURIER" ./preload.so "$secret" "$T/tried" "$T/receipt" <<-'END' || fail "the courier did not answer"
	import array, fcntl, json, os, socket, struct, subprocess, sys
	courier, preload, secret, tried, receipt = sys.argv[1:]
	ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
	ours, theirs = (socket.socket(fileno=fcntl.fcntl(end.detach(), fcntl.F_DUPFD_CLOEXEC, 10)) for end in (ours, theirs))
	os.dup2(theirs.fileno(), 3, inheritable=True)
	environment = {"LD_PRELOAD": preload, "PRELOAD_TRY": secret, "PRELOAD_LOG": tried,
	    "PRELOAD_SOCKET": os.path.join(os.path.dirname(tried), "socket")}
	process = subprocess.Popen([courier, *os.environ["LOCAL"].split()], pass_fds=[3], env=environment)
	os.close(3)
	theirs.close()
	request = os.memfd_create("request")
	os.write(request, json.dumps({"url": "http://127.0.0.1:1/token", "method": "POST", "headers": [], "locks": [],
	    "body": "FAKE", "deadline_ms": 60000, "hold_until_boot_ms": 0}).encode())
	saved = os.open(receipt, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
	os.write(saved, b"receipt 1 {}\n")
	ours.settimeout(300)
	hear = lambda: struct.unpack("<IIII32s160s", ours.recv(4096))[1:4]
	ready = hear()[0] == 5
	message = struct.pack("<IIII32s160s", 2, 1, 7, 0, b"", b"")
	ours.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [request, saved]))])
	kind, number, result = hear()
	# While it lives: no new privileges, and a filter on its system calls.
	status = dict(line.split(":\t", 1) for line in open(f"/proc/{process.pid}/status").read().splitlines() if ":\t" in line)
	print("#", "NoNewPrivs", status["NoNewPrivs"], "Seccomp", status["Seccomp"], "result", result)
	ours.close()
	process.wait(300)
	sys.exit(not (ready and kind == 4 and number == 7 and result == 2 and status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"))
END
}
try

tried() { sed -n "s/^$1 //p" "$T/tried"; }
# Refused by the list of calls, whatever the kernel.
for call in datagram packet unlink rename link chmod truncate execve fork ptrace readv kill limits type; do
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
# Linux 6.3
if [ "$("$PYTHON" -c 'import ctypes; print(ctypes.CDLL(None).prctl(66, 0, 0, 0, 0))')" -ge 0 ]; then
	expect_eq "code that can be written, within the sandbox" "$(tried executable)" EACCES
fi
expect_untouched "$secret" "$before"

# Unix sockets: none, but where the name service of the machine has a daemon that is asked through one; then abstract
# ones are out of reach all the same.
mkdir -p "$T/run"
# shellcheck disable=SC2016 # the inner shell's
overlaid=(unshare --mount --propagation private sh -c 'mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf &&
	mount --bind "$0/resolv.conf" /etc/resolv.conf && mount --bind "$0/run" /run && exec "$@"' "$T")
cp /etc/nsswitch.conf /etc/resolv.conf "$T"
if [ "$(id -u)" != 0 ] || ! "${overlaid[@]}" true 2>/dev/null; then
	echo "# name services were not tried: that takes root and a mount namespace"
else
	while IFS='|' read -r hosts server socket expected LOCAL; do
		rm -rf "$T/run" && mkdir -p "$T/run"
		printf '# hosts: wins\nhosts:%s\n' "$hosts" >"$T/nsswitch.conf"
		printf 'nameserver %s\n' "$server" >"$T/resolv.conf"
		[ -z "$socket" ] || { mkdir -p "$T/run/$(dirname "$socket")" && : >"$T/run/$socket"; }
		try "${overlaid[@]}"
		expect_eq "unix, with hosts:$hosts, nameserver $server${socket:+ and $socket}" "$(tried unix)" "$expected"
		if [ "$expected" = EPERM ] || [ "$landlock" -ge 6 ]; then
			expect_eq "abstract, with hosts:$hosts" "$(tried abstract)" EPERM
		fi
	done <<-'ROWS'
		 files dns|9.9.9.9||EPERM
		|9.9.9.9||EPERM
		 files myhostname dns # sss|9.9.9.9||EPERM
		 files dns|9.9.9.9|nscd/socket|done
		 files dns sss|9.9.9.9||done
		 files mdns4_minimal [NOTFOUND=return] dns|9.9.9.9||EPERM
		 files mdns4_minimal [NOTFOUND=return] dns|9.9.9.9|avahi-daemon/socket|EPERM
		 files mdns4_minimal [NOTFOUND=return] dns|9.9.9.9|avahi-daemon/socket|done|--local-names
		 files mdns4_minimal [NOTFOUND=return] dns|9.9.9.9||EPERM|--local-names
		 files mdns4 dns|9.9.9.9|avahi-daemon/socket|done
		 mymachines resolve [!UNAVAIL=return] files myhostname dns|127.0.0.53|systemd/resolve/io.systemd.Resolve|EPERM
		 mymachines resolve [ !UNAVAIL=return ] files myhostname dns|9.9.9.9|systemd/resolve/io.systemd.Resolve|done
		 files resolve|127.0.0.53|systemd/resolve/io.systemd.Resolve|done
		 files resolve dns|9.9.9.9||EPERM
	ROWS
fi
expect_eq "mode of the store" "$(stat -c %a "$secret")" "$mode"
rm -f /tmp/FAKE-created /tmp/FAKE-stolen
