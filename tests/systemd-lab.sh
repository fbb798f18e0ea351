#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# A real systemd on any machine: PID 1 of its own namespaces, over a throw-away overlay of this machine's root. Root
# only. It shares this machine's network, and nothing else that it could change.
#
#	systemd-lab.sh check                   0 if it can run here, else 77 and why not on standard output
#	systemd-lab.sh start TREE PIDFILE      in the foreground until it is ended (TERM): TREE's files are laid over
#	                                       the root, and home/alice in it belongs to alice (uid and gid 4242,
#	                                       also in the group team, 4300).
#	                                       PIDFILE then names PID 1, as seen from here
#	systemd-lab.sh run PID COMMAND…        in there, as root
#	systemd-lab.sh alice PID COMMAND…      in there, as alice: systemctl --user talks to her own manager, which
#	                                       `systemctl start alice-manager.service` starts
#
# /proc/PID/root is its root. Only the journal and what a test starts run in it.
set -euo pipefail
ALICE=4242

unusable() {
	echo "$*"
	exit 77
}

check() {
	[ "$(id -u)" = 0 ] || unusable "not root"
	[ -x /lib/systemd/systemd ] || unusable "no systemd"
	command -v unshare nsenter setpriv >/dev/null || unusable "no util-linux"
	[ -n "$(cgroups)" ] || unusable "no cgroup2 file system is mounted"
	mkdir "$(cgroups)/$NAME" 2>/dev/null || unusable "no cgroup can be made"
	rmdir "$(cgroups)/$NAME"
	# shellcheck disable=SC2016
	unshare --mount --pid --fork --uts --ipc --cgroup --propagation private sh -c '
		d=$(mktemp -d) && mount -t tmpfs tmpfs "$d" && mkdir "$d/up" "$d/work" "$d/root" &&
		mount -t overlay overlay -o "lowerdir=/,upperdir=$d/up,workdir=$d/work" "$d/root" &&
		mount -t proc proc "$d/root/proc"; r=$?; umount -l "$d"; rmdir "$d"; exit $r
	' >/dev/null 2>&1 || unusable "namespaces or overlay mounts are not allowed here"
}

cgroups() { findmnt -n -o TARGET -t cgroup2 | head -n 1; }
NAME=oauth-keepalive-lab-$$

# ---- inside of the namespaces, in front of PID 1

mount_devices() {
	local node
	mount -t tmpfs -o mode=755 tmpfs dev
	for node in null zero full random urandom tty; do
		: >"dev/$node"
		mount --bind "/dev/$node" "dev/$node"
	done
	mkdir dev/pts dev/shm dev/mqueue
	mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
	ln -s pts/ptmx dev/ptmx
	ln -s /proc/self/fd dev/fd
	mount -t tmpfs tmpfs dev/shm
}

# Of the machine's units only the journal's are started, and no generator adds any.
empty_systemd() {
	rm -rf etc/fstab etc/systemd/system etc/systemd/user lib/systemd/system-generators/* lib/systemd/user-generators/*
	rm -rf lib/systemd/system/*.wants lib/systemd/user/*.wants
	mkdir -p etc/systemd/system etc/systemd/user
	cat >etc/systemd/system/lab.target <<-'END'
		[Unit]
		Requires=systemd-journald.service
		After=systemd-journald.service
		AllowIsolate=yes
	END
	cat >etc/systemd/system/alice-manager.service <<-END
		[Service]
		Type=notify
		User=alice
		Delegate=yes
		Environment=XDG_RUNTIME_DIR=/run/user/$ALICE
		ExecStartPre=+/bin/sh -c 'mkdir -p /run/user/$ALICE && chown $ALICE:$ALICE /run/user/$ALICE && chmod 700 /run/user/$ALICE'
		ExecStart=/lib/systemd/systemd --user --unit=basic.target
	END
}

become_systemd() {
	local disk=$1 tree=$2
	umask 022
	mount -t tmpfs -o mode=755 tmpfs "$disk"
	mkdir "$disk/up" "$disk/work" "$disk/root"
	mount -t overlay overlay -o "lowerdir=/,upperdir=$disk/up,workdir=$disk/work" "$disk/root"
	cd "$disk/root"
	mount -t proc proc proc
	mount_devices
	mount -t sysfs -o ro sysfs sys
	mount -t tmpfs tmpfs sys/fs/cgroup # over whatever the machine has there
	umount sys/fs/cgroup
	mount -t cgroup2 cgroup2 sys/fs/cgroup
	mount -t tmpfs -o mode=755 tmpfs run
	mount -t tmpfs -o mode=1777 tmpfs tmp
	mkdir -p var/log/journal
	empty_systemd
	echo "alice:x:$ALICE:$ALICE::/home/alice:/bin/sh" >>etc/passwd
	printf '%s\n' "alice:x:$ALICE:" "team:x:4300:alice" >>etc/group
	tar -C "$tree" -c . | tar -x --no-same-owner --no-overwrite-dir
	chown -R "$ALICE:$ALICE" home/alice
	mkdir .old
	pivot_root . .old
	umount -l /.old
	exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		/lib/systemd/systemd --system --unit=lab.target --log-target=journal --show-status=no
}

# ---- outside

start() {
	local tree pidfile group disk child
	umask 022
	tree=$(realpath "$1") pidfile=$(realpath -m "$2")
	group=$(cgroups)/$NAME disk=$(mktemp -d)
	mkdir "$group"
	# shellcheck disable=SC2064,SC2154 # now, with these values
	trap "end '$group' '$disk'" EXIT
	trap 'exit 143' TERM INT
	bash -c 'echo $$ >"$0/cgroup.procs"; exec unshare --mount --pid --fork --kill-child --uts --ipc --cgroup \
		--propagation private "$@"' "$group" "$0" inside "$disk" "$tree" </dev/null &
	child=$!
	until [ -s "$pidfile" ]; do
		kill -0 "$child"
		tr -d ' ' <"/proc/$child/task/$child/children" >"$pidfile" 2>/dev/null || true
		sleep 0.02
	done
	wait "$child"
}

# shellcheck disable=SC2317 # called by the trap
end() {
	trap '' TERM INT # once is enough
	[ -z "${child:-}" ] || kill -9 "$child" 2>/dev/null || true
	wait 2>/dev/null || true
	for _ in {1..100}; do # the kernel takes a moment to end them all
		find "$1" -depth -type d -exec rmdir {} + 2>/dev/null && break
		sleep 0.05
	done
	rmdir "$2"
}

enter() { exec nsenter -t "$1" -m -p -u -i -C -r -w env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 "${@:2}"; }

case ${1:-} in
check) check ;;
start) start "$2" "$3" ;;
inside) become_systemd "$2" "$3" ;;
run) enter "$2" "${@:3}" ;;
alice)
	enter "$2" setpriv --reuid="$ALICE" --regid="$ALICE" --clear-groups env HOME=/home/alice USER=alice \
		XDG_RUNTIME_DIR="/run/user/$ALICE" "${@:3}"
	;;
*) sed -n '/^#\t/s/^#\t//p' "$0" >&2 && exit 2 ;;
esac
