#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Who holds a lock for ever is found out before the login has expired: busy is a success for three minutes, and only while
# there is time for another run. After that it is a failure that says who, since when, and what to look at.
. "$(dirname "$0")/lib.sh" || exit 1

start_scripted
sleep infinity &
live=$!
SERVERS+=("$live")
lock_of() { echo "$STATE/locks/oauth-refresh/sha256-$(printf 'xai\0xai:default' | sha256sum | cut -c1-64).lock"; }
hold() { # LOCK AGE-IN-SECONDS, by a process that lives
	(umask 077 && mkdir -p "$(dirname "$1")")
	printf '{"pid": %d, "createdAt": "%s"}\n' "$live" "$(date -u +%FT%T.000Z)" >"$1"
	touch -d "$2 seconds ago" "$1"
}
one_login() { # left=…
	fresh
	fake "$@"
	write_store "main a" xai:default="$1"
}
seen() { # CODE PID WORD: in the account and in a problem, and under -q too
	expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "failed $1"
	expect_field ".accounts[0].error.message | contains(\"process $2\")" true
	expect_field "[.problems[] | select(.code == \"$1\") | .message | contains(\"process $2\")] | first" true
	expect_field "[.problems[] | select(.code == \"$1\") | .fix | contains(\"ps -o pid,stat,etime,args -p $2\")] | first" true
	expect_field ".accounts[0].error.message | test(\"$3\")" true
}
said_quietly() { # STATUS WORD
	keeper refresh -q --wait 0
	expect_status "$1"
	cat "$out" "$err" >"$T/quiet"
	expect_match "$T/quiet" "$2"
}

# One line a case: whose lock, for how long, the time left, exit status.
while read -r whose age left shall; do
	one_login "a$age$left" left="$left"
	[ "$whose" = refresh ] && lock=$(lock_of) || lock=$(store a).lock
	hold "$lock" "$age"
	keeper refresh -j --wait 0
	expect_status "$shall"
	if [ "$shall" = 4 ]; then
		expect_field '.accounts[0].outcome' busy
		said_quietly 4 '^xai:default +busy +process|^xai:default +busy +another process holds'
	else
		seen lock_held "$live" "$([ "$age" = 100 ] && echo " for [12]m" || echo " for 1d")"
		expect_match "$out" "$(basename "$lock")"
		said_quietly "$shall" "lock_held.*process $live"
	fi
	expect_posts 0
	[ -e "$lock" ] || fail "the lock of a living process was removed"
done <<'END'
refresh 0     1h  4
refresh 100   1h  4
refresh 86400 1h  1
refresh 0     9m  4
refresh 100   9m  1
refresh 0     -3m 4
refresh 100   -3m 3
refresh 86400 -3m 3
store   0     1h  4
store   86400 1h  1
store   0     9m  4
store   100   9m  1
store   86400 -3m 3
END

# Not due: nobody waits for anything, whoever holds it.
one_login fresh left=5h
keeper refresh -j --wait 0
hold "$(lock_of)" 86400
keeper refresh -q --wait 0
expect_status 0
expect_eq "said of a login that is not due" "$(cat "$out" "$err")" ""

# Our own keeper or courier, stopped: before the request is handed over (a claim), while it is under way, and afterwards.
one_post() { [ "$(($(posts) - POSTS_BEFORE))" = 1 ]; }
older() { # SECONDS: as if all that stands in the ledger had been there for so long
	"$PYTHON" - "$LEDGER" "$1" <<-'END'
		import glob, re, sys, datetime
		for path in glob.glob(sys.argv[1] + "/receipts/*") + glob.glob(sys.argv[1] + "/accounts/*.lock"):
		    text = open(path, "rb").read()
		    shift = lambda m: m[1] + str(int(m[2]) - int(sys.argv[2]) * 1000).encode()
		    then = datetime.datetime.utcnow() - datetime.timedelta(seconds=int(sys.argv[2]))
		    text = re.sub(rb'("at": ?|"received_ms": ?)(\d+)', shift, text)
		    text = re.sub(rb'"createdAt": "[^"]*"', f'"createdAt": "{then:%Y-%m-%dT%H:%M:%S.000Z}"'.encode(), text)
		    open(path, "r+b").write(text)
	END
}
for whom in keeper courier; do
	one_login "$whom" left=1h
	answers "{\"held\": true, \"body\": $(tokens "${whom}2")}"
	start_keeper refresh -j
	wait_until one_post
	pid=${STARTED[-1]%:*}
	[ $whom = courier ] && stopped=$(couriers) || stopped=$pid
	stop_process "$stopped"
	keeper refresh -j --wait 0
	expect_status 4
	older 100
	keeper refresh -j --wait 0
	expect_status 4
	older 1000
	keeper refresh -j --wait 0
	expect_status 3 # the request is under way: only its answer can tell
	expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "held unknown_outcome"
	expect_field "[.problems[] | select(.code == \"in_flight\") | .fix | contains(\"-p $(couriers)\")] | first" true
	kill -CONT "$stopped"
	release_answer
	wait_keepers
	expect_eq "status of the one that was stopped" "$statuses" 0
	expect_posts 1
