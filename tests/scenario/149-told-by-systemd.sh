#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Under a real systemd: a login that a person makes is in every copy a moment later; a run that fails is told of once for
# each way to fail and once when it is over; who wants to hear of 3 only does not hear of 1.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/systemd.sh" || exit 1

# shellcheck disable=SC2119
start_oidc
prepare_tree
# shellcheck disable=SC2016 # systemd's shell's
{
	mkdir -p "$tree/etc/systemd/system/oauth-keepalive@.service.d" "$tree/etc/systemd/system/oauth-keepalive-alert@.service.d"
	cp "$tree/usr/local/share/oauth-keepalive/systemd/alert.conf" "$tree/etc/systemd/system/oauth-keepalive@.service.d/"
	printf '[Service]\nEnvironment="ALERT=echo alarm: $OAUTH_KEEPALIVE_EVENT $OAUTH_KEEPALIVE_CODE"\n' \
		>"$tree/etc/systemd/system/oauth-keepalive-alert@.service.d/how.conf"
}
mint alice left=5h
write_store "main a b" xai:default=alice
start_lab
alarms() { lab journalctl --sync && lab journalctl -q -o cat -u "oauth-keepalive-alert@*" 2>/dev/null | sed -n 's/^alarm: //p'; }
alerted() { [ -z "$(lab systemctl list-units -q --state=activating 'oauth-keepalive-alert@*' 'oauth-keepalive@*')" ]; }
run() {
	lab systemctl start $UNIT 2>/dev/null
	wait_until alerted
}

# ---- a login: in main, as OpenClaw saves it; the others have it without the timer
lab systemctl enable -q --now $UNIT.path
mint alice left=5h
login=$(jq -c . "$T/logins/alice.json")
save() { # by a rename, as OpenClaw does; made ready where nobody watches, since this shell takes longer over it
	jq --argjson new "$1" '.profiles["xai:default"] = $new' "$(store main)" >"$STATE/new.json"
	chown 4242:4242 "$STATE/new.json"
	chmod 600 "$STATE/new.json"
	mv "$STATE/new.json" "$(store main)"
}
# OpenClaw writes more than its stores meanwhile.
while :; do : >"$STATE/more.$RANDOM"; done 2>/dev/null &
writer=$!
save "$login"
everywhere() { [ "$(store_token a)" = "$(store_token main)" ] && [ "$(store_token b)" = "$(store_token main)" ]; }
began=${EPOCHREALTIME/./}
wait_until everywhere # no timer runs
kill "$writer"
echo "# a login was in every copy after $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
expect_generation alice main a b
wait_until alerted
alice /usr/local/bin/oauth-keepalive log -j >"$T/log.json"
expect_eq "by whom" "$(jq -r '[.events[] | select(.copies > 0)][-1].by' "$T/log.json")" path
runs=$(endings | wc -l)
sleep 1
expect_eq "runs that its own writes have started" "$(endings | wc -l)" "$runs"
lab systemctl disable -q --now $UNIT.path
expect_eq "alarms while all is well" "$(alarms)" ""

# ---- exit 3: told once; again when it fails in another way; once when it is over
broken=$(store b)
cp "$broken" "$T/b.json"
echo '{' >"$broken"
run
run
run
expect_eq "alarms" "$(alarms)" "failed exit-code 3"
echo 'margin = 2;' >"/proc/$LAB/root/etc/oauth-keepalive/more.conf"
cp "/proc/$LAB/root/etc/oauth-keepalive/oauth-keepalive.conf" "$T/good.conf"
echo 'margin = 2;' >>"/proc/$LAB/root/etc/oauth-keepalive/oauth-keepalive.conf"
run
run
expect_eq "alarms" "$(alarms)" "$(printf 'failed exit-code 3\nfailed exit-code 2')"
cat "$T/good.conf" >"/proc/$LAB/root/etc/oauth-keepalive/oauth-keepalive.conf"
cat "$T/b.json" >"$broken"
run
run
expect_eq "alarms" "$(alarms | tail -n 1)" "recovered exit-code 2"
expect_eq "alarms in all" "$(alarms | wc -l)" 3

# ---- a provider that is away is exit 1: told, unless only 3 shall be
mint bob left=30m
jq --slurpfile new "$T/logins/bob.json" '.profiles["xai:bob"] = $new[0]' "$(store a)" >"$T/new"
cat "$T/new" >"$(store a)"
sed -i 's|token_url = "[^"]*"|token_url = "http://127.0.0.1:9/token"|' "/proc/$LAB/root/etc/oauth-keepalive/oauth-keepalive.conf"
mkdir -p "/proc/$LAB/root/etc/systemd/system/$UNIT.service.d"
cp "$tree/usr/local/share/oauth-keepalive/systemd/exit-3-only.conf" "/proc/$LAB/root/etc/systemd/system/$UNIT.service.d/"
lab systemctl daemon-reload
run
expect_eq "how it ended" "$(endings | tail -n 1)" "success 1"
expect_eq "alarms in all" "$(alarms | wc -l)" 3
rm "/proc/$LAB/root/etc/systemd/system/$UNIT.service.d/exit-3-only.conf"
lab systemctl daemon-reload
run
expect_eq "the alarm" "$(alarms | tail -n 1)" "failed exit-code 1"

# ---- status knows that the timer's unit has run, and how
alice /usr/local/bin/oauth-keepalive status >"$T/status"
expect_match "$T/status" 'timer ran [0-9ms]+ ago with exit status 1'

# ---- the same for alice's own manager: her login is in every copy
cat "$T/good.conf" >"/proc/$LAB/root/etc/oauth-keepalive/oauth-keepalive.conf"
lab systemctl start alice-manager.service
alice systemctl --user enable -q --now oauth-keepalive.path
mint alice left=5h
save "$(jq -c . "$T/logins/alice.json")"
wait_until everywhere
expect_generation alice main a b

lab journalctl -q -a -o verbose >"$T/runs/journal"
# shellcheck disable=SC2119
expect_no_secrets
[ "$FAILED" = 0 ] || lab journalctl -q -o short-monotonic | tail -n 20
