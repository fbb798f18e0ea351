#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A token endpoint that answers as it is told: everything a good server never does.

usage: scripted.py [--tls DIR]        (DIR gets a certificate by certificate.sh)

Prints one line of JSON when it is ready: token_url, discovery_url, control_url, ca_file. On the control port:

  POST /control {"answers": [ANSWER, ...]}   queue answers; each serves one request, whatever its path, or to its "path";
                                             with "instead": true no other is left
  POST /release  {}                          the held answers go out
  GET  /state    {"posts", "tokens": {fingerprint: n}, "requests": [{method, path, token, headers}]}

ANSWER, everything optional:
  status 200 · headers {} (null: not that one; {"in_s": 60}: the date in a minute) · body "text" or JSON · hex "00ff": the body's bytes · size N: pad the body to N bytes
  tokens {…}: a good body, with fake tokens named after the last part of the path, and these members (null: none);
  numbered true: and after the number of the request
  gzip true · path "/token/x": only for requests to it
  held true: until released · delay_ms before the answer · trickle_ms between single bytes of the body · repeat N (0: for ever)
  cut "before": close without a byte; "in": half the body, then reset; "after": the whole body, then reset

A request nobody queued an answer for gets 404. Refresh tokens appear only as fingerprints (12 hex of SHA-256).
"""
import gzip
import hashlib
import json
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHUNK = 1 << 16
lock = threading.Lock()
queue = []
requests = []
numbers = [0]
released = threading.Event()


def next_answer(path):
    with lock:
        answer = next((a for a in queue if a.get("path", path) == path), None)
        if not answer:
            return {"status": 404, "body": "no answer was queued for this request\n"}
        left = answer.get("repeat", 1)
        if left == 1:
            queue.remove(answer)
        elif left:
            answer["repeat"] = left - 1
        return dict(answer)


def refresh_token_of(text):
    try:
        return json.loads(text)["refresh_token"]
    except (ValueError, KeyError, TypeError):
        return urllib.parse.parse_qs(text).get("refresh_token", [None])[0]


def fingerprint(token):
    return token and hashlib.sha256(token.encode()).hexdigest()[:12]


def good_body(path, answer):
    name, more = path.rpartition("/")[2], answer["tokens"]
    if answer.get("numbered"):
        with lock:
            numbers[0] += 1
            name += f"-{numbers[0]:04}"
    body = {"access_token": f"FAKE-ACCESS-new-{name}", "token_type": "Bearer",
            "refresh_token": f"FAKE-REFRESH-new-{name}", "expires_in": 21600, **more}
    return {key: value for key, value in body.items() if value is not None}


def body_of(path, answer):
    body = good_body(path, answer) if "tokens" in answer else answer.get("body", "")
    body = (body if isinstance(body, str) else json.dumps(body)).encode()
    body = bytes.fromhex(answer.get("hex", "")) or body
    body += b" " * (answer.get("size", 0) - len(body))
    return gzip.compress(body) if answer.get("gzip") else body


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    log_message = lambda *_: None

    def read(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")

    def reset(self):
        """End the connection with a RST, as a crashed peer does."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


class Scripted(Handler):
    def answer(self):
        token = fingerprint(refresh_token_of(self.read()))
        with lock:
            requests.append({"method": self.command, "path": self.path, "token": token,
                             "headers": dict(self.headers)})
        try:
            self.play(next_answer(self.path))
        except OSError:
            self.close_connection = True  # the client went away: that is its right

    do_GET = do_POST = answer

    def play(self, answer):
        time.sleep(answer.get("delay_ms", 0) / 1000)
        if answer.get("held"):
            released.wait()
        cut = answer.get("cut")
        if cut == "before":
            return self.reset()
        body = body_of(self.path, answer)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close",
                   "Date": self.date_time_string()}
        if answer.get("gzip"):
            headers["Content-Encoding"] = "gzip"
        self.send_response_only(answer.get("status", 200))
        for name, value in {**headers, **answer.get("headers", {})}.items():
            if isinstance(value, dict):
                value = self.date_time_string(time.time() + value["in_s"])
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.send(body[:len(body) // 2] if cut == "in" else body, answer.get("trickle_ms"))
        if cut:
            self.reset()
        self.close_connection = True

    def send(self, body, trickle_ms):
        step = 1 if trickle_ms else CHUNK
        for start in range(0, len(body), step):
            self.wfile.write(body[start:start + step])
            time.sleep((trickle_ms or 0) / 1000)


class Control(Handler):
    def do_POST(self):
        text = self.read()
        if self.path == "/release":
            global released
            released, before = threading.Event(), released
            before.set()
        else:
            with lock:
                if json.loads(text).get("instead"):
                    queue.clear()
                queue.extend(json.loads(text)["answers"])
        self.say({})

    def do_GET(self):
        with lock:
            posts = [r for r in requests if r["method"] == "POST"]
            tokens = [r["token"] for r in posts]
            self.say({"posts": len(posts), "tokens": {t: tokens.count(t) for t in set(tokens) if t},
                      "requests": requests})

    def say(self, what):
        text = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024  # a race of clients must not wait for a second SYN
    tls = None

    def get_request(self):  # the handshake is done by the thread that reads: one slow client delays no other
        connection, address = super().get_request()
        if self.tls:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, *_):
        pass  # a failed handshake or a reset is what tests are about


def main():
    directory = sys.argv[2] if sys.argv[1:2] == ["--tls"] else None
    server, control = Server(("127.0.0.1", 0), Scripted), Server(("127.0.0.1", 0), Control)
    if directory:
        here = os.path.dirname(os.path.abspath(__file__))
        subprocess.run([f"{here}/certificate.sh", directory], check=True)
        server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.tls.load_cert_chain(f"{directory}/server.pem", f"{directory}/server.key")
    base = f"{'https' if directory else 'http'}://127.0.0.1:{server.server_port}"
    threading.Thread(target=control.serve_forever, daemon=True).start()
    print(json.dumps({"token_url": f"{base}/token", "discovery_url": f"{base}/.well-known/openid-configuration",
                      "control_url": f"http://127.0.0.1:{control.server_port}",
                      "ca_file": directory and f"{directory}/ca.pem"}), flush=True)
    server.serve_forever()


main()
