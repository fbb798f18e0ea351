#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Whatever stands where a lock file should: a live holder is waited for, a dead one is reclaimed, and nothing else is removed.
. "$(dirname "$0")/lib.sh" || exit 1

# One line a case: what stands at the lock's name, its age in seconds (by createdAt and by mtime), and what is done about
# it when it is a refresh lock and when it is a store's lock: taken (a refresh, and the lock is gone afterwards), or busy
# (no POST, and the file stands there as it stood).
cat >"$T/table" <<'END'
live pid                             0    0   busy  busy
live pid, with its start time        0    0   busy  busy
live pid                             0   40   busy  busy
live pid                             0  200   busy  busy
live pid, with its start time       40   40   busy  busy
live pid, with its start time      200  200   busy  busy
live pid, no createdAt             200  200   busy  busy
live pid, another start time         0    0   taken taken
live pid, createdAt in the future -3600   0   busy  busy
live pid of another user             0    0   busy  busy
dead pid in another user's file      0    0   taken taken
live pid in another user's file      0    0   busy  busy
pid reused since                 86400    0   taken taken
dead pid                             0    0   taken taken
dead pid                            40   40   taken taken
zombie                               0    0   taken taken
pid 0                                0    0   busy  busy
pid 0                               40   40   busy  taken
pid 0                              200  200   taken taken
pid a string                         0    0   busy  busy
pid a string                        40   40   busy  taken
pid beyond any                       0    0   busy  busy
garbage                              0    0   busy  busy
garbage                             40   40   busy  taken
garbage                            200  200   taken taken
empty                                0    0   busy  busy
empty                               40   40   busy  taken
empty                              200  200   taken taken
a megabyte                           0    0   busy  busy
a megabyte                         200  200   busy  busy
directory                            0    0   busy  busy
directory                          200  200   busy  busy
symlink to a dead lock               0    0   busy  busy
symlink to nothing                   0    0   busy  busy
fifo                               200  200   busy  busy
END

start_scripted
sleep infinity &
live=$!
SERVERS+=("$live")
started=$(cut -d' ' -f22 /proc/$live/stat)
sh -c 'exit 0' &
dead=$!
wait "$dead"
# A child that nobody waits for.
"$PYTHON" -c 'import os, time
pid = os.fork()
if not pid: os._exit(0)
print(pid, flush=True)
time.sleep(86400)' >"$T/zombie" &
SERVERS+=($!)
wait_until test -s "$T/zombie"
other=
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
	setpriv --reuid 65534 --regid 65534 --clear-groups sleep infinity &
	other=$!
	SERVERS+=("$other")
fi

# Every case is an account of its own: all in main, each in one agent besides, whose store's lock is its store lock.
# `locks put KIND` makes it so; `locks tell KIND` says what became of each.
locks() { "$PYTHON" - "$T" "$STATE" "$live $started $dead $(cat "$T/zombie") ${other:-0}" "$CONTROL" "$RUN" "$@" <<'END'; }
import hashlib, json, os, shutil, sys, time, urllib.request
top, state, pids, control, run, verb, kind = sys.argv[1:]
live, started, dead, zombie, other = map(int, pids.split())
now = time.time()

def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()

def cases():
    lines = [line.rsplit(None, 4) for line in open(f"{top}/table")]
    lines = [line for line in lines if other or "another user" not in line[0]]
    for i, (what, created, modified, refresh, store) in enumerate(lines):
        locks = {"refresh": f"{state}/locks/oauth-refresh/sha256-{sha(f'xai{chr(0)}xai:p{i}')}.lock",
                 "store": f"{state}/agents/a{i}/agent/auth-profiles.json.lock"}
        yield i, what, int(created), int(modified), {"refresh": refresh, "store": store}[kind], locks[kind]

def put(what, path, created, modified):
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now - created))
    who = {"dead pid": dead, "dead pid in another user's file": dead, "symlink to a dead lock": dead, "zombie": zombie, "pid 0": 0, "pid a string": str(dead),
           "pid beyond any": 99999999999, "live pid of another user": other}.get(what, live)
    payload = {"pid": who, "createdAt": stamp, "starttime": started + 7 * ("another" in what)}
    if "start time" not in what:
        del payload["starttime"]
    if "no createdAt" in what:
        del payload["createdAt"]
    if what == "directory":
        os.mkdir(path)
    elif what == "fifo":
        os.mkfifo(path)
    elif what.startswith("symlink"):
        os.symlink(f"{state}/{what.split()[-1]}", path)
        open(f"{state}/lock", "w").write(json.dumps(payload))
    else:
        texts = {"garbage": '{"pid": 12', "empty": "", "a megabyte": "{" * 1048576}
        open(path, "w").write(texts.get(what, json.dumps(payload, indent=2)))
    if what.endswith("another user's file"):
        os.chown(path, 65534, 65534)
    os.utime(path, (now - modified, now - modified), follow_symlinks=False)

def describe(path):
    try:
        s = os.lstat(path)
        return f"{s.st_mode:o} {s.st_ino} {s.st_size} {s.st_mtime_ns}"
    except FileNotFoundError:
        return "-"

