#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Under a real systemd the installed timers refresh once and in time, out of their sandbox, and no token is logged.
# Long: a systemd boots.
. "$(dirname "$0")/lib.sh" || exit 1

. "$(dirname "$0")/systemd.sh" || exit 1

# ---- a machine: installed as the README says, alice's stores, five logins

# shellcheck disable=SC2119
start_oidc
prepare_tree
for unit in system/oauth-keepalive@ user/oauth-keepalive; do
	printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/2\nRandomizedDelaySec=0\n' >"$tree/etc/systemd/$unit.timer.d/often.conf"
	chmod 644 "$tree/etc/systemd/$unit.timer.d/often.conf" # alice's manager reads it, too
done
mint alice left=30m
write_store "main a" xai:default=alice

start_lab

# login NAME: a new login under a profile of its own, in main and a; due at once.
login() {
	mint "$1" left=30m
	for agent in main a; do
		jq --arg id "xai:$1" --slurpfile new "$T/logins/$1.json" '.profiles[$id] = $new[0]' "$(store $agent)" >"$T/new"
		cat "$T/new" >"$(store $agent)"
	done
	reset_posts
}
# refreshed NAME: both stores hold what the server gave last, for one request.
refreshed() {
	expect_posts 1
	expect_eq "$1's grant is alive" "$(control state | jq ".accounts[\"$1\"].alive")" true
	for agent in main a; do
		expect_eq "$1's token in $agent" "$(store_token $agent "xai:$1")" "$(server_token "$1")"
	done
}
is_in() { [ "$(lab systemctl show $UNIT -P ActiveState)" = "$1" ]; }
posted() { [ "$(posts)" -gt "$POSTS_BEFORE" ]; }

# ---- the system's template: the timer fires, refreshes, and the next time does nothing

lab systemctl enable -q --now $UNIT.timer
# shellcheck disable=SC2317 # by wait_until
ran_twice() { [ "$(endings "$@" | wc -l)" -ge 2 ]; }
wait_until ran_twice
expect_posts 1
expect_generation alice main a
expect_eq "owner of the ledger's directories" \
	"$(cd "${LEDGER%/.local/*}" && stat -c '%u %a' .local .local/state .local/state/oauth-keepalive | uniq)" "4242 700"
lab systemctl disable -q --now $UNIT.timer
wait_until is_in inactive

# ---- busy is success; and from in the sandbox a process of alice's that holds a lock is seen to live

login bob
lock=$STATE/locks/oauth-refresh/sha256-$(printf 'xai\0xai:bob' | sha256sum | cut -c1-64).lock
# shellcheck disable=SC2016 # the inner shell's
alice sh -c 'echo "{\"pid\": $$, \"createdAt\": \"$(date -u +%FT%T.000Z)\"}" >"$0"; exec sleep infinity' "${lock#/proc/*/root}" &
holder=$!
wait_until [ -s "$lock" ]
lab systemctl start $UNIT || fail "a busy run counts as failed"
expect_eq "how it ended" "$(endings | tail -n 1)" "success 4"
expect_posts 0
lab kill "$(jq .pid "$lock")"
wait $holder 2>/dev/null
lab systemctl start $UNIT
expect_eq "how the next one ended" "$(endings | tail -n 1)" "success 0"
refreshed bob

# ---- stopped in the middle of a request: it is finished

login carol
hold_answer
lab systemctl start --no-block $UNIT
wait_until posted
lab systemctl stop --no-block $UNIT
wait_until is_in deactivating
release_answer
wait_until is_in inactive
expect_eq "how it ended" "$(endings | tail -n 1)" "success TERM"
refreshed carol

# ---- killed in the middle of a request: the courier lives on, and the next run has its answer

login dave
hold_answer
lab systemctl start --no-block $UNIT
wait_until posted
filters=$(lab cat "/proc/$(lab systemctl show $UNIT -P MainPID)/status" | awk '/^Seccomp_filters/ { print $2 }')
lab systemctl kill --kill-who=main --signal=KILL $UNIT
wait_until is_in failed
courier=$(lab pgrep -u alice -x oauth-keepalive | head -n 1)
expect_eq "the survivor" "$(lab cat "/proc/${courier:-0}/cmdline" | tr -d '\0')" oauth-keepalive-courier
expect_eq "system call filters: the unit's and the courier's" \
	"$(lab cat "/proc/${courier:-0}/status" | awk '/^Seccomp_filters/ { print ($2 > unit ? "both" : "one") }' unit="$filters")" both
