# SPDX-License-Identifier: MIT
#
# login-steps.py TOP CONTROL PROGRAM KIND: for 61-login-at-every-step and its like (KIND is json or sqlite).
#
# One run under strace counts the calls by which keeper and courier change something, or wait. Then, for each of them, a
# run is stopped right after it; a person logs in, and the login is saved as OpenClaw saves; the run goes on; two more
# follow. TOP holds `template` (a state directory: main, a, b) and `keeper.conf.template`.
import concurrent.futures, glob, hashlib, json, os, re, shlex, shutil, signal, sqlite3
import subprocess, sys, threading, time, urllib.request

top, control, program, kind = sys.argv[1:]
PROFILE = "xai:default"
# The calls, and what a line of the trace must match to count. A JSON store is replaced by names in an open directory, and
# there looking counts, too; a database has a lock for that, which `fcntl` takes.
STORE = r'\(\d+, "auth-profiles'
FILES = {"openat": f"O_CREAT|{STORE}", "write": "", "fsync": "", "ftruncate": "", "fchmod": "", "link": "", "symlinkat": "",
         "unlink": "", "unlinkat": "", "rename": "", "renameat": "", "renameat2": "", "utimensat": ""}
OF_KIND = {"json": {"newfstatat": STORE, "statx": STORE},
           "sqlite": {"pwrite64": "", "fdatasync": "", "fcntl": "F_WRLCK.*l_start=120"}}
STEPS = {
    "keeper": {**FILES, **OF_KIND[kind], "sendmsg": "", "recvmsg": "", "poll": ""},
    "courier": {"connect": "", "sendto": "", "recvfrom": "", "fsync": "", "sendmsg": "", "recvmsg": "", "poll": ""},
}
ROWS = {"main": ("state/openclaw.sqlite", "config_machine_state", "value_json", "state_key = 'authProfiles.store'")}
JSON_STORE, AGENT_ROW = "agents/{}/agent/auth-profiles.json", \
    ("agents/{}/agent/openclaw-agent.sqlite", "auth_profile_store", "store_json", "store_key = 'primary'")


def call(path, data=None):
    return json.load(urllib.request.urlopen(f"{control}/{path}", data and json.dumps(data).encode()))


def fingerprint(token):
    return hashlib.sha256(token.encode()).hexdigest()[:12]


def document(credential):
    return json.dumps({"version": 1, "profiles": {PROFILE: credential}}, indent=2)