def put_all():
    profiles, answers = {}, []
    os.makedirs(f"{state}/locks/oauth-refresh", mode=0o700)
    for i, *_ in cases():
        profiles[f"xai:p{i}"] = {"type": "oauth", "provider": "xai", "access": f"FAKE-ACCESS-{kind[0]}{i}",
                                 "refresh": f"FAKE-REFRESH-{kind[0]}{i}", "expires": int((now + 1800) * 1000)}
        answers.append({"tokens": {"access_token": f"FAKE-ACCESS-{kind[0]}{i}-2",
                                   "refresh_token": f"FAKE-REFRESH-{kind[0]}{i}-2"}})
    for agent, some in [("main", profiles)] + [(f"a{p[5:]}", {p: profiles[p]}) for p in profiles]:
        os.makedirs(f"{state}/agents/{agent}/agent")
        with open(f"{state}/agents/{agent}/agent/auth-profiles.json", "w") as f:
            f.write(json.dumps({"version": 1, "profiles": some}, indent=2) + "\n")
    urllib.request.urlopen(f"{control}/control", json.dumps({"answers": answers}).encode())
    for i, what, created, modified, _, path in cases():
        put(what, path, created, modified)
    json.dump({path: describe(path) for *_, path in cases()}, open(f"{top}/standing", "w"))

def tell():
    outcome = {a["profile"]: a["outcome"] for a in json.load(open(f"{top}/runs/{run}.out"))["accounts"]}
    posts = json.load(urllib.request.urlopen(f"{control}/state"))["tokens"]
    standing = json.load(open(f"{top}/standing"))
    for i, what, created, modified, shall, path in cases():
        busy = "failed" if modified > 180 else "busy" # for so long that somebody should hear of it
        wanted = f"{busy} 0 {standing[path]}" if shall == "busy" else "refreshed 1 -"
        sent = posts.get(sha(f"FAKE-REFRESH-{kind[0]}{i}")[:12], 0)
        print(f"{what}, {created} s and {modified} s old", f'{outcome.get(f"xai:p{i}")} {sent} {describe(path)}', wanted, sep="\t")
        if os.path.lexists(path):
            shutil.rmtree(path) if what == "directory" else os.unlink(path)

{"put": put_all, "tell": tell}[verb]()
END

for kind in refresh store; do
	fresh
	locks put $kind || die "the locks cannot be made"
	keeper refresh -j --wait 0
	expect_status 1
	locks tell $kind >"$T/told" || die "what became of them cannot be told"
	while IFS=$'\t' read -r what is shall; do
		expect_eq "$kind lock: $what" "$is" "$shall"
	done <"$T/told"
	[ ! -e "$STATE/nothing" ] || fail "a link was followed"
	keeper refresh -j --wait 0
	expect_eq "$kind locks, once they are gone" "$status $(field .summary.busy)" "0 0"
	expect_posts "$(wc -l <"$T/told")"
	expect_eq "most POSTs of one token" "$(control state | jq '[.tokens[]] | max')" 1
done
expect_no_secrets

# After a reboot the pid of a dead lock may be a daemon's, which /proc hides from us: our own file cannot be its.
if [ "$(id -u)" = 0 ] && unshare -m mount -t proc -o hidepid=invisible proc /proc 2>/dev/null && public_program; then
	sleep infinity &
	daemon=$!
	SERVERS+=("$daemon")
	for made in "30 years ago" "now"; do
		fresh
		fake late left=1h
		write_store main xai:default=late
		answers "{\"body\": $(tokens late2)}"
		lock=$STATE/locks/oauth-refresh/sha256-$(printf 'xai\0xai:default' | sha256sum | cut -c1-64).lock
		(umask 077 && mkdir -p "${lock%/*}" "$LEDGER")
		printf '{\n  "pid": %d,\n  "starttime": 77\n}\n' "$daemon" >"$lock"
		touch -d "$made" "$lock"
		keeper_command refresh -j --wait 0
		COMMAND[0]=$PUBLIC
		chown -R 1234:1234 "$HOME" "$T/keeper.conf"
		# shellcheck disable=SC2016
		unshare -m bash -c 'mount -t proc -o hidepid=invisible,subset=pid proc /proc &&
			exec setpriv --reuid 1234 --regid 1234 --clear-groups "$@"' - "${COMMAND[@]}" >"$out" 2>"$err"
		status=$?
		expect_status "$([ "$made" = now ] && echo 4 || echo 0)"
		expect_posts "$([ "$made" = now ] && echo 0 || echo 1)"
	done
fi

# A lock that cannot be looked at is somebody's: nothing is sent beside it.
fresh
fake unseen left=30m
write_store "main a" xai:default=unseen
answers "{\"body\": $(tokens unseen2)}"
UNDER=(strace -f -qq -o "$T/trace" -P "$(store a).lock" -e trace=%%stat -e inject=%%stat:error=EACCES)
if strace_sees_paths; then
	keeper refresh -j --wait 0
	UNDER=()
	expect_status 4
	expect_posts 0
	expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "busy store_busy"
	keeper refresh -j
	expect_status 0
	expect_posts 1
else
	UNDER=()
	not_shown "a lock that cannot be looked at: strace sees no paths here" || true
fi