release_answer
answered() { grep -qs '^answered' "$LEDGER"/receipts/*; }
wait_until answered
lab systemctl reset-failed $UNIT
lab systemctl start $UNIT
refreshed dave

# ---- the sandbox holds: nothing can be written but where the stores and the ledger are

mkdir -p "/proc/$LAB/root/etc/systemd/system/$UNIT.service.d"
cat >"/proc/$LAB/root/etc/systemd/system/$UNIT.service.d/probe.conf" <<'END'
[Service]
ExecStart=
ExecStart=/bin/sh -c 'for d in /etc /var/tmp /tmp /home/alice /home/alice/.local /home/alice/.openclaw /home/alice/.local/state/oauth-keepalive; do touch $$d/probe 2>/dev/null && echo wrote $$d; done; echo uid $$(id -u), others: $$(ls -d /proc/1 2>/dev/null), sockets: $$(ls /run/user /run/dbus 2>/dev/null)'
END
lab systemctl daemon-reload
lab sh -c 'umask 022; mkdir -p /run/user/1 /run/dbus/socket'
lab systemctl start $UNIT
expect_eq "what the service may write" "$(lab journalctl -q -o cat -t sh -u $UNIT | grep -v -e '^ended' -e 'tmp$')" \
	"$(printf '%s\n' "wrote /home/alice/.openclaw" "wrote /home/alice/.local/state/oauth-keepalive" "uid 4242, others: /proc/1, sockets:")"
expect_eq "and what becomes of /tmp" "$(ls -d "/proc/$LAB/root/tmp/probe" "/proc/$LAB/root/var/tmp/probe" 2>/dev/null)" ""
rm "$STATE/probe" "$LEDGER/probe"

# ---- the user's own manager

login erin
lab systemctl start alice-manager.service
alice systemctl --user enable -q --now oauth-keepalive.timer
wait_until ran_twice -ualice-manager
alice systemctl --user disable -q --now oauth-keepalive.timer
refreshed erin

# ---- and there it does what alice's shell does: a store of a group she is in besides keeps it …

login frank
lab chgrp team "/home/alice/.openclaw/agents/main/agent/auth-profiles.json"
lab chmod 640 "/home/alice/.openclaw/agents/main/agent/auth-profiles.json"
alice systemctl --user start oauth-keepalive.service || fail "a store of another group of hers is not refreshed"
refreshed frank
expect_eq "its group and mode" "$(stat -c '%g %a' "$(store main)")" "4300 640"

# … and a configuration of somebody else's, or one that somebody else could replace, is refused.
login grace
settings=/home/alice/.config/oauth-keepalive
alice sh -c "mkdir -p $settings && cp /etc/oauth-keepalive/oauth-keepalive.conf $settings/"
more_ended() { [ "$(endings -t echo | wc -l)" -gt "$before" ]; }
is_refused() { # how, and by whom it says so
	before=$(endings -t echo | wc -l)
	alice systemctl --user start oauth-keepalive.service 2>/dev/null && fail "$1 is read in the user's unit"
	wait_until more_ended # whose words those were, the journal may find out too late: who said them is gone
	expect_eq "how it ended" "$(endings -t echo | tail -n 1)" "exit-code 2"
	alice /usr/local/bin/oauth-keepalive refresh --quiet 2>/dev/null
	expect_eq "and by hand" $? 2
	expect_posts 0
}
lab chown 4343 "$settings/oauth-keepalive.conf"
is_refused "a configuration of another user's"
lab chown -h alice "$settings/oauth-keepalive.conf"
lab chown 4343 "$settings"
is_refused "a configuration in another user's directory"
lab chown alice "$settings"
alice systemctl --user start oauth-keepalive.service || fail "her own configuration is not read"
refreshed grace

lab journalctl -q -a -o verbose >"$T/runs/journal"
expect_match "$T/runs/journal" oauth-keepalive
mkdir "$T/after"
cp "$(store main)" "$T/after/"
# shellcheck disable=SC2119
expect_no_secrets
[ "$FAILED" = 0 ] || lab journalctl -q -o short-monotonic | tail -n 200
