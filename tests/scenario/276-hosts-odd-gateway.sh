#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What stands between us and etcd may quote the request when it refuses it: then neither the password nor the token that it gave
# is shown. And what does not go into one answer is asked for in pieces, so that large tokens make no cluster unreachable.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

cat >"$T/gateway.py" <<-'END'
	import base64, http.server, json, sys
	KEYS = [f"/oauth-keepalive/hosts/{i:036d}" for i in range(100)]
	def encoded(data):
	    return base64.b64encode(data).decode()
	class Gateway(http.server.BaseHTTPRequestHandler):
	    def do_POST(self):
	        body = self.rfile.read(int(self.headers["Content-Length"]))
	        status, answer = 200, self.entries(json.loads(body)) if sys.argv[1] == "large" else {"token": "FAKE-token-of-etcd"}
	        if sys.argv[1] == "quotes" or sys.argv[1] == "quotes-token" and "range" in self.path:
	            status, answer = 400, {"code": 3, "error": f"refused: {body.decode()} {self.headers.get('Authorization')}"}
	        text = json.dumps(answer).encode()
	        self.send_response(status)
	        self.send_header("Content-Length", str(len(text)))
	        self.end_headers()
	        try:
	            self.wfile.write(text)
	        except OSError:
	            pass # more than is wanted
	    def entries(self, asked):
	        first, limit = base64.b64decode(asked["key"]).decode(), int(asked["limit"])
	        keys = [key for key in KEYS if key >= first]
	        return {"header": {"revision": "5"}, "more": len(keys) > limit,
	                "kvs": [{"key": encoded(key.encode()), "value": encoded(bytes(30000)), "mod_revision": "3"} for key in keys[:limit]]}
	    def log_message(self, *_):
	        pass
	server = http.server.HTTPServer(("127.0.0.1", 0), Gateway)
	print(server.server_port, flush=True)
	server.serve_forever()
END
(umask 077 && printf "%s\n" "FAKE-pass\"wo\\rd" >"$T/password")
start_oidc
mint alice left=5h email=a@example.org

# behind KIND: a host whose cluster is this gateway.
behind() {
	ready=$T/gateway
	serve "$PYTHON" "$T/gateway.py" "$1"
	ENDPOINTS="\"http://127.0.0.1:$line\""
	new_host "${1//-/_}"
	write_store main xai:default=alice
	keeper preview -j
	expect_status 0
}

CLUSTER="user = \"keeper\"; password_file = \"$T/password\";"
for kind in quotes quotes-token; do
	behind $kind
	expect_match "$out" 'HTTP 400, and what it says holds a secret'
	expect_no_match "$out" FAKE-
done
grep -rlF -e FAKE-pass -e FAKE-token "$T/runs" && fail "a secret was shown"

CLUSTER=
behind large
expect_no_match "$out" cluster_unreachable
expect_no_secrets
