#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each write that a refresh makes in etcd is lost on its way there, or its reply on the way back, once, whichever it is: it is
# read back from the next endpoint, and what was done is not done again; the token is sent once, and the next host has it.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

# A way to the first member on which the N-th write is lost, and its connection with it: "before" or "after" it got there.
cat >"$T/lossy.py" <<-'END'
	import http.server, sys, urllib.request, urllib.error
	target, n, when, log = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
	writes = 0
	class Way(http.server.BaseHTTPRequestHandler):
	    def do_POST(self):
	        global writes
	        body = self.rfile.read(int(self.headers["Content-Length"]))
	        is_write = self.path == "/v3/kv/txn" and (b"request_put" in body or b"request_delete" in body)
	        writes += is_write
	        lost = is_write and writes == n
	        if lost:
	            open(log, "w").close()
	        if lost and when == "before":
	            return self.connection.close()
	        try:
	            answer = urllib.request.urlopen(urllib.request.Request(target + self.path, body))
	        except urllib.error.HTTPError as e:
	            answer = e
	        text = answer.read()
	        if lost:
	            return self.connection.close()
	        self.send_response(answer.status)
	        self.send_header("Content-Length", str(len(text)))
	        self.end_headers()
	        self.wfile.write(text)
	    def log_message(self, *_):
	        pass
	server = http.server.HTTPServer(("127.0.0.1", 0), Way)
	print(server.server_port, flush=True)
	server.serve_forever()
END

start_etcd 3
start_oidc
etcds=$ENDPOINTS
lost=0
for when in before after; do
	for n in 1 2 3 4 5 6 7 8; do
		ENDPOINTS=$etcds
		CLUSTER="prefix = \"/$when$n/\";"
		mint "$when$n" left=30m email=a@example.org
		new_host b
		write_store main "xai:default=$when$n"
		new_host a
		write_store main "xai:default=$when$n"
		ready=$T/way
		rm -f "$T/lost"
		serve "$PYTHON" "$T/lossy.py" "${ETCD_URLS[0]}" $n $when "$T/lost"
		ENDPOINTS="\"http://127.0.0.1:$line\", $etcds"
		on_host a
		keeper refresh
		expect_eq "exit status with write $n lost $when it got there" "$status" 0
		expect_posts 1
		ENDPOINTS=$etcds
		on_host b
		keeper refresh
		expect_status 0
		expect_posts 1
		expect_generation "$when$n" main
		expect_eq "locks, intents, holds" "$(etcd_keys "/$when$n/" | grep -cE 'locks|intents|holds')" 0
		[ -e "$T/lost" ] || break
		lost=$((lost + 1))
	done
done
echo "# $lost writes were lost"
[ $lost -ge 8 ] || fail "a refresh has four writes at least"
expect_no_secrets
