#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""race.py [--hosts 5] [--refreshers 8] [--rounds 200]: one login, several hosts, all of them at once.

Each host has a network namespace, a machine-id, a home, a ledger and stores of its own, and reaches etcd (three members) and
the strict OAuth server (a token that is sent twice ends the login) through a tunnel. In each round the login is due on every
host, and every refresher of every host starts at once. There must be one token request in it; and after one more run of each
host, as its timer would make it, every store of every host holds what the server holds to be live. Root only."""
import argparse
import json
import os
import secrets
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
PROGRAM = os.path.abspath(os.environ.get('OAUTH_KEEPALIVE', TESTS.parent / 'build/oauth-keepalive'))
STARTED = []


def start(*command, **kw):
    p = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True, **kw)
    STARTED.append(p)
    return p


def free_ports(n):
    sockets = [socket.socket() for _ in range(n)]
    for s in sockets:
        s.bind(('127.0.0.1', 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def start_etcd(top, members):
    for _ in range(5):  # somebody else may take a port in between
        ports = free_ports(2 * members)
        peers = ','.join(f'm{i}=http://127.0.0.1:{ports[2 * i]}' for i in range(members))
        token = secrets.token_hex(4)
        started = []
        for i in range(members):
            peer, client = (f'http://127.0.0.1:{p}' for p in ports[2 * i:2 * i + 2])
            started.append(start('etcd', '--name', f'm{i}', '--data-dir', top / f'etcd{token}{i}', '--listen-peer-urls', peer,
                                 '--initial-advertise-peer-urls', peer, '--listen-client-urls', client, '--advertise-client-urls',
                                 client, '--initial-cluster', peers, '--initial-cluster-token', token, '--log-level', 'error',
                                 stderr=subprocess.DEVNULL))
        clients = ports[1::2]
        for _ in range(600):
            if any(p.poll() is not None for p in started):
                break
            if all(is_up(port) for port in clients):
                return clients
            time.sleep(0.05)
    sys.exit('etcd does not start')


def is_up(port):
    try:
        request = urllib.request.Request(f'http://127.0.0.1:{port}/v3/kv/range', b'{"key":"AA=="}')
        return urllib.request.urlopen(request, timeout=10).status == 200
    except OSError:
        return False


class Server:
    def __init__(self):
        p = start(TESTS / 'server/node', TESTS / 'server/oidc.js')
        said = json.loads(p.stdout.readline())
        self.control, self.token_url = said['control_url'], said['token_url']
        self.port = int(self.token_url.split(':')[2].split('/')[0])

    def call(self, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        return json.load(urllib.request.urlopen(f'{self.control}/{path}', data))

    def state(self):
        return self.call('state')


class Host:
    def __init__(self, top, name, ports, directory, server, endpoints, login):
        self.name, self.home = name, top / name
        self.state, self.ledger = self.home / '.openclaw', self.home / 'ledger'
        (self.home / 'machine-id').parent.mkdir(mode=0o700)
        (self.home / 'machine-id').write_text(secrets.token_hex(16) + '\n')
        for agent in ('main', 'work'):
            path = self.store(agent)
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps({'version': 1, 'profiles': {'xai:default': login}}, indent=2) + '\n')
        self.config = self.home / 'keeper.conf'
        urls = ', '.join(f'"http://127.0.0.1:{p}"' for p in endpoints)
        self.config.write_text(f'''state_dir = "{self.state}"; ledger_dir = "{self.ledger}";
            http = {{ connect_timeout = "60s"; deadline = "60s"; }};
            providers = ( {{ name = "xai"; token_url = "{server.token_url}"; }} );
            cluster = {{ endpoints = ( {urls} ); seal_key_file = "{top}/seal"; host = "{name}"; }};''')
        self.tunnel = start('unshare', '--net', '--mount', '--propagation', 'private', 'sh', '-c',
                            f'mount --bind {self.home}/machine-id /etc/machine-id && exec "$@"', 'sh',
                            sys.executable, HERE / 'tunnel.py', 'in', directory, *ports, stderr=subprocess.DEVNULL)
        if self.tunnel.stdout.readline() != 'ready\n':
            sys.exit('no namespaces here')

    def store(self, agent):
        return self.state / f'agents/{agent}/agent/auth-profiles.json'

    def tokens(self):
        return {json.loads(self.store(a).read_text())['profiles']['xai:default']['refresh'] for a in ('main', 'work')}

    def run(self, *arguments):
        return subprocess.Popen(['nsenter', '-t', str(self.tunnel.pid), '-n', '-m', PROGRAM, '--config', str(self.config), *arguments],
                                env={'HOME': str(self.home), 'PATH': os.environ['PATH']}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def make_due(self):
        for path in (self.ledger / 'accounts').glob('*.json'):
            record = json.loads(path.read_text())
            record['live']['expires_ms'] = int((time.time() + 3600) * 1000)
            path.write_text(json.dumps(record))


def fingerprint(token):
    return sha256(token.encode()).hexdigest()[:12]


def wait(processes, allowed):
    statuses = {}
    for p in processes:
        text = p.communicate()[0].decode()
        statuses[p.returncode] = statuses.get(p.returncode, 0) + 1
        if p.returncode not in allowed:
            sys.exit(f'a run ended with {p.returncode}:\n{text}')
    return statuses


def race(options, top):
    os.umask(0o077)
    server = Server()
    endpoints = start_etcd(top, 3)
    (top / 'seal').write_bytes(secrets.token_bytes(32))
    login = server.call('mint', {'account': 'alice', 'left': '5h', 'email': 'a@example.org'})
    ports = [*endpoints, server.port]
    tunnel = start(sys.executable, HERE / 'tunnel.py', 'out', top / 'ports', *ports, stderr=subprocess.DEVNULL)
    tunnel.stdout.readline()
    hosts = [Host(top, f'host{i}', ports, top / 'ports', server, endpoints, login) for i in range(options.hosts)]
    wait([h.run('refresh') for h in hosts], {0})
    seconds, at_once, busy, wrong = [], [], 0, 0
    for n in range(options.rounds):
        for h in hosts:
            h.make_due()
        before = server.state()['posts']
        began = time.monotonic()
        statuses = wait([h.run('refresh', '--wait', '60s') for h in hosts for _ in range(options.refreshers)], {0, 4})
        seconds.append(time.monotonic() - began)
        busy += statuses.get(4, 0)
        live = server.state()['accounts']['alice']
        at_once.append(sum({fingerprint(t) for t in h.tokens()} == {live['generation']} for h in hosts))
        wait([h.run('refresh') for h in hosts], {0})
        state = server.state()
        posts, live = state['posts'] - before, state['accounts']['alice']
        behind = [h.name for h in hosts if {fingerprint(t) for t in h.tokens()} != {live['generation']}]
        if posts != 1 or behind or not live['alive']:
            wrong += 1
            print(f'round {n + 1}: {posts} token requests, behind: {behind or "nobody"}, alive: {live["alive"]}', flush=True)
        elif sys.stdout.isatty() or (n + 1) % 20 == 0:
            print(f'round {n + 1}: one token request, {options.hosts} hosts on the live generation', flush=True)
    print(f'{options.rounds} rounds of {options.hosts} hosts with {options.refreshers} refreshers each: {options.rounds - wrong} with one token '
          f'request and every store live; {statistics.mean(at_once):.1f} hosts had it in the round itself; a round took '
          f'{statistics.median(seconds):.2f} s (median); {busy} of {options.rounds * options.hosts * options.refreshers} runs were busy')
    return wrong


def may_make_namespaces():
    return subprocess.run(['unshare', '--net', '--mount', '--propagation', 'private', 'mount', '--bind', '/etc/machine-id', '/etc/machine-id'],
                          stderr=subprocess.DEVNULL).returncode == 0


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument('--hosts', type=int, default=5)
    p.add_argument('--refreshers', type=int, default=8)
    p.add_argument('--rounds', type=int, default=200)
    options = p.parse_args()
    if os.geteuid() or not shutil.which('etcd') or not shutil.which('nsenter') or not may_make_namespaces():
        print('# skipped: it takes root that may make namespaces, /etc/machine-id, and etcd (Debian: etcd-server)')
        return 0
    top = Path(tempfile.mkdtemp(prefix='oauth-keepalive-test.'))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        return 1 if race(options, top) else 0
    finally:
        for process in reversed(STARTED):
            process.kill()
            process.wait()
        shutil.rmtree(top, ignore_errors=True)


if __name__ == '__main__':
    sys.exit(main())
