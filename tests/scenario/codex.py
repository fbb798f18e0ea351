#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Codex at work, as far as others see it (facts: clis.md 3): codex.py refresh AUTH_JSON URL

It reads the file, sends the refresh token with no lock held, and only then takes auth.lock, however long that takes, and
auth.json.lock, for 5 s at most, to save the answer if the file still holds what it sent. Prints what became of it:
committed, kept (somebody else changed the file), lost (the second lock was held too long), reused.

codex.py serve READY: a provider that rotates with every use and answers a token's second use with refresh_token_reused,
as OpenAI does, and leaves the login alive. Codex hears of its own half a second later. A line in READY: its token URL. A GET
there gets the login that is good; at /first/codex or /first/ours: who comes first shall hear of it once somebody else has
used the token after him (/first/nobody: no more); at /sent: how often we have sent the token that we sent most often.
"""
import base64
import collections
import fcntl
import http.server
import json
import os
import sys
import threading
import time
import urllib.error
import urllib.request


def jwt(claims):
    part = lambda o: base64.urlsafe_b64encode(json.dumps(o).encode()).rstrip(b"=").decode()
    return f"{part({'alg': 'none'})}.{part(claims)}.FAKE"


def login(number):
    now = int(time.time())
    claims = {"iat": now - 3600 + number, "exp": now + 864000, "https://api.openai.com/auth": {
        "chatgpt_account_id": "acct-fake", "chatgpt_user_id": "user-fake"}}
    return {"access_token": jwt(claims), "refresh_token": f"FAKE-REFRESH-{number:06}", "expires_in": 864000}


class Provider(http.server.BaseHTTPRequestHandler):
    number = 1
    reused = threading.Event()
    first = None
    sent = collections.Counter()

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        body = json.loads(text) if text[0] == "{" else dict(p.split("=") for p in text.split("&"))
        who = "ours" if "client_id" in body else "codex"
        if who == "ours":
            Provider.sent[body["refresh_token"]] += 1
        status, answer = 400, {"error": {"code": "refresh_token_reused"}}
        if body["refresh_token"] != login(Provider.number)["refresh_token"]:
            Provider.reused.set()
        else:
            Provider.number += 1
            status, answer = 200, login(Provider.number)
            if who == Provider.first:
                Provider.reused.wait()
            elif who == "codex":
                time.sleep(0.5)
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        if self.path.startswith("/first/"):
            Provider.first = self.path.removeprefix("/first/")
            Provider.reused.clear()
        sent = max(Provider.sent.values(), default=0)
        text = json.dumps(sent if self.path == "/sent" else login(Provider.number)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


def serve(ready):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    with open(f"{ready}.new", "w") as file:
        file.write(f"http://127.0.0.1:{server.server_port}/token\n")
    os.rename(f"{ready}.new", ready)
    server.serve_forever()


def flock(path, seconds=None):
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    end = time.monotonic() + (seconds or 0)
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | (fcntl.LOCK_NB if seconds else 0))
            return fd
        except BlockingIOError:
            if time.monotonic() > end:
                return None
            time.sleep(0.01)


def refresh(path, url):
    sent = json.load(open(path))["tokens"]["refresh_token"]
    body = json.dumps({"grant_type": "refresh_token", "refresh_token": sent}).encode()
    try:
        answer = json.load(urllib.request.urlopen(urllib.request.Request(url, body)))
    except urllib.error.HTTPError:
        return "reused"
    flock(f"{os.path.dirname(path)}/auth.lock")
    if flock(f"{path}.lock", 5) is None:
        return "lost"
    auth = json.load(open(path))
    if auth["tokens"]["refresh_token"] != sent:
        return "kept"
    auth["tokens"].update(access_token=answer["access_token"], refresh_token=answer["refresh_token"])
    auth["last_refresh"] = time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime())
    with open(f"{path}.tmp", "w") as file:
        json.dump(auth, file, indent=2)
    os.rename(f"{path}.tmp", path)
    return "committed"


if sys.argv[1] == "serve":
    serve(sys.argv[2])
else:
    print(refresh(*sys.argv[2:]))
