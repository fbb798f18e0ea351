#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Under a real systemd, in the sandbox of its unit: `watch` brings another host's refresh, for the system's manager and for the
# user's own; stopping it is clean; and without a cluster it is not started again and again.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"
. "$(dirname "$0")/systemd.sh" || exit 1

start_etcd
# shellcheck disable=SC2119
start_oidc
mint alice left=5h
new_host b
write_store main xai:default=alice
keeper refresh
expect_status 0

# alice's machine is the other host.
prepare_tree
write_store main xai:default=alice
conf=etc/oauth-keepalive/oauth-keepalive.conf
cp "$tree/$conf" "$T/alone.conf"
mkdir -p "$tree/home/alice/.config"
cp "$T/seal" "$tree/home/alice/.config/seal"
chmod 600 "$tree/home/alice/.config/seal"
echo "cluster = { endpoints = ( $ENDPOINTS ); seal_key_file = \"/home/alice/.config/seal\"; host = \"alice\"; };" >>"$tree/$conf"
start_lab
there=$STATE

has_it() { [ "$(STATE=$there store_token main)" = "$(server_token alice)" ]; }
refreshed_on_b() {
	on_host b
	keeper refresh --force
	expect_status 0
	wait_until has_it
}
# watched MANAGER… UNIT
watched() {
	"${@:1:$#-1}" enable -q --now "${@: -1}"
	refreshed_on_b
	refreshed_on_b
	"${@:1:$#-1}" disable -q --now "${@: -1}"
	expect_eq "how ${*: -1} ended" "$("${@:1:$#-1}" show -P Result -P ExecMainStatus "${@: -1}" | tr '\n' ' ')" "success 0 "
}
watched lab systemctl oauth-keepalive-watch@alice.service
lab systemctl start alice-manager.service
watched alice systemctl --user oauth-keepalive-watch.service
alice /usr/local/bin/oauth-keepalive log -j >"$T/log.json"
expect_eq "runs by" "$(jq -r '[.events[] | select(.event == "adopted").by] | unique | join(" ")' "$T/log.json")" watch

cat "$T/alone.conf" >"/proc/$LAB/root/$conf"
lab systemctl start oauth-keepalive-watch@alice.service
failed() { [ "$(lab systemctl show -P SubState oauth-keepalive-watch@alice.service)" = failed ]; }
wait_until failed
lab journalctl --sync
lab journalctl -q -a -o verbose >"$T/runs/journal"
expect_match "$T/runs/journal" 'no cluster to watch'
# shellcheck disable=SC2119
expect_no_secrets
[ "$FAILED" = 0 ] || lab journalctl -q -o short-monotonic | tail -n 30
