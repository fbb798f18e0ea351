#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The units are free of errors, as tight as they claim to be, and keep what a refresh under way relies on.
. "$(dirname "$0")/lib.sh" || exit 1

UNITS=$TESTS/../systemd
XDG_RUNTIME_DIR=$T
export XDG_RUNTIME_DIR

# What no hardening may take away, in both services.
for service in "$UNITS"/system/oauth-keepalive@.service "$UNITS"/user/oauth-keepalive.service; do
	for line in 'Type=oneshot' 'KillMode=process' 'SuccessExitStatus=.*\b4\b' 'SystemCallErrorNumber=EPERM' \
		'RestrictAddressFamilies=.*AF_UNIX' 'SystemCallFilter=.*\blandlock_restrict_self\b' 'SystemCallFilter=.*\bseccomp\b'; do
		expect_match "$service" "^$line"
	done
	expect_no_match "$service" '^(PrivatePIDs|PrivateNetwork|MemoryMax|RuntimeMaxSec|PrivateUsers|ProtectProc)='
	stop=$(sed -n 's/^TimeoutStopSec=//p' "$service") start=$(sed -n 's/^TimeoutStartSec=//p' "$service")
	[ "$stop" -gt 100 ] || fail "$(basename "$service"): TimeoutStopSec=$stop is not above the courier's hold of 100 s"
	[ $((start + stop)) -lt 300 ] || fail "$(basename "$service"): a run may take longer than the timer's period"
done

# What follows the other hosts makes the same runs, and in the same sandbox.
sandbox() { sed -n '/^KillMode/,$p' "$1" | grep -v '^#\|^\[Install\]\|^WantedBy\|^TimeoutStartSec' | grep .; }
expect_eq "the sandbox of the system's watch" "$(sandbox "$UNITS/system/oauth-keepalive-watch@.service")" "$(sandbox "$UNITS/system/oauth-keepalive@.service")"
expect_eq "the sandbox of a user's watch" "$(sandbox "$UNITS/user/oauth-keepalive-watch.service")" "$(sandbox "$UNITS/user/oauth-keepalive.service")"

# A user's manager can do these only in a user namespace, in which other users look like root and groups get lost.
expect_no_match "$UNITS/user/oauth-keepalive.service" \
	'^(Private[A-Z][a-z]+|Protect[A-Z][A-Za-z]+|(ReadOnly|ReadWrite|Inaccessible|Exec|NoExec|Bind|BindReadOnly)Paths|TemporaryFileSystem|Root[A-Z][a-z]+|DynamicUser)='

# The timers; and the least margin, where nobody configures it, is reckoned with their period and jitter.
for timer in "$UNITS"/system/*.timer "$UNITS"/user/*.timer; do
	for line in 'OnCalendar=\*:0/5' 'RandomizedDelaySec=60' 'FixedRandomDelay=yes' 'AccuracySec=1s' 'Persistent=yes'; do
		expect_match "$timer" "^$line\$"
	done
done
fake short left=29m
write_store main xai:default=short
PROVIDERS='{ name = "xai"; lifetime = "30m"; margin = "1m"; }'
keeper status -j
expect_field '.accounts[0].margin_s' $((5 * 60 + 5 * 60 + 60 + 60))

command -v systemd-analyze >/dev/null || skip "systemd-analyze is missing; the rest was looked at"

# As installed; any program will do, and ours may be in a path that no unit can name.
mkdir -p "$T/system" "$T/user"
for unit in system/oauth-keepalive{@.service,@.timer,@.path,-state@.path,-watch@.service,-alert@.service} user/oauth-keepalive{.service,.timer,.path,-state.path,-watch.service,-alert@.service}; do
	sed "s|@BINDIR@/oauth-keepalive\b|/bin/true|; s|@DATADIR@/hooks/alert-once|/bin/true|" "$UNITS/$unit" >"$T/$unit"
done
for kind in service timer path; do
	cp "$T/system/oauth-keepalive@.$kind" "$T/system/oauth-keepalive@$(id -un).$kind"
done
cp "$T/system/oauth-keepalive-state@.path" "$T/system/oauth-keepalive-state@$(id -un).path"

cp "$T/system/oauth-keepalive-watch@.service" "$T/system/oauth-keepalive-watch@$(id -un).service"

verify() {
	systemd-analyze verify --man=no "$@" >"$T/runs/verify" 2>&1
	expect_eq "systemd-analyze verify $* ends with" $? 0
	expect_no_match "$T/runs/verify" oauth-keepalive
}
verify --system "$T/system/oauth-keepalive@$(id -un)".{service,timer,path} "$T/system/oauth-keepalive-state@$(id -un).path" \
	"$T/system/oauth-keepalive-watch@$(id -un).service" "$T/system/oauth-keepalive-alert@.service"
verify --user "$T"/user/oauth-keepalive{.service,.timer,.path,-state.path,-watch.service,-alert@.service}

# exposure WHICH UNIT LIMIT: ten times the score of `systemd-analyze security`; less is better.
exposure() {
	systemd-analyze "--$1" security --offline=true --no-pager --threshold="$3" "$2" >"$T/runs/exposure" 2>&1 ||
		fail "$(basename "$2") is more exposed than $3 tenths" "$(tail -n 1 "$T/runs/exposure")"
	expect_match "$T/runs/exposure" 'Overall exposure level'
}
exposure system "$T/system/oauth-keepalive@.service" 16
exposure user "$T/user/oauth-keepalive.service" 64
