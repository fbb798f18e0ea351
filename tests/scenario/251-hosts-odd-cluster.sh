#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What should not be in etcd, and is: keys that nobody of ours wrote are passed over, a lock that would stand for ever does
# not; without the names nothing is sent, as no intent is found then. An endpoint that is no etcd, or a proxy that
# refuses, does not hide the next one.
# A key is replaced to the end: the old one can go.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

etcdctl3() { ETCDCTL_API=3 etcdctl --endpoints "${ETCD_URLS[0]}" "$@" >>"$T/etcdctl.log" || die "etcdctl $1"; }

start_etcd
start_oidc
mint alice left=30m
new_host a
write_store main xai:default=alice
keeper refresh
expect_status 0
expect_posts 1
id=$(etcd_keys | sed -n 's,.*/accounts/,,p')

# ---- nobody's
for key in "accounts/" "accounts/${id}0" accounts/short "intents/${id}0" intents/ holds/x hosts/x locks/ other; do
	etcdctl3 put "/oauth-keepalive/$key" garbage
done
etcdctl3 put "/oauth-keepalive/locks/$id" garbage
keeper refresh --force
expect_status 0
expect_posts 2
expect_generation alice main

# ---- a key is replaced
cp "$T/seal" "$T/old"
head -c 32 /dev/urandom >"$T/seal"
CLUSTER="old_seal_key_files = ( \"$T/old\" );"
on_host a
keeper refresh -j
expect_status 0
keeper refresh -j
expect_status 0
expect_field '[.problems[].code] | join(" ")' ''
CLUSTER=
on_host a
keeper refresh --force
expect_status 0
expect_posts 3

# ---- two hosts that do not agree which of two keys came later: what was sealed anew once stays, and the other is told
newest() {
	ETCDCTL_API=3 etcdctl --endpoints "${ETCD_URLS[0]}" get --prefix "/oauth-keepalive/" -w json |
		jq '[.kvs[] | select(.key | @base64d | test("/names$|/accounts/.{32}$")) | .mod_revision] | max'
}
CLUSTER="old_seal_key_files = ( \"$T/seal\" );"
counted=$POSTS_BEFORE
SEAL=$T/old new_host b
POSTS_BEFORE=$counted
write_store main xai:default=alice
before=$(newest)
for _ in 1 2; do
	SEAL=$T/old on_host b
	keeper refresh -j
	expect_status 0
	expect_field '.problems[] | select(.code == "cluster_old_key") | .fix' \
		"name $T/seal as \`seal_key_file\`, and the other one in \`old_seal_key_files\`"
	CLUSTER="old_seal_key_files = ( \"$T/old\" );" on_host a
	keeper refresh -j
	expect_status 0
	expect_field '[.problems[].code] | join(" ")' ''
done
expect_eq "what was written last" "$(newest)" "$before"
CLUSTER=
on_host a
expect_posts 3

# ---- what is no key: a password, or hex digits
printf 'correct horse battery staple 32b' >"$T/text"
SEAL=$T/text on_host a
keeper refresh --force -j
expect_status 3
expect_field '.problems[0] | "\(.code) \(.fix)"' 'cluster_unreadable openssl rand -base64 32 # once, and the same on every host'
expect_posts 3
on_host a

# ---- an endpoint that answers, and is no etcd; one whose keys are not what was asked for
cat >"$T/web.py" <<-'END'
	import http.server, sys
	class Web(http.server.BaseHTTPRequestHandler):
	    def do_POST(self):
	        body = sys.argv[1].encode()
	        self.rfile.read(int(self.headers["Content-Length"]))
	        self.send_response(int(sys.argv[2]))
	        self.send_header("Content-Length", str(len(body)))
	        self.end_headers()
	        self.wfile.write(body)
	    def log_message(self, *_):
	        pass
	server = http.server.HTTPServer(("127.0.0.1", 0), Web)
	print(server.server_port, flush=True)
	server.serve_forever()
