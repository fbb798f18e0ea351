#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The providers as other programs see them, for a network that is loopback alone: world.py CERTIFICATES LOG TOKEN_URL

Port 443 answers for every name. A refresh is passed on to the test's own token server (TOKEN_URL), with the client that
server knows, and its answer gets what that program asks for besides; Google's does not rotate, and is answered here.
Everything else is answered well and says nothing. LOG has a line of JSON for each request: host, path, the refresh token
that was sent, the bearer, and the token that was to be revoked, as fingerprints (12 hex of SHA-256; "" is a blank one,
null none).
"""
import hashlib
import json
import ssl
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

certificates, log_path, token_url = sys.argv[1:]
CLIENTS = {  # of the token server, by a part of the host's name; codex.py's knows none
    "openai": "app_EMoamEEZ73f0CkXaXp7hrann", "x.ai": "b1a00492-073a-47ea-816f-4c329264a828",
    "claude": "9d1c250a-e61b-44d9-88ed-5944d1962f5e", "": "agents"}
MORE = {"claude": {"account": {"uuid": "user-fake", "email_address": "fake@example.invalid"},
                   "organization": {"uuid": "org-fake", "name": "Fake"}},
        "qwen": {"resource_url": "portal.qwen.ai"}}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "fake", "stop_reason": "end_turn",
           "stop_sequence": None, "content": [{"type": "text", "text": "ok"}], "usage": {"input_tokens": 1, "output_tokens": 1}}
CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "fake", "choices": [
    {"index": 0, "delta": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]}
MODELS = {"object": "list", "data": [{"id": "kimi-for-coding", "object": "model", "context_length": 262144}]}
lock = threading.Lock()
google = 0


def fingerprint(token):
    return hashlib.sha256(token.encode()).hexdigest()[:12] if token else token


def of_host(table, host):
    return next((value for part, value in table.items() if part in host), {})


def fields_of(text, kind):
    try:
        fields = json.loads(text) if "json" in kind else dict(urllib.parse.parse_qsl(text, keep_blank_values=True))
    except ValueError:
        fields = {}
    return fields if isinstance(fields, dict) else {}


def refreshed(host, token):
    global google
    if "google" in host:
        google += 1
        return 200, {"access_token": f"FAKE-google-{google:08}", "token_type": "Bearer", "expires_in": 3600,
                     "scope": "https://www.googleapis.com/auth/cloud-platform"}
    body = {"grant_type": "refresh_token", "refresh_token": token, "client_id": of_host(CLIENTS, host)}
    if token_url.startswith("codex:"):
        del body["client_id"]
    request = urllib.request.Request(token_url.removeprefix("codex:"), urllib.parse.urlencode(body).encode())
    try:
        answer = json.load(urllib.request.urlopen(request))
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    return 200, answer | of_host(MORE, host)


def discovered(host):
    base = f"https://{host}/oauth2"
    return {"issuer": f"https://{host}", "authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token",
            "revocation_endpoint": f"{base}/revoke", "userinfo_endpoint": f"{base}/userinfo",
            "device_authorization_endpoint": f"{base}/device/code"}


def events(*list_of):
    return "".join(f"event: {event['type']}\n" * ("type" in event) + f"data: {json.dumps(event)}\n\n" for event in list_of)


def said(host, path, fields):
    """What else they ask for: a text is a stream of events."""
    if "openid-configuration" in path:
        return discovered(host)
    if path == "/v1/messages" and fields.get("stream"):
        return events({"type": "message_start", "message": MESSAGE | {"content": []}},
                      {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
                      {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "ok"}},
                      {"type": "content_block_stop", "index": 0},
                      {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
                      {"type": "message_stop"})
    if path == "/v1/messages":
        return MESSAGE
    if path.endswith("/chat/completions"):
        return events(CHUNK) + "data: [DONE]\n\n"
    if path.endswith("/coding/v1/models"):
        return MODELS
    if "tokeninfo" in path or "userinfo" in path:
        return {"email": "fake@example.invalid", "sub": "user-fake", "aud": "fake", "expires_in": 3000,
                "scope": "https://www.googleapis.com/auth/cloud-platform"}
    return {}


class World(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode("utf-8", "replace")
        fields = fields_of(text, self.headers.get("Content-Type", ""))
        host = (self.headers.get("Host") or "").split(":")[0]
        path = urllib.parse.urlsplit(self.path).path
        bearer = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        token = fields.get("refresh_token", "") if fields.get("grant_type") == "refresh_token" else None
        revoked = fields.get("token", "") if "revoke" in path else None
        with lock, open(log_path, "a") as log:
            print(json.dumps({"host": host, "path": path, "token": fingerprint(token), "bearer": fingerprint(bearer) or None,
                              "revoked": fingerprint(revoked)}), file=log)
        status, what = (200, said(host, path, fields)) if token is None else refreshed(host, token)
        body = what.encode() if isinstance(what, str) else json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/event-stream" if isinstance(what, str) else "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):  # who hangs up is a program that had enough
        pass


server = Server(("127.0.0.1", 443), World)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{certificates}/server.pem", f"{certificates}/server.key")
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print("ready", flush=True)
server.serve_forever()
