#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The package's scripts under a real systemd: an upgrade stops nothing; a removal stops the timers and lets the run that is
# under way save its answer; a purge takes what was enabled with it, and nothing of a person's; nothing is enabled unasked.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/systemd.sh" || exit 1

command -v deb-systemd-invoke >/dev/null || skip "no Debian"
start_scripted
prepare_tree
install -D -m 755 /dev/stdin "$tree/usr/sbin/policy-rc.d" <<<$'#!/bin/sh\nexit 0' # a container's says that nothing may run
for script in prerm postrm postinst; do
	sed '/^#DEBHELPER#$/d' "$TESTS/../etc/debian/oauth-keepalive.$script" | install -D -m 755 /dev/stdin "$tree/scripts/$script"
done
fake alice left=30m
write_store main xai:default=alice
answers "{\"body\": $(tokens alice-2), \"delay_ms\": 3000}"
start_lab
script() { lab "/scripts/$1" "${@:2}" || fail "$* ended with $?"; }
is() { lab systemctl is-active "$@" | sort -u; }
asked() { [ "$(posts)" -ge 1 ]; }
ended() { [ "$(lab systemctl is-active $UNIT.service)" = inactive ]; }
ledger() { (cd "$LEDGER" && find . -type f ! -name '*.lock' -exec sha256sum {} + | sort); }
LINKS="/etc/systemd/system/timers.target.wants/$UNIT.timer /etc/systemd/system/paths.target.wants/$UNIT.path"

# An administrator has enabled both. While a run waits for its answer, the package is upgraded, then removed.
lab systemctl enable -q --now $UNIT.timer $UNIT.path
lab systemctl start --no-block $UNIT.service
wait_until asked
script prerm upgrade 0.2.0
script postrm upgrade 0.2.0
script postinst configure 0.1.0
expect_eq "timer and path after an upgrade" "$(is $UNIT.timer $UNIT.path)" active
script prerm remove
expect_eq "timer and path after a removal" "$(is $UNIT.timer $UNIT.path)" inactive
wait_until ended
expect_posts 1
expect_eq "the run that was under way" "$(endings)" "success 0"
grep -q alice-2 "$(store main)" || fail "its answer is not in the store"
expect_eq "failed units" "$(lab systemctl list-units -q --failed --no-legend)" ""

# dpkg takes the files away.
lab sh -c 'rm -rf /usr/local/bin/oauth-keepalive /usr/local/libexec/oauth-keepalive && mkdir /kept &&
	cd /usr/local/lib/systemd && mv system user /kept'
before=$(ledger)
script postrm remove
expect_eq "what systemd knows of the timer" "$(lab systemctl show -P LoadState $UNIT.timer)" not-found
for link in $LINKS; do lab test -L "$link" || fail "a removal took $link"; done

# After a purge nothing is enabled any more, and the ledger is as it was. Installed again, nothing is enabled unasked.
lab mkdir -p /var/lib/private/oauth-keepalive-alert/memory
script postrm purge
for link in $LINKS; do lab test ! -L "$link" || fail "a purge left $link"; done
lab test ! -e /var/lib/private/oauth-keepalive-alert || fail "a purge left the alert's memory"
lab test -e /etc/oauth-keepalive/oauth-keepalive.conf || fail "a purge took an administrator's file"
expect_eq "the ledger" "$(ledger)" "$before"
lab sh -c 'mv /kept/system /kept/user /usr/local/lib/systemd/'
script postinst configure
expect_eq "what systemd knows of the timer" "$(lab systemctl show -P LoadState $UNIT.timer)" loaded
expect_eq "enabled" "$(lab systemctl is-enabled $UNIT.timer $UNIT.path | sort -u)" disabled
expect_eq "running" "$(is $UNIT.timer $UNIT.path $UNIT.service)" inactive