END
etcds=$ENDPOINTS
for answer in '<html>Welcome</html>' '{}' '[]' '{"header":{},"kvs":[{"key":"YQ=="}],"more":true}' \
	'{"header":{},"kvs":[{"key":"L29hdXRoLWtlZXBhbGl2ZS9ob3N0cy94"}],"more":true}' '{"header":{},"kvs":{"a":1}}' \
	"$(printf '[%.0s' {1..20000})"; do
	ready=$T/web
	serve "$PYTHON" "$T/web.py" "$answer" 200
	ENDPOINTS="\"http://127.0.0.1:$line\""
	on_host a
	keeper refresh --force -j
	expect_status 1
	expect_match "$out" "cluster_unreachable"
	expect_posts 3
done
ENDPOINTS="\"http://127.0.0.1:$line\", $etcds"
on_host a
keeper refresh --force
expect_status 0
expect_posts 4

# ---- … and a proxy that refuses, which is no word of etcd's
for code in 302 400 401 403 404 429 502; do
	ready=$T/web
	serve "$PYTHON" "$T/web.py" '{"error":"no such upstream"}' $code
	ENDPOINTS="\"http://127.0.0.1:$line\", $etcds"
	on_host a
	keeper refresh -j
	expect_status 0
	expect_field '[.problems[].code] | join(" ")' ''
done
serve "$PYTHON" "$T/web.py" '{"code":403,"message":"Forbidden"}' 403
ENDPOINTS="\"http://127.0.0.1:$line\", $etcds"
on_host a
keeper refresh --force
expect_status 0
expect_posts 5
for words in '"error":"etcdserver: no","message":"etcdserver: no"' '"message":"etcdserver: no","details":[]'; do # 3.4, 3.6
	serve "$PYTHON" "$T/web.py" "{\"code\":3,$words}" 400
	ENDPOINTS="\"http://127.0.0.1:$line\", $etcds"
	on_host a
	keeper refresh -j
	expect_match "$out" 'HTTP 400, etcdserver: no'
done
serve "$PYTHON" "$T/web.py" '{"error":"no such upstream"}' 502
ENDPOINTS="\"http://127.0.0.1:$line\""
on_host a
keeper refresh --force -j
expect_status 1
expect_match "$out" "HTTP 502, no word of etcd's"
expect_posts 5
ENDPOINTS=$etcds

# ---- the names are gone
on_host a
etcdctl3 del /oauth-keepalive/names
before=$(etcd_keys)
keeper refresh --force -j
expect_status 3
expect_match "$out" '/oauth-keepalive/names is gone'
expect_posts 5
expect_eq "keys" "$(etcd_keys)" "$before"

# ---- a record that is damaged: said, with what mends it; nothing is lost by it, and nothing sent that somebody else may have
CLUSTER='prefix = "/second/";'
mint bob left=5h
new_host c
write_store main xai:default=bob
keeper refresh
expect_status 0
key=$(etcd_keys /second/accounts)
etcdctl3 put "$key" garbage
keeper refresh --force -j
expect_status 3
expect_field '.problems[] | select(.code == "cluster_unreadable") | .fix | sub(" #.*"; "")' "etcdctl del $key"
etcdctl3 del "$key"
keeper refresh -j
expect_status 0
expect_field '[.problems[].code] | join(" ")' ''
expect_eq "the record" "$(etcd_keys /second/accounts)" "$key"
expect_posts 0

# ---- more accounts of one token than a transaction takes
for n in 42 43; do
	CLUSTER="prefix = \"/many$n/\";"
	mint many$n left=30m
	new_host m$n
	read -r -a profiles <<<"$(printf "xai:%s=many$n " $(seq $n))"
	write_store main "${profiles[@]}"
	keeper refresh -j
	[ $n = 42 ] && expect_status 0 && expect_posts 1 && expect_eq records "$(etcd_keys /many42/accounts | wc -l)" 42
done
expect_status 3
expect_posts 0
expect_field '[.accounts[].error.code] | unique | join(" ")' cluster_too_many
expect_eq "keys" "$(etcd_keys /many43/ | grep -cE 'locks|intents|holds')" 0
expect_no_secrets
