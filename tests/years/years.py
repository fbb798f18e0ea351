#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Years of refreshing, on a clock that is moved: stores that come back from an archive, and people who log in.

A world is a lifetime, a kind of access token (JWT, opaque), a format of the stores (JSON, SQLite) and what the ledger may
remember: everything; nothing in its list and no marks; nor what `spent` says. A year of refreshes is run in it by the real
program and the real courier, against a server that ends a login whose spent token comes back. On the way copies of the
stores are put aside. Then each of them comes back, into main, an agent or both, a day, a month and up to a year old; then
people log in, in main or an agent, for shorter or longer than before, alive, dead or logged out.

  nothing spent is ever sent (the server), no spent token stands in a store afterwards (where `spent` is gone, too: none is
  sent, and it is said: exit status 3), the live login is kept, the exit status is right, a person's login is taken.

usage: years.py [--short] [--only TEXT] [--days N] KEEPER CLOCK.SO      (--short: no year, but lists and marks forget)
"""
import argparse
import base64
import hashlib
import http.server
import itertools
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

DAY, HOUR, MINUTE = 86400, 3600, 60
PROFILE = 'xai:default'


def wire(data):
    return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip('=')


class Server(http.server.ThreadingHTTPServer):
    """one login after the other; each is a family, which ends when a spent token comes back"""
    daemon_threads = True

    def __init__(self, world):
        super().__init__(('127.0.0.1', 0), Handler)
        self.world, self.known, self.live, self.replays, self.posts = world, {}, {}, [], 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def issue(self, family, lifetime):
        n, now = len(self.known), self.world.now()
        refresh = f'FAKE-REFRESH-{n}-{hashlib.sha256(str(n).encode()).hexdigest()[:20]}'
        access = f'FAKE-ACCESS-{n}'
        if self.world.kind == 'jwt':
            access = '.'.join((wire({'alg': 'none'}), wire({'sub': 'alice', 'iat': int(now), 'exp': int(now + lifetime)}), 'FAKE'))
        self.known[refresh] = (family, lifetime)
        self.live[family] = refresh
        return {'access_token': access, 'refresh_token': refresh, 'expires_in': lifetime}

    def refresh(self, token):
        self.posts += 1
        family, lifetime = self.known[token]
        if self.live.get(family) != token:
            self.replays.append(token)
            self.live.pop(family, None)
            return 400, {'error': 'invalid_grant'}
        return 200, self.issue(family, lifetime)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    log_message = lambda *_: None

    def date_time_string(self, timestamp=None):
        return super().date_time_string(self.server.world.now())

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers['Content-Length'])).decode())
        status, body = self.server.refresh(form['refresh_token'][0])
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(text)))
        self.send_header('Connection', 'close')
        self.end_headers()
        self.wfile.write(text)
        self.close_connection = True


class World:
    def __init__(self, args, lifetime, kind, store_format):
        self.args, self.lifetime, self.kind, self.format = args, lifetime, kind, store_format
        self.title = f'{lifetime // MINUTE} min, {kind}, {store_format}'
        self.home = tempfile.mkdtemp(prefix='years.', dir='/dev/shm' if os.access('/dev/shm', os.W_OK) else None)
        self.ledger, self.ahead, self.failures, self.runs = f'{self.home}/ledger', 0, [], 0
        self.server = Server(self)
        with open(f'{self.home}/conf', 'w') as f:
            f.write(f'state_dir = "{self.home}/state";\nproviders = ( {{ name = "xai"; token_url = '
                    f'"http://127.0.0.1:{self.server.server_port}/token"; }} );\n')
        self.install(args.keeper, args.clock)
        for agent in ('main', 'a', 'b'):
            os.makedirs(f'{self.home}/state/agents/{agent}/agent', mode=0o700)

    def install(self, keeper, clock):
        """the courier gets no environment of ours, so it is started by one that gives it the same clock"""
        os.mkdir(f'{self.home}/build')
        shutil.copy(keeper, f'{self.home}/build/oauth-keepalive')
        courier = f'{self.home}/build/oauth-keepalive-courier'
        with open(courier, 'w') as f:
            f.write(f'#!/bin/sh\nLD_PRELOAD={clock} TEST_AHEAD=$(cat {self.home}/ahead) exec {os.path.abspath(keeper)}-courier "$@"\n')
        os.chmod(courier, 0o700)
        self.sleep(0)

    def end(self):
        self.server.shutdown()
        shutil.rmtree(self.home)

    # time

    def now(self):
        return time.time() + self.ahead

    def sleep(self, seconds):
        self.ahead += int(seconds)
        with open(f'{self.home}/ahead', 'w') as f:
            f.write(str(self.ahead))

    # stores

    def store(self, agent):
        name = 'auth-profiles.json' if self.format == 'json' else 'openclaw-agent.sqlite'
        return f'{self.home}/state/agents/{agent}/agent/{name}'

    def read(self, agent):
        if self.format == 'json':
            with open(self.store(agent)) as f:
                return f.read()
        with sqlite3.connect(self.store(agent)) as db:
            return db.execute('SELECT store_json FROM auth_profile_store').fetchone()[0]

    def write(self, agent, text):
        if self.format == 'json':
            with open(self.store(agent), 'w') as f:
                f.write(text)
            return
        with sqlite3.connect(self.store(agent)) as db:
            db.executescript('''CREATE TABLE IF NOT EXISTS auth_profile_store (store_key TEXT NOT NULL PRIMARY KEY,
                store_json TEXT NOT NULL, updated_at INTEGER NOT NULL) STRICT;
                CREATE TABLE IF NOT EXISTS auth_profile_state (state_key TEXT NOT NULL PRIMARY KEY, state_json TEXT NOT
                NULL, updated_at INTEGER NOT NULL) STRICT; CREATE TABLE IF NOT EXISTS schema_meta (meta_key TEXT NOT NULL
                PRIMARY KEY, role TEXT NOT NULL, schema_version INTEGER NOT NULL, agent_id TEXT, updated_at INTEGER NOT
                NULL) STRICT; PRAGMA user_version=23;''')
            db.execute("INSERT INTO auth_profile_store VALUES ('primary', ?, 1) "
                       'ON CONFLICT DO UPDATE SET store_json = excluded.store_json', (text,))

    def profile(self, agent):
        return json.loads(self.read(agent))['profiles'].get(PROFILE) or {}

    def text_of(self, answer):
        login = {'type': 'oauth', 'provider': 'xai', 'access': answer['access_token'], 'refresh': answer['refresh_token'],
                 'expires': int((self.now() + answer['expires_in']) * 1000)}
        return json.dumps({'version': 1, 'profiles': {PROFILE: login}}, indent=2) + '\n'

    def log_in(self, agents, lifetime=None):
        """a person; returns the family"""
        family = f'login {len(self.server.known)}'
        text = self.text_of(self.server.issue(family, lifetime or self.lifetime))
        for agent in agents:
            self.write(agent, text)
        return family

    # the program

    def run(self, *words):
        self.runs += 1
        p = subprocess.run([f'{self.home}/build/oauth-keepalive', '-c', f'{self.home}/conf', '--ledger-dir', self.ledger, *words],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                           env={'HOME': self.home, 'LD_PRELOAD': self.args.clock, 'TEST_AHEAD': str(self.ahead)})
        self.said = p.stdout + p.stderr
        return p.returncode

    def can_be_ordered(self, lifetime, moment):
        """an opaque token tells by its expiry alone when it was issued: one that lives longer than the provider says is
        not believed, one that lives shorter looks older than the login before until that has expired. It is left, and said"""
        if self.kind == 'jwt' or lifetime == self.lifetime or moment in ('when it is dead', 'after a logout'):
            return True
        return lifetime < self.lifetime and moment == 'after a week'

    def go_on(self, rounds=1):
        """refreshed as soon as it is due, so many times"""
        for _ in range(rounds):
            self.sleep(self.lifetime - self.margin() + 1)
            self.expect(self.run('refresh', '-q') == 0, 'a refresh', self.said)

    def margin(self):
        floor = 12 * MINUTE
        return min(max(self.lifetime // 3, floor), self.lifetime * 4 // 5)

    def forget(self, remembers):
        """marks are as if swept (they are, by a year); the list is as if 256 had gone through it"""
        if remembers == 'all':
            return
        for folder, _, names in os.walk(self.ledger):
            for name in names:
                path = f'{folder}/{name}'
                if name.endswith('.settled') or '/settled' in folder or name == 'spent' and remembers == 'nothing':
                    os.unlink(path)
                elif '/accounts' in folder and name.endswith('.json'):
                    with open(path) as f:
                        record = json.load(f)
                    fakes = [hashlib.sha256(f'{i}'.encode()).hexdigest() for i in range(256)]
                    record['superseded'] = record['fences'] = fakes
                    with open(path, 'w') as f:
                        json.dump(record, f)

    # expectations

    def expect(self, holds, what, detail=''):
        if not holds:
            self.failures.append(f'{self.title}: {what}')
            print(f'not ok - {self.title}: {what}\n#   {detail.strip()[:1500]}', flush=True)

    def expect_all(self, family, what, but=()):
        """the login is alive, and in every store"""
        live = self.server.live.get(family)
        self.expect(live is not None, f'{what}: the login is alive', self.said)
        for agent in ('main', 'a', 'b'):
            if agent not in but:
                self.expect(self.profile(agent).get('refresh') == live, f'{what}: {agent} holds it', self.said)
        self.expect(not self.server.replays, f'{what}: nothing spent was sent', self.said)


def come_back(w, family, text, agents, remembers, what):
    """an old store is there again"""
    saved = {agent: w.read(agent) for agent in agents}
    w.forget(remembers)
    for agent in agents:
        w.write(agent, text)
    status = w.run('refresh', '-q')
    if remembers != 'nothing':
        w.expect(status == 0, f'{what}: repaired (it is {status})', w.said)
        w.expect_all(family, what)
        w.sleep(w.lifetime)
        w.expect(w.run('refresh', '-q') == 0, f'{what}: and goes on', w.said)
        return w.expect_all(family, what)
    # Its age is all that tells. Not sent, not handed on, and said, unless it is old enough to be sure.
    w.expect(status in (0, 3), f'{what}: exit status 0 or 3 (it is {status})', w.said)
    w.run('refresh', '--force', '-q')
    w.sleep(w.lifetime)
    w.run('refresh', '-q')
    w.expect_all(family, what, agents)
    for agent in agents:
        w.expect(w.profile(agent)['refresh'] in (w.server.live[family], json.loads(text)['profiles'][PROFILE]['refresh']),
                 f'{what}: nothing else in {agent}')
        w.write(agent, saved[agent])
    w.run('refresh', '-q')
    w.sleep(w.lifetime)
    w.run('refresh', '-q')
    w.expect_all(family, what + ', put right')


MOMENTS = ('now', 'at once', 'when it is due', 'after a week', 'when it is dead', 'after a logout')


def people(w, family):
    """who logs in is taken, at every moment"""
    cases = list(itertools.product((['main'], ['a'], ['main', 'a', 'b']), (1, 0.5, 2), MOMENTS))
    cases = [(where, int(w.lifetime * share), moment) for where, share, moment in cases
             if w.can_be_ordered(w.lifetime * share, moment)
             # main is where a person logs in then
             and ('main' in where or moment not in ('when it is dead', 'after a logout'))]
    for where, lifetime, moment in cases[::5] if w.args.short else cases:
        if w.failures:
            break
        what = f'login in {"+".join(where)}, {lifetime // MINUTE} min, {moment}'
        before(w, family, moment, what)
        w.forget('lists no more')
        family = w.log_in(where, lifetime)
        status = w.run('refresh', '-q')
        w.expect(status == 0, f'{what}: taken (it is {status})', w.said)
        w.expect_all(family, what)
        w.go_on(2)
        w.expect_all(family, what)
        if lifetime != w.lifetime:  # back to what it was
            w.sleep(2 * w.lifetime)
            family = w.log_in(('main', 'a', 'b'))
            w.expect(w.run('refresh', '-q') == 0, f'{what}: and back', w.said)
            w.go_on(2)
            w.expect_all(family, what)
    return family


def before(w, family, moment, what):
    if moment == 'now':
        w.sleep(w.lifetime // 10)
    elif moment == 'when it is due':
        w.sleep(w.lifetime - w.margin() + 1)
    elif moment == 'after a week':
        w.sleep(7 * DAY)
    elif moment == 'when it is dead':
        w.server.live.pop(family)
        w.sleep(w.lifetime)
        w.expect(w.run('refresh', '-q') == 3, f'{what}: it is dead', w.said)
        w.server.replays.clear()
    elif moment == 'after a logout':
        w.write('main', json.dumps({'version': 1, 'profiles': {}}))
        w.expect(w.run('refresh', '-q') == 3, f'{what}: it is logged out', w.said)
        w.sleep(DAY)


def go_on_for(w, family, days, samples):
    """so many days of refreshes; what stood in main on the way, and when"""
    step = w.lifetime - w.margin() + 1
    refreshes, aside = max(int(days * DAY / step), samples), []
    for i in range(refreshes):
        if i % (refreshes // samples) == 0:
            aside.append((w.now(), w.read('main')))
        w.go_on()
        if i % 97 == 96:
            w.expect_all(family, f'refresh {i}')
    w.expect_all(family, f'{days} days')
    return aside[:-1]  # the last one may be live yet


def come_back_all(w, family, aside, remembers):
    for rest in (DAY, 365 * DAY) if w.args.short else (0, DAY, 30 * DAY, 365 * DAY):
        w.sleep(rest)
        w.expect(w.run('refresh', '-q') == 0, 'after a rest', w.said)
        for at, text in random.Random(rest).sample(aside, 1 if w.args.short else 3):
            for agents in (['main'], ['a'], ['main', 'b']):
                days = (w.now() - at) / DAY
                if not w.failures:
                    come_back(w, family, text, agents, remembers,
                              f'{days:.1f} days old, in {"+".join(agents)}, remembers {remembers}')


def one_world(args, lifetime, kind, store_format):
    w = World(args, lifetime, kind, store_format)
    family, began = w.log_in(('main', 'a', 'b')), w.now()
    w.expect(w.run('refresh', '-q') == 0, 'the first run', w.said)
    aside = go_on_for(w, family, 1 / 24 if args.short else args.days, 6 if args.short else 12)
    print(f'# {w.title}: {(w.now() - began) / DAY:.1f} days, {w.server.posts} requests, {len(w.server.replays)} replays',
          flush=True)
    come_back_all(w, family, aside, 'all')
    come_back_all(w, family, aside, 'lists no more')
    family = people(w, family)
    aside = go_on_for(w, family, 1 / 24, 6)
    come_back_all(w, family, aside, 'nothing')
    print(f'{"not ok" if w.failures else "ok"} - {w.title}: {w.runs} runs, {w.server.posts} requests', flush=True)
    w.end()
    return len(w.failures)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--short', action='store_true')
    p.add_argument('--only', default='')
    p.add_argument('--days', type=float, default=365)
    p.add_argument('keeper')
    p.add_argument('clock')
    args = p.parse_args()
    failed = 0
    for lifetime in (6 * HOUR, HOUR, 15 * MINUTE):
        for kind in ('jwt', 'opaque'):
            for store_format in ('json', 'sqlite'):
                if f'{lifetime // MINUTE} min, {kind}, {store_format}'.startswith(args.only):
                    failed += one_world(args, lifetime, kind, store_format)
    sys.exit(failed > 0)


if __name__ == '__main__':
    main()
