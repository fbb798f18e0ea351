#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The metrics file is whole at any time, in Prometheus' format, and says what is: its numbers move as the logins do. Every
# name that the alert rules and the dashboard use is in it, and the rules fire when they should (promtool).
. "$(dirname "$0")/lib.sh" || exit 1

PROM=$T/metrics/oauth-keepalive.prom
mkdir "$T/metrics"
CONFIG="metrics_file = \"$PROM\";"
PROMTOOL=$(command -v promtool || true)
[ -n "$PROMTOOL" ] || not_shown "what promtool says: it is not installed (Debian: prometheus)"

# metric NAME [LABEL-REGEX]: its value; "none" if it is not there.
metric() {
	local value
	value=$(grep -E "^oauth_keepalive_$1(\{[^}]*${2:-}[^}]*\})? " "$PROM" | sed 's/.* //' | paste -sd' ')
	echo "${value:-none}"
}
expect_metric() { expect_eq "$1 $2" "$(metric "$1" "$2")" "$3"; }
check_format() {
	[ -z "$PROMTOOL" ] || "$PROMTOOL" check metrics <"$PROM" >"$T/lint" 2>&1 || fail "promtool" "$(cat "$T/lint")"
	"$PYTHON" - "$PROM" <<-'END' || fail "the format is wrong"
		import re, sys
		typed, seen = {}, set()
		for line in open(sys.argv[1]):
		    if line.startswith("# TYPE "):
		        name, kind = line.split()[2:]
		        assert name not in typed, name
		        typed[name] = kind
		    elif not line.startswith("# HELP "):
		        found = re.fullmatch(r'([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? -?\d+\n', line)
		        assert found, line
		        assert list(typed)[-1] == found[1], line
		        assert line.rsplit(" ", 1)[0] not in seen, line
		        seen.add(line.rsplit(" ", 1)[0])
	END
}

# ---- who only looks writes nothing; a refresh, an idle run, somebody else's refresh
start_oidc
mint alice left=30m
write_store "main coder" xai:default=alice
keeper status
keeper preview
[ ! -e "$PROM" ] || fail "status or preview wrote metrics"
OAUTH_KEEPALIVE_RUN=timer keeper refresh
expect_status 0
check_format
expires=$(metric access_expiry_timestamp_seconds)
expect_metric events_total 'event="refreshed"' 1
expect_metric copies 'state="current"' 2
expect_metric lifetime_seconds '' 21600
expect_metric margin_seconds '' 7200
expect_metric due_timestamp_seconds '' $((expires - 7200))
expect_metric needs_login '' 0
expect_metric last_run_exit_code 'by="timer"' 0
expect_eq "the last run is a success" "$(metric last_success_timestamp_seconds 'by="timer"')" "$(metric last_run_timestamp_seconds 'by="timer"')"
expect_eq "mode" "$(stat -c %a "$PROM")" 644
cp "$PROM" "$T/first.prom"
sleep 1.1
OAUTH_KEEPALIVE_RUN=timer keeper refresh
[ "$(metric last_run_timestamp_seconds 'by="timer"')" -gt "$(PROM=$T/first.prom; metric last_run_timestamp_seconds 'by="timer"')" ] ||
	fail "an idle run does not move last_run"
expect_metric events_total 'event="refreshed"' 1
expect_metric foreign_rotations_total '' 0
peer alice
write_store coder xai:default=alice
keeper refresh
expect_metric foreign_rotations_total '' 1
expect_metric events_total 'event="adopted"' 1
expect_metric last_run_exit_code 'by="hand"' 0

# ---- every name that rules and dashboard use
grep -rhoE 'oauth_keepalive_[a-z_]+' "$TESTS/../etc/prometheus" "$TESTS/../etc/grafana" | sort -u | while read -r name; do
	grep -q "^# TYPE $name " "$PROM" || echo "$name"
done >"$T/unknown"
expect_eq "names in rules and dashboard that the file has not" "$(cat "$T/unknown")" ""
if [ -n "$PROMTOOL" ]; then
	"$PROMTOOL" test rules "$TESTS/prometheus/rules.test.yml" >"$T/rules" 2>&1 || fail "promtool test rules" "$(cat "$T/rules")"
fi

# ---- failures, an end, and a profile id that would break the format
fresh
start_scripted
fake bob left=30m
write_store main 'xai:"b\ob=bob'
answers '{"status": 503, "headers": {"Retry-After": "1"}, "body": {"error": "server_error"}}'
keeper refresh
expect_status 1
check_format
expect_metric failures '' 1
expect_metric events_total 'event="failed"' 1
expect_metric last_run_exit_code '' 1
answers '{"status": 400, "body": {"error": "invalid_grant"}}'
keeper refresh --force
expect_status 3
expect_metric needs_login '' 1
expect_metric events_total 'event="needs_login"' 1
expect_metric due_timestamp_seconds '' none
check_format

# ---- it cannot be written: said, and nothing else changes
CONFIG="metrics_file = \"$T/nowhere/x.prom\";"
fake carol left=30m
write_store main xai:carol=carol
answers "{\"status\": 200, \"body\": $(tokens 2)}"
keeper refresh -j xai:carol
expect_status 0
expect_field '.problems[] | select(.code == "metrics_unwritten") | .severity' warning
expect_field '.accounts[0].outcome' refreshed
expect_no_secrets "$PROM"
