#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login saved at any step of the transaction, in main or in an agent, is what that store holds in the end; no token is spent twice.
. "$(dirname "$0")/lib.sh"
strace -qq -e inject=getpid:signal=SIGCONT:when=1 -o /dev/null true 2>/dev/null || skip "strace may not inject here"

# The keeper is stopped after its n-th link, rename, fsync, …; a person logs in and the login is saved as OpenClaw saves
# (temp file and rename), in one case under the store's lock, in the other without; the keeper goes on; two more runs.
start_oidc
control delay '{"answers": 999, "ms": 20}' >/dev/null # so that it waits for the answer in poll
write_config
sed "s|state_dir = .*|state_dir = \"@HOME@/.openclaw\";|" "$T/keeper.conf" >"$T/keeper.conf.template"
"$PYTHON" - "$T" "$CONTROL" "$OAUTH_KEEPALIVE" <<'END' || FAILED=1
import concurrent.futures, glob, hashlib, json, os, signal, subprocess, sys, time, urllib.request
top, control, program = sys.argv[1:]
STEPS = {"link": 8, "rename": 4, "sendmsg": 1, "recvmsg": 4, "utimensat": 2, "fsync": 25, "poll": 4}
PROFILE = "xai:default"

def call(path, data=None):
    return json.load(urllib.request.urlopen(f"{control}/{path}", data and json.dumps(data).encode()))

def fingerprint(token):
    return hashlib.sha256(token.encode()).hexdigest()[:12]

class Case:
    def __init__(self, number, step, n, agent, locked):
        self.name = f"a login in {agent} {'under' if locked else 'without'} its lock, after {step} {n}"
        self.agent, self.locked, self.step, self.n = agent, locked, step, n
        self.account, self.home = f"p{number}", f"{top}/homes/{number}"
        self.wrong = []

    def store(self, agent):
        return f"{self.home}/.openclaw/agents/{agent}/agent/auth-profiles.json"

    def save(self, path, credential):
        temp = f"{path}.{os.getpid()}-{self.account}.tmp"
        with open(temp, "w") as f:
            json.dump({"version": 1, "profiles": {PROFILE: credential}}, f, indent=2)
        os.rename(temp, path)

    def token(self, agent):
        return fingerprint(json.load(open(self.store(agent)))["profiles"][PROFILE]["refresh"])

    def keeper(self, *words):
        return [*words, program, "--config", f"{self.home}/conf", "--ledger-dir", f"{self.home}/ledger", "refresh", "-j"]

    def take_lock(self, lock, patience):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                fd = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY)
            except FileExistsError:
                time.sleep(0.005)
                continue
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
            os.write(fd, f'{{\n  "pid": {os.getpid()},\n  "createdAt": "{stamp}"\n}}'.encode())
            os.close(fd)
            return True
        return False

    def log_in(self):
        self.login = call("mint", {"account": self.account})
        path, pid = self.store(self.agent), self.pid
        if not self.locked:
            self.save(path, self.login)
        held = self.locked and self.take_lock(f"{path}.lock", 0.05)
        if held:
            self.save(path, self.login)
        os.kill(pid, signal.SIGCONT)
        if self.locked and not held:  # the keeper has it: after it, then
            held = self.take_lock(f"{path}.lock", 20)
            self.save(path, self.login)
        if held:
            os.unlink(f"{path}.lock")

    def stopped(self, strace):
        trace, end = f"{self.home}/trace", time.monotonic() + 20
        while time.monotonic() < end and strace.poll() is None:
            if os.path.exists(trace) and "stopped by SIGSTOP" in open(trace).read():
                children = open(f"/proc/{strace.pid}/task/{strace.pid}/children").read().split()
                self.pid = int(children[0])
                return True
            time.sleep(0.002)
        return False

    def play(self):
        os.makedirs(self.home)
        open(f"{self.home}/conf", "w").write(open(f"{top}/keeper.conf.template").read().replace("@HOME@", self.home))
        self.old = call("mint", {"account": self.account, "left": "30m"})
        for agent in "main", "a", "b":
            os.makedirs(os.path.dirname(self.store(agent)))
            self.save(self.store(agent), self.old)
        strace = subprocess.Popen(self.keeper("strace", "-o", f"{self.home}/trace", "-e", f"trace={self.step}",
            "-e", f"inject={self.step}:signal=SIGSTOP:when={self.n}"),
            stdout=open(f"{self.home}/out", "w"), stderr=subprocess.DEVNULL)
        self.reached = self.stopped(strace)
        if not self.reached:
            strace.wait()
            return self
        self.log_in()
        strace.wait()
        self.statuses = [strace.returncode]
        for _ in range(2):
            self.statuses.append(subprocess.run(self.keeper(), stdout=subprocess.PIPE).returncode)
        return self

    def check(self, spent):
        login, old = fingerprint(self.login["refresh"]), fingerprint(self.old["refresh"])
        now = {agent: self.token(agent) for agent in ("main", "a", "b")}
        if now[self.agent] != login:
            self.wrong.append("the login was overwritten")
        if spent.get(old, 0) > 1 or spent.get(login, 0) > 0:
            self.wrong.append(f"POSTs: {spent.get(old, 0)} of the old token, {spent.get(login, 0)} of the login's")
        # What the POST brought stands in a store, or is kept.
        if spent.get(old):
            texts = [open(path).read() for path in glob.glob(f"{self.home}/**/*", recursive=True) if os.path.isfile(path)
                     and not path.endswith(("/trace", "/out"))] + [open(self.store("b")).read()]
            if not any('"expires_in"' in text or self.answered(text) for text in texts):
                self.wrong.append("what the POST brought is nowhere")
        if old in now.values() and spent.get(old):
            self.wrong.append("a copy still holds the spent token")
        if self.agent == "main" and set(now.values()) != {login} and self.statuses[-1] != 3:
            self.wrong.append("the copies disagree, and nobody is told")
        if self.statuses[-1] not in (0, 3) or self.statuses[0] not in (0, 1, 3, 4):
            self.wrong.append("exit statuses")
        left = [path for path in glob.glob(f"{self.home}/**/*", recursive=True) if path.endswith((".tmp", ".reclaim"))]
        if left:
            self.wrong.append(f"left: {left}")
        return [f"{self.name}: {text}; exit statuses {self.statuses}" for text in self.wrong]

    def answered(self, text):
        import re
        tokens = set(re.findall(r'"refresh(?:_token)?":\s*"([^"]+)"', text))
        return bool(tokens - {self.old["refresh"], self.login["refresh"]})

cases = [(step, n, agent, locked) for step, count in STEPS.items() for n in range(1, count + 1)
         for agent in ("main", "a") for locked in (True, False)]
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    played = list(pool.map(lambda c: Case(c[0], *c[1]).play(), enumerate(cases)))
spent = call("state")["tokens"]
reached = [case for case in played if case.reached]
wrong = [text for case in reached for text in case.check(spent)]
print(f"# {len(reached)} of {len(played)} steps were reached")
if len(reached) < len(played) * 3 // 4:
    wrong.append(f"only {len(reached)} of {len(played)} steps were reached")
for text in wrong:
    print(f"not ok - {text}")
sys.exit(bool(wrong))
END
