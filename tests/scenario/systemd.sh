# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# For scenarios under a real systemd (tests/systemd-lab.sh), after lib.sh:
#
#	prepare_tree                      the program installed below $tree as the README says; then add to it
#	start_lab                         alice's machine: lab COMMAND…, alice COMMAND…, STATE and LEDGER in there
#
# shellcheck disable=SC2034 # STATE, LEDGER: lib.sh's

LAB_SCRIPT=$TESTS/systemd-lab.sh
why=$("$LAB_SCRIPT" check) || skip "$why"
grep -qs __asan_init "$OAUTH_KEEPALIVE" && skip "a sanitizer does not run in the units' sandbox"
tree=$T/tree
UNIT=oauth-keepalive@alice

prepare_tree() {
	(
		set -e
		umask 022
		mkdir -p "$tree/etc/oauth-keepalive"
		make -s -C "$TESTS/.." -o all install BUILD="$(realpath --relative-to="$TESTS/.." "$(dirname "$OAUTH_KEEPALIVE")")" PREFIX=/usr/local DESTDIR="$tree"
		for unit in system/oauth-keepalive@ user/oauth-keepalive; do
			mkdir -p "$tree/etc/systemd/$unit".{timer,service}.d
			# shellcheck disable=SC2016 # systemd's variables
			printf '[Service]\nExecStopPost=/bin/echo ended: $SERVICE_RESULT $EXIT_STATUS\n' \
				>"$tree/etc/systemd/$unit.service.d/say.conf"
		done
		echo "providers = ( { name = \"xai\"; token_url = \"$TOKEN_URL\"; } );" >"$tree/etc/oauth-keepalive/oauth-keepalive.conf"
	) || die "make install"
	STATE=$tree/home/alice/.openclaw
}

start_lab() {
	"$LAB_SCRIPT" start "$tree" "$T/lab.pid" >"$T/lab.log" 2>&1 &
	SERVERS+=($!)
	wait_until [ -s "$T/lab.pid" ] || die "no lab: $(cat "$T/lab.log")"
	LAB=$(cat "$T/lab.pid")
	wait_until lab_runs || die "the lab's systemd does not come up: $(cat "$T/lab.log")"
	STATE=/proc/$LAB/root/home/alice/.openclaw
	LEDGER=/proc/$LAB/root/home/alice/.local/state/oauth-keepalive
}
lab() { "$LAB_SCRIPT" run "$LAB" "$@"; }
alice() { "$LAB_SCRIPT" alice "$LAB" "$@"; }
lab_runs() { lab systemctl is-active -q lab.target 2>/dev/null; }
# endings [MATCH…]: how the runs ended, oldest first.
endings() { lab journalctl --sync && lab journalctl -q -o cat "${@:--u$UNIT}" | sed -n 's/^ended: //p'; }