class Home:
    def __init__(self, name, who="keeper", step="", n=0, agent="a", locked=False):
        lock = "" if kind == "sqlite" else " under its lock" if locked else " without its lock"
        self.name = f"a login in {agent}{lock}, after the {who}'s {step} {n}"
        self.who, self.step, self.n, self.agent, self.locked = who, step, n, agent, locked
        self.account, self.home = f"p{name}", f"{top}/homes/{name}"
        self.trace, self.wrong = f"{self.home}/trace", []

    # ---- its stores

    def row(self, agent):
        file, *rest = ROWS.get(agent, AGENT_ROW)
        return [f"{self.home}/.openclaw/{file.format(agent)}", *rest]

    def store(self, agent):
        return f"{self.home}/.openclaw/{JSON_STORE.format(agent)}" if kind == "json" else self.row(agent)[0]

    def save(self, agent, credential):
        if kind == "json":  # a temporary file, and a rename
            temp = f"{self.store(agent)}.{os.getpid()}-{self.account}.tmp"
            with open(temp, "w") as f:
                f.write(document(credential))
            os.rename(temp, self.store(agent))
            return True
        file, table, column, where = self.row(agent)
        database = sqlite3.connect(file, isolation_level=None, timeout=300)
        try:
            database.execute("BEGIN IMMEDIATE")
            database.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", [document(credential)])
            database.execute("COMMIT")
            return True
        except sqlite3.OperationalError:
            return False
        finally:
            database.close()

    def token(self, agent):
        if kind == "json":
            text = open(self.store(agent)).read()
        else:
            file, table, column, where = self.row(agent)
            text = sqlite3.connect(file, timeout=300).execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()[0]
        return fingerprint(json.loads(text)["profiles"][PROFILE]["refresh"])

    def take_lock(self, lock):
        end = time.monotonic() + 300
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

    # ---- the story

    def make(self):
        os.makedirs(f"{self.home}/bin")
        shutil.copytree(f"{top}/template", f"{self.home}/.openclaw")
        conf = open(f"{top}/keeper.conf.template").read()
        open(f"{self.home}/conf", "w").write(conf.replace("@HOME@", self.home))
        self.old = call("mint", {"account": self.account, "left": "30m"})
        for agent in "main", "a", "b":
            self.save(agent, self.old)

    def strace(self):
        calls = ",".join(STEPS[self.who])
        words = ["strace", "-D", "-s", "0", "-o", self.trace, "-e", f"trace={self.step or calls}"]
        if self.step:
            words += ["-e", f"inject={self.step}:signal=SIGSTOP:when={self.n}"]
        return words

    # The keeper under strace, or its courier: which the keeper starts as the program beside it, with no environment.
    def start(self):
        words, keeper = [], program
        if self.who == "keeper":
            words = self.strace()
        else:
            keeper, wrapper = f"{self.home}/bin/keeper", f"{self.home}/bin/oauth-keepalive-courier"
            os.link(f"{top}/keeper", keeper)
            open(wrapper, "w").write(f"#!/bin/sh\nexec {shlex.join([*self.strace(), program + '-courier'])}\n")
            os.chmod(wrapper, 0o755)
        return subprocess.Popen([*words, *self.command(keeper)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def command(self, keeper=program):
        return [keeper, "--config", f"{self.home}/conf", "--ledger-dir", f"{self.home}/ledger", "refresh", "-j"]

    # By strace -D the traced process is the one that was started; the courier's pid is the keeper's only child.
    def stopped(self, keeper):
        end = time.monotonic() + 300
        while time.monotonic() < end and keeper.poll() is None:
            if os.path.exists(self.trace) and "stopped by SIGSTOP" in open(self.trace).read():
                self.pid = keeper.pid
                if self.who == "courier":
                    children = open(f"/proc/{keeper.pid}/task/{keeper.pid}/children").read().split()
                    self.pid = int(children[0])
                return True
            time.sleep(0.002)
        return False

    # If the stopped run is in the way, after it.
    def log_in(self):
        self.login = call("mint", {"account": self.account})
        saving = threading.Thread(target=self.save_login)
        saving.start()
        saving.join(0.05)
        os.kill(self.pid, signal.SIGCONT)
        saving.join()

    def save_login(self):
        lock = f"{self.store(self.agent)}.lock"
        held = self.locked and self.take_lock(lock)
        if self.locked and not held or not self.save(self.agent, self.login):
            self.wrong.append("the login could not be saved for 5 minutes")
        if held:
            os.unlink(lock)

    def play(self):
        self.make()
        keeper = self.start()
        self.reached = self.stopped(keeper)
        if self.reached:
            self.log_in()
        self.statuses = [keeper.wait()]
        for _ in range(2):
            self.statuses.append(subprocess.run(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode)
        return self

    # [(call, n), …] of an undisturbed run
    def count(self):
        self.make()
        self.start().wait()
        while "+++ exited with" not in open(self.trace).read():
            time.sleep(0.01)  # strace -D goes on without its child
        seen, steps = {}, []
        for line in open(self.trace):
            name = line.partition("(")[0]
            if name in STEPS[self.who]:
                seen[name] = seen.get(name, 0) + 1
                if re.search(STEPS[self.who][name], line):
                    steps.append((name, seen[name]))
        return steps

    # ---- what must be

    def check(self, spent):
        login, old = fingerprint(self.login["refresh"]), fingerprint(self.old["refresh"])
        now = {agent: self.token(agent) for agent in ("main", "a", "b")}
        if now[self.agent] != login:
            self.wrong.append("the login was overwritten")
        if spent.get(old, 0) > 1 or spent.get(login, 0) > 0:
            self.wrong.append(f"POSTs: {spent.get(old, 0)} of the old token, {spent.get(login, 0)} of the login's")
        if spent.get(old) and not self.answer_stands():
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

    # In a store, or kept in the ledger.
    def answer_stands(self):
        tokens = set()
        for folder in ".openclaw", "ledger":
            for path in glob.glob(f"{self.home}/{folder}/**/*", recursive=True):
                if os.path.isfile(path):
                    text = open(path, errors="replace").read()
                    tokens |= set(re.findall(r'"refresh(?:_token)?":\s*"([^"]+)"', text))
        return bool(tokens - {self.old["refresh"], self.login["refresh"]})


shutil.copy(program, f"{top}/keeper")
# Step by step in turns under the store's lock and without it: one step and the next are one call apart. (A database has no
# lock but its own.)
every = int(os.environ.get("EVERY", 3))  # of the cases; 1 is all of them
cases = [(who, *step, agent, kind == "json" and (i + (agent == "a")) % 2 == 0) for who in STEPS
         for i, step in enumerate(Home(f"count-{who}", who).count()) for agent in ("main", "a")][::every]
with concurrent.futures.ThreadPoolExecutor(8) as pool:
    played = list(pool.map(lambda c: Home(c[0], *c[1]).play(), enumerate(cases)))
spent = call("state")["tokens"]
reached = [case for case in played if case.reached]
wrong = [text for case in reached for text in case.check(spent)]
each = {who: len({case[1:3] for case in cases if case[0] == who}) for who in STEPS}
print(f"# {each['keeper']} steps of the keeper, {each['courier']} of the courier; {len(reached)} of {len(cases)} reached")
if len(reached) < len(cases) * 9 // 10 or not all(each.values()):
    wrong.append("too few steps were reached")
for text in wrong:
    print(f"not ok - {text}")
sys.exit(bool(wrong))
