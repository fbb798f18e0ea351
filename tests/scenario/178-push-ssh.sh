#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The hook push-ssh, by a real sshd on loopback: when the run ends, every host that follows has the new generation. Who is
# down gets it with a later run, who refuses it does not keep it from the others, and one that follows sends nothing.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/hosts.sh"

SSHD=$(PATH=$PATH:/usr/sbin command -v sshd) || skip "sshd is missing (Debian: openssh-server)"
command -v ssh >/dev/null || skip "ssh is missing (Debian: openssh-client)"

# Root's sshd wants a user and a directory of its own: they are made where nobody else sees them. Its libraries may be
# beside it, where a package was unpacked and not installed.
libraries=$(echo "${SSHD%/*/*}"/lib/*-linux-gnu* | tr ' ' ':')
cat >"$T/sshd" <<-END
	set -e
	export LD_LIBRARY_PATH=$libraries
	if [ \$(id -u) = 0 ]; then
		mount -t tmpfs tmpfs /run
		mkdir -m 755 /run/sshd
		printf '%s\n' "root:x:0:0:root:$T:/bin/sh" "sshd:x:65533:65534::/run/sshd:/bin/false" >$T/passwd
		mount --bind $T/passwd /etc/passwd
	fi
	exec $SSHD -D -e -f $T/sshd_config -p \$1
END
apart=
if [ "$(id -u)" = 0 ]; then
	apart="unshare -m"
	$apart true 2>/dev/null || skip "root may not have a mount namespace here"
else
	case $(getent passwd "$(id -u)") in *nologin | *false) skip "nobody logs in as $(id -un)" ;; esac
fi
cat >"$T/sshd_config" <<-END
	ListenAddress 127.0.0.1
	HostKey $T/hostkey
	AuthorizedKeysFile $T/authorized_keys
	StrictModes no
	UsePAM no
	PidFile none
END
ssh-keygen -q -t ed25519 -N '' -f "$T/hostkey"

free_port() {
	"$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# It may be taken by somebody else in between: then another one.
listens_or_ended() { grep -q 'Server listening' "$T/sshd.log" || ! kill -0 "$sshd" 2>/dev/null; }
start_sshd() {
	local port
	for _ in 1 2 3 4 5; do
		port=$(free_port)
		$apart sh "$T/sshd" "$port" >"$T/sshd.log" 2>&1 &
		sshd=$!
		wait_until listens_or_ended
		kill -0 "$sshd" 2>/dev/null && break
		wait "$sshd"
	done
	kill -0 "$sshd" 2>/dev/null || die "sshd: $(cat "$T/sshd.log")"
	SERVERS+=("$sshd")
	for host in b c; do
		printf '%s\n' "Host $host" "	HostName 127.0.0.1" "	Port $port" "	IdentityFile $T/key-$host"
	done >"$T/ssh_config"
	printf '%s\n' "Host *" "	User $(id -un)" "	IdentitiesOnly yes" "	UserKnownHostsFile $T/known_hosts" "	StrictHostKeyChecking accept-new" >>"$T/ssh_config"
}

# follower HOST: as the manual says, with a key that can do nothing else.
follower() {
	like a "$1"
	CONFIG=
	keeper status
	cp "$T/keeper.conf" "$T/$1.conf"
	ssh-keygen -q -t ed25519 -N '' -f "$T/key-$1"
	cat >"$T/$1.sh" <<-END
		echo "$1: \$SSH_ORIGINAL_COMMAND" >>$T/asked
		HOME=$HOME exec $OAUTH_KEEPALIVE --config $T/$1.conf --ledger-dir $LEDGER -q import
	END
	echo "restrict,command=\"sh $T/$1.sh\" $(cat "$T/key-$1.pub")" >>"$T/authorized_keys"
	hand a "$1"
	expect_status 0
}

# pushing HOST...: from now on the hook is configured.
push=$(realpath "$TESTS/../etc/hooks/push-ssh")
pushing() {
	CONFIG="hooks = { refreshed = \"$push -F $T/ssh_config $*\"; adopted = \"$push -F $T/ssh_config $*\"; };"
}
expect_asked() { expect_eq "asked" "$(sort "$T/asked" 2>/dev/null)" "$1"; rm -f "$T/asked"; }

# shellcheck disable=SC2119
start_oidc
mint alice left=5h email=alice@example.com
on a
write_store "main coder" xai:default=alice
keeper refresh
follower b
follower c
start_sshd

# ---- each new generation, at each of them, when the run ends
pushing b c
on a
due
keeper refresh
expect_status 0
expect_posts 1
for host in a b c; do
	on "$host"
	expect_generation alice main coder
done
expect_asked "b: oauth-keepalive -q import
c: oauth-keepalive -q import"
expect_ownership c follows

# ---- who is down gets it with a later run, as soon as it is up
kill "$sshd"
wait "$sshd" 2>/dev/null
on a
due
keeper refresh
expect_status 0
expect_match "$err" "push-ssh: b: exit status 255"
on b
expect_eq "what b has" "$(store_token coder)" "$(store_token main)"
stale=$(store_token main)
start_sshd
on a
keeper refresh
expect_status 0
expect_posts 2
[ "$(store_token main)" != "$stale" ] || fail "nothing new was to be sent"
for host in b c; do
	on "$host"
	expect_generation alice main coder
done
rm -f "$T/asked"
on a
keeper refresh
expect_asked ""

# ---- a file of hosts, with the profiles that each follows
printf '%s\n' "# those that follow" "b xai:*" "" "c openai-codex:*" >"$T/hosts"
pushing "$T/hosts"
on a
due
keeper refresh
expect_asked "b: oauth-keepalive -q import"

# ---- one that follows sends nothing, whatever its hooks say
pushing b
hand a c
expect_status 0
on c
expect_generation alice main coder
expect_asked ""

# ---- one that has a login of its own refuses, and the others have theirs
on b
sleep 1.1 # whole seconds tell when it was issued
mint own left=6h email=alice@example.com
write_store main xai:default=own
CONFIG=
keeper refresh
expect_ownership b ours
own=$(store_token main)
pushing b c
on a
due
keeper refresh
expect_status 0
expect_match "$err" "push-ssh: b: exit status 3"
on c
expect_generation alice main coder
on b
expect_eq "b's own login" "$(store_token main)" "$own"

rm -f "$T/document" "$T/asked"
expect_no_secrets "$T/sshd.log"