done

# The keeper alone, with nothing in any receipt: who has the account's lock is written in it.
one_login locked left=1h
keeper refresh -j --wait 0 --at 2h --dry-run
answers "{\"body\": $(tokens locked2)}"
keeper refresh -j
due
"$PYTHON" - "$LEDGER" >"$T/locked" <<-'END' &
	import fcntl, glob, os, struct, sys, time
	path = glob.glob(sys.argv[1] + "/accounts/*.lock")[0]
	f = open(path, "r+")
	fcntl.fcntl(f, 37, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0)) # F_OFD_SETLK
	start = open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19]
	f.truncate()
	f.write('{"pid": %d, "createdAt": "2026-01-01T00:00:00.000Z", "starttime": %s}\n' % (os.getpid(), start))
	f.flush()
	print("locked", flush=True)
	time.sleep(300)
END
holder=$!
SERVERS+=("$holder")
wait_until test -s "$T/locked"
keeper refresh -j --wait 0
expect_status 1
seen in_flight "$holder" "for"
stop_process "$holder"
keeper refresh -j --wait 0
expect_field "[.problems[] | select(.code == \"in_flight\") | .fix | contains(\"kill -CONT $holder\")] | first" true
keeper preview -j
expect_field '.accounts[0].outcome' planned
kill -KILL "$holder"
answers "{\"body\": $(tokens locked3)}"
keeper refresh -j
expect_status 0
expect_posts 2

# A lock that was taken this moment is busy, however long ago the token expired, and whatever stands there: nothing yet,
# what the one before has signed, or what he has left and is just being finished.
young() { # WHAT: the account's lock, for as long as this holds it
	"$PYTHON" - "$LEDGER" "$1" >"$T/locked" <<-'END' &
		import fcntl, glob, os, struct, sys, time
		ledger, what = sys.argv[1:]
		def lock(path):
		    f = open(path, "r+")
		    fcntl.fcntl(f, 37, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0)) # F_OFD_SETLK
		    return f
		def sign(f, pid, at):
		    f.seek(0)
		    f.truncate()
		    f.write('{"pid": %d, "createdAt": "%s", "starttime": %s}\n' % (pid, at, start))
		    f.flush()
		start = open("/proc/self/stat").read().rsplit(")", 1)[1].split()[19]
		now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
		account = lock(glob.glob(ledger + "/accounts/*.lock")[0])
		receipts = [lock(path) for path in glob.glob(ledger + "/receipts/*")]
		if what == "nothing":
		    account.truncate()
		elif what == "another":
		    sign(account, 4194305, "2026-01-01T00:00:00.000Z") # no process has this number
		else:
		    sign(account, os.getpid(), now)
		print("locked", flush=True)
		def is_looked_at():
		    for fd in glob.glob("/proc/[0-9]*/fd/*"):
		        if not fd.startswith("/proc/%d/" % os.getpid()):
		            try:
		                if os.readlink(fd) == account.name:
		                    return True
		            except OSError:
		                pass
		while what == "another" and not is_looked_at():
		    time.sleep(0.01)
		if what == "another":
		    sign(account, os.getpid(), now)
		time.sleep(300)
	END
	SERVERS+=($!)
	wait_until test -s "$T/locked"
}
for what in nothing another receipt; do
	one_login "$what" left=-3m
	: >"$T/locked"
	if [ $what = receipt ]; then
		answers "{\"held\": true, \"body\": $(tokens "${what}2")}"
		start_keeper refresh -j
		wait_until one_post
		kill -9 "${STARTED[-1]%:*}"
		wait_keepers
		release_answer
		wait_until grep -qs "^answered" "$LEDGER"/receipts/*
		stop_couriers
		older 1000
	else
		answers '{"status": 503}'
		keeper refresh
	fi
	write_store "main a" xai:default="$what"
	young $what
	keeper refresh -j --wait 0
	expect_status 4
	expect_field .accounts[0].outcome busy
	kill "${SERVERS[-1]}"
done
expect_no_secrets
