#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# doctor knows whether anything runs the program, and how often, in whatever form systemd takes; the command it shows for it
# is pasted as it is, and the finding is gone.
. "$(dirname "$0")/lib.sh" || exit 1

# What the commands call here: a systemctl that does with files what the real one does, and a crontab.
mkdir "$T/stub"
PATH=$T/stub:$PATH
export T LEDGER OAUTH_KEEPALIVE
cat >"$T/stub/systemctl" <<'END'
#!/usr/bin/env bash
units=$HOME/.config/systemd/user
case "$*" in
"--user enable --now oauth-keepalive.timer")
	mkdir -p "$units/timers.target.wants"
	ln -sf ../oauth-keepalive.timer "$units/timers.target.wants/" ;;
"--user unmask oauth-keepalive.timer") rm "$units/oauth-keepalive.timer" ;;
"--user daemon-reload") ;;
*) exit 1 ;;
esac
END
# shellcheck disable=SC2016
printf '#!/usr/bin/env bash\nif [ "$1" = - ]; then cat >"$T/crontab.new" && mv "$T/crontab.new" "$T/crontab"; else cat "$T/crontab"; fi\n' >"$T/stub/crontab"
# shellcheck disable=SC2016
printf '#!/usr/bin/env bash\nexec "$OAUTH_KEEPALIVE" --config "$T/keeper.conf" --ledger-dir "$LEDGER" "$@"\n' >"$T/stub/oauth-keepalive"
chmod +x "$T"/stub/*

problem() { field ".problems[] | select(.code == \"$1\") | $2"; }
mend() { bash -c "$FIX" >"$T/fix.out" 2>&1 || fail "the fix fails: $FIX" "$(cat "$T/fix.out")"; }
# expect_finding CODE [WORDS]: that, said with these words; its fix is then $FIX. No CODE: neither.
expect_finding() {
	keeper doctor -j
	for code in timer_missing timer_slower; do
		expect_eq "$code" "$(problem $code .severity)" "$([ "$code" = "${1:-}" ] && echo warning)"
	done
	[ $# -lt 2 ] || expect_match "$out" "$2"
	FIX=$(problem "${1:-none}" '.fix // ""')
}

start_scripted
fake alice left=5h
write_store main xai:default=alice
keeper refresh
units=$HOME/.config/systemd/user
vendor=$HOME/.local/share/systemd/user

# ---- nothing is installed: cron does
echo '# mine' >"$T/crontab"
expect_finding timer_missing "no systemd timer is installed, and neither a timer nor cron has ever run"
mend
expect_eq "the old crontab" "$(head -n 1 "$T/crontab")" "# mine"
bash -c "$(sed -n 's|^\*/5 \* \* \* \* ||p' "$T/crontab")" || fail "cron's line does not run" "$(cat "$T/crontab")"
expect_finding

# ---- installed, but not enabled; masked
fresh
write_store main xai:default=alice
units=$HOME/.config/systemd/user vendor=$HOME/.local/share/systemd/user
keeper refresh
mkdir -p "$vendor" "$units"
cp "$TESTS/../systemd/user/oauth-keepalive.timer" "$vendor"
expect_finding timer_missing "installed, but not enabled"
mend
expect_finding
ln -s /dev/null "$units/oauth-keepalive.timer"
expect_finding timer_missing "is masked"
mend
expect_finding

# ---- how often: what a drop-in says | what is found, "" nothing
mkdir -p "$units/oauth-keepalive.timer.d"
drop_in=$units/oauth-keepalive.timer.d/override.conf
while IFS='|' read -r lines words; do
	printf "[Timer]\n$lines\n" >"$drop_in"
	if [ -z "$words" ]; then
		expect_finding
		continue
	fi
	expect_finding timer_slower "$words"
	mend
	expect_finding
	rm -f "$units/oauth-keepalive.timer.d/zz-often.conf"
done <<-'END'
	OnCalendar=|runs it once, and not again
	OnCalendar=\nOnCalendar=*:0/20|up to 20m pass
	OnCalendar=\nOnCalendar=*-*-* *:00/20:00|up to 20m pass
	OnCalendar=\nOnCalendar=hourly|up to 1h pass
	OnCalendar=\nOnCalendar=Mon..Fri *:0/5|up to 2d pass
	OnCalendar=\nOnCalendar=8..18:0/5|up to 13h5m pass
	OnCalendar=\nOnUnitActiveSec=15min|up to 15m pass
	OnUnitActiveSec=\nOnBootSec=1min\nOnUnitActiveSec=1h 30min|up to 1h30m pass
	OnBootSec=\nOnBootSec=2min|runs it once, and not again
	RandomizedDelaySec=30min\nFixedRandomDelay=no|each of which may be 30m
	AccuracySec=10min|each of which may be 10m
	OnCalendar=hourly|
	OnUnitActiveSec=|runs it once, and not again
	OnCalendar=\nOnCalendar=*:0/10\nOnCalendar=*:5/10|
	OnCalendar=\nOnCalendar=*:*:0/30|
	OnCalendar=\nOnUnitActiveSec=300|
	RandomizedDelaySec=30min|
	OnCalendar=\nOnCalendar=2030-*-* *:0/20|
END
# The configuration may say that it is meant.
printf '[Timer]\nOnCalendar=\nOnCalendar=*:0/20\n' >"$drop_in"
expect_finding timer_slower
CONFIG=$(sed -n 's/.*: \(timer_period = .*;\) in .*/\1/p' <<<"$FIX")
expect_finding
CONFIG=
# Of two files the later name counts; of one name the one nearer to the user.
printf '[Timer]\nOnCalendar=\nOnCalendar=*:0/5\n' >"$units/oauth-keepalive.timer.d/z.conf"
expect_finding
mkdir -p "$vendor/oauth-keepalive.timer.d"
printf '[Timer]\nOnCalendar=\nOnCalendar=hourly\n' >"$vendor/oauth-keepalive.timer.d/z.conf"
expect_finding
mv "$vendor/oauth-keepalive.timer.d/z.conf" "$vendor/oauth-keepalive.timer.d/zz.conf"
expect_finding timer_slower "up to 1h pass"
# Wanted by another target than the shipped one's, it is enabled all the same.
rm "$vendor/oauth-keepalive.timer.d/zz.conf"
mv "$units/timers.target.wants" "$units/default.target.wants"
expect_finding
