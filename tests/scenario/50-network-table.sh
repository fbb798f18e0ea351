#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# However a token endpoint fails or surprises: one POST at most, nothing lost, nothing overwritten, and the next run is right.
# Long: waits for its own deadlines.
. "$(dirname "$0")/lib.sh" || exit 1

# One line a case; each is a home of its own with main and an agent, a due login, and an endpoint (its own path at the
# scripted server, or a target that never is one) that answers as said. What is measured, and shall be:
#
#	first    exit status, outcome, error code, POSTs
#	stores   of main and of the agent: same (every byte), new (both tokens), access or refresh (only that one is new)
#	ledger   which refresh token is live: old, new; the old one's receipt: none, sending (no answer is in it), answered,
#	         settled; for how long it waits (a quarter: of the time that is left), or dead
#	next     exit status, outcome, POSTs in all of a plain run after it, at once
#	forced   POSTs in all after `refresh --force`, which sends an unspent token again, and never a doubtful or dead one;
#	         then after `refresh --last-try`, which sends a doubtful one once more
html='"body": "<!DOCTYPE html><title>Just a moment...</title>"'
ten_kb=FAKE-$(printf '%010240d' 0)
hundred_kb=FAKE-$(printf '%0102400d' 0)
jwt() { echo "e30.$(base64 -w0 <<<"$1" | tr '/+' '_-' | tr -d =).e30"; }
mallory=$(jwt '{"sub":"mallory","email":"mallory@example.com"}')
own=$(jwt '{"sub":"user-own","email":"own-identity@example.com"}')
unsent="same | old none wait-4m | 1 failed"
unspent="same | old none wait-5m | 1 failed"
barred="same | old none wait-5m | 3 held"
waiting() { echo "same | old none wait-$1 | 1 failed"; }
unknown="same | old answered - | 3 held"
came="same | old answered - | 1 failed"
lost="same | old sending - | 3 held"
dead="same | old settled dead | 3 needs_login"
good="new | new settled - | 0 unchanged"

cat >"$T/table" <<END
# ---- nothing was sent
refused               | http://127.0.0.1:1/token             | 1 failed connect 0          | $unsent 0 | 0
no-room-in-backlog    | @full@                               | 1 failed timeout 0          | $unsent 0 | 0
tls-wrong-name        | @name@                               | 1 failed tls 0              | $unsent 0 | 0
tls-expired           | @expired@                            | 1 failed tls 0              | $unsent 0 | 0
tls-self-signed       | @selfsigned@                         | 1 failed tls 0              | $unsent 0 | 0
tls-of-nobody-known   | @unknown@                            | 1 failed tls 0              | $unsent 0 | 0
tls-never-answers     | @silent@                             | 1 failed timeout 0          | $unsent 0 | 0
tls-spoken-to-http    | https://127.0.0.1:@port@/token           | 1 failed tls 0              | $unsent 0 | 0
tls-as-it-should-be   | @right@                              | 0 refreshed - 1             | $good 1    | 2

# ---- refused in a way that proves the token unspent
429                   | {"status": 429}                      | 1 failed http_429 1         | $(waiting 15m) 1 | 2
429-retry-after       | {"status": 429, "headers": {"Retry-After": "3600"}}  | 1 failed http_429 1 | $(waiting 60m) 1 | 2
429-retry-at          | {"status": 429, "headers": {"Retry-After": {"in_s": 7200}}} | 1 failed http_429 1 | $(waiting 120m) 1 | 2
429-retry-never       | {"status": 429, "headers": {"Retry-After": "99999999999999999999"}} | 1 failed http_429 1 | $(waiting 360m) 1 | 2
429-retry-now         | {"status": 429, "headers": {"Retry-After": "0"}}     | 1 failed http_429 1 | $(waiting 1m) 1 | 2
429-retry-nonsense    | {"status": 429, "headers": {"Retry-After": "soon"}}  | 1 failed http_429 1 | $(waiting 15m) 1 | 2
429-oauth             | {"status": 429, "body": {"error": "slow_down"}}      | 1 failed slow_down 1 | $(waiting 15m) 1 | 2
429-html              | {"status": 429, $html}               | 1 failed http_429 1         | $(waiting 15m) 1 | 2
429-cut               | {"status": 429, "body": {"error": "slow_down"}, "cut": "in"} | 1 failed http_429 1 | $(waiting 15m) 1 | 2
503-retry-after       | {"status": 503, "headers": {"Retry-After": "60"}}    | 1 failed http_503 1 | $(waiting 1m) 1 | 2
503-oauth             | {"status": 503, "body": {"error": "temporarily_unavailable"}} | 1 failed temporarily_unavailable 1 | $unspent 1 | 2
403-challenge         | {"status": 403, "headers": {"cf-mitigated": "challenge"}, $html} | 1 failed http_403 1 | $unspent 1 | 2
503-challenge         | {"status": 503, "headers": {"cf-mitigated": "challenge"}, $html} | 1 failed http_503 1 | $unspent 1 | 2

# ---- rejected
403-html              | {"status": 403, $html}               | 1 failed http_403 1         | $unspent 1 | 2
404                   | {"status": 404, $html}               | 1 failed http_404 1         | $unspent 1 | 2
301                   | {"status": 301, "headers": {"Location": "http://localhost:@port@/elsewhere"}} | 3 held unknown_outcome 1 | $unknown 1 | 2
303                   | {"status": 303, "headers": {"Location": "/elsewhere"}} | 3 held unknown_outcome 1 | $unknown 1 | 2
307-other-host        | {"status": 307, "headers": {"Location": "http://localhost:@port@/elsewhere"}} | 3 held unknown_outcome 1 | $unknown 1 | 2
308-same-host         | {"status": 308, "headers": {"Location": "/elsewhere"}} | 3 held unknown_outcome 1 | $unknown 1 | 2
invalid_client        | {"status": 401, "body": {"error": "invalid_client"}} | 1 failed invalid_client 1 | $unspent 1 | 2
invalid_scope         | {"status": 400, "body": {"error": "invalid_scope"}}  | 1 failed invalid_scope 1  | $unspent 1 | 2
unauthorized_client   | {"status": 400, "body": {"error": "unauthorized_client"}} | 1 failed unauthorized_client 1 | $unspent 1 | 2
200-error             | {"body": {"error": "invalid_request"}} | 1 failed invalid_request 1 | $unspent 1 | 2
account-on-hold       | {"status": 400, "body": {"error": "invalid_grant", "error_description": "account_on_hold"}} | 3 held account_on_hold 1 | $barred 1 | 2

barred-403            | {"status": 403, "body": {"type": "error", "error": {"type": "permission_error", "message": "OAuth is not allowed for this organization."}}} | 3 held permission_error 1 | $barred 1 | 2
barred-403-words      | {"status": 403, "body": {"detail": "SuperGrok is needed"}} | 3 held http_403 1 | $barred 1 | 2
barred-402            | {"status": 402, "body": {"error": "payment_required"}} | 3 held payment_required 1 | $barred 1 | 2
barred-country        | {"status": 403, "body": {"error": {"code": "unsupported_country_region_territory"}}} | 3 held unsupported_country_region_territory 1 | $barred 1 | 2
patience-400          | {"status": 400, "body": {"error": {"type": "rate_limit_error"}}} | 1 failed rate_limit_error 1 | $unspent 1 | 2

# ---- spent perhaps: never sent again by force, once more as the last try
500                   | {"status": 500}                      | 1 failed unknown_outcome 1    | $came 1 | 2
500-oauth             | {"status": 500, "body": {"error": "server_error"}} | 1 failed unknown_outcome 1 | $came 1 | 2
502                   | {"status": 502, $html}               | 1 failed unknown_outcome 1    | $came 1 | 2
503                   | {"status": 503, $html}               | 1 failed unknown_outcome 1    | $came 1 | 2
504                   | {"status": 504}                      | 1 failed unknown_outcome 1    | $came 1 | 2
504-retry-after       | {"status": 504, "headers": {"Retry-After": "60"}} | 1 failed unknown_outcome 1 | $came 1 | 2
520                   | {"status": 520, $html}               | 1 failed unknown_outcome 1    | $came 1 | 2
408                   | {"status": 408}                      | 3 held unknown_outcome 1    | $unknown 1 | 2
999                   | {"status": 999}                      | 3 held unknown_outcome 1    | $unknown 1 | 2
204                   | {"status": 204}                      | 3 held unknown_outcome 1    | $unknown 1 | 2
200-empty             | {}                                   | 3 held unknown_outcome 1    | $unknown 1 | 2
200-html              | {$html}                              | 3 held unknown_outcome 1    | $unknown 1 | 1
200-no-tokens         | {"body": {"expires_in": 21600}}      | 3 held unknown_outcome 1    | $unknown 1 | 1
200-array             | {"body": [1, 2]}                     | 3 held unknown_outcome 1    | $unknown 1 | 1
200-half-a-document   | {"body": "{\"access_token\": \"FAKE-ACCESS\", \"refresh_tok"} | 3 held unknown_outcome 1 | $unknown 1 | 1
200-two-documents     | {"body": "{\"access_token\": \"FAKE-ACCESS\"} {}"} | 3 held unknown_outcome 1 | $unknown 1 | 1
200-binary            | {"hex": "7b00226163636573735f746f6b656e223a2246414b4522ff7d0d0a00"} | 3 held unknown_outcome 1 | $unknown 1 | 1
200-nul-in-a-string   | {"hex": "7b226163636573735f746f6b656e223a22460046227d"} | 3 held unknown_outcome 1 | $unknown 1 | 1
200-token-is-a-number | {"tokens": {"access_token": 7}}      | 3 held unknown_outcome 1    | $unknown 1 | 1
200-refresh-no-string | {"tokens": {"refresh_token": ["x"]}} | 3 held unknown_outcome 1    | $unknown 1 | 1
200-token-of-lines    | {"tokens": {"refresh_token": "FAKE-REFRESH\nSet-Cookie: x"}} | 3 held unknown_outcome 1 | $unknown 1 | 1
200-token-of-100-kB   | {"tokens": {"refresh_token": "$hundred_kb"}} | 3 held unknown_outcome 1 | $unknown 1 | 1
200-gzip              | {"tokens": {}, "gzip": true}         | 3 held unknown_outcome 1    | $unknown 1 | 1
200-100-MB            | {"body": "{", "size": 104857600}     | 3 held unknown_outcome 1    | $unknown 1 | 1
200-other-identity    | {"tokens": {"id_token": "$mallory"}} | 3 held identity_mismatch 1  | $unknown 1 | 1
cut-in-the-body       | {"tokens": {}, "cut": "in"}          | 3 held unknown_outcome 1    | $unknown 1 | 1
cut-before-any-byte   | {"cut": "before"}                    | 3 held unknown_outcome 1    | $lost 1    | 2
no-answer-in-time     | {"delay_ms": 15000}                  | 3 held unknown_outcome 1    | $lost 1    | 2
trickle-a-byte-a-second | {"tokens": {}, "trickle_ms": 1000} | 3 held unknown_outcome 1    | $unknown 1 | 1

# ---- not spent in any case: the provider does not rotate
google-500      google-gemini-cli | {"status": 500}          | 1 failed http_500 1         | $(waiting a-quarter) 1 | 2
google-cut      google-gemini-cli | {"tokens": {}, "cut": "in"} | 1 failed http_200 1      | $(waiting a-quarter) 1 | 2
google-good     google-gemini-cli | {"tokens": {"refresh_token": null, "expires_in": 3599}} | 0 refreshed - 1 | access | old none - | 0 unchanged 1 | 2

# ---- dead
invalid_grant         | {"status": 400, "body": {"error": "invalid_grant"}}           | 3 needs_login invalid_grant 1 | $dead 1 | 1
200-invalid_grant     | {"body": {"error": "invalid_grant"}}                          | 3 needs_login invalid_grant 1 | $dead 1 | 1
reused                | {"status": 401, "body": {"error": {"type": "invalid_request_error", "code": "refresh_token_reused"}}} | 3 needs_login refresh_token_reused 1 | $dead 1 | 1
expired               | {"status": 401, "body": {"error": {"code": "refresh_token_expired"}}}     | 3 needs_login refresh_token_expired 1 | $dead 1 | 1
invalidated           | {"status": 401, "body": {"error": {"code": "refresh_token_invalidated"}}} | 3 needs_login refresh_token_invalidated 1 | $dead 1 | 1
invalid_refresh_token | {"status": 401, "body": {"code": "invalid_refresh_token"}}    | 3 needs_login invalid_refresh_token 1 | $dead 1 | 1
token_expired         | {"status": 401, "body": {"error": {"code": "token_expired"}}} | 3 needs_login token_expired 1 | $dead 1 | 1
token_invalidated     | {"status": 401, "body": {"error": {"code": "token_invalidated"}}} | 3 needs_login token_invalidated 1 | $dead 1 | 1
reused-in-words       | {"status": 400, "body": {"error": "invalid_request", "error_description": "Refresh token has already been used"}} | 3 needs_login refresh_token_reused 1 | $dead 1 | 1
reused-in-long-words openai-codex | {"status": 401, "body": {"error": {"message": "Your refresh token has already been used to generate a new access token."}}} | 3 needs_login refresh_token_reused 1 | $dead 1 | 1
invalid_rapt    google-gemini-cli | {"status": 400, "body": {"error": "invalid_grant", "error_subtype": "invalid_rapt"}} | 3 needs_login invalid_grant 1 | $dead 1 | 1
kimi-401        kimi              | {"status": 401, "body": {"message": "no"}}        | 3 needs_login http_401 1      | $dead 1 | 1
kimi-401-html   kimi              | {"status": 401, $html}                            | 1 failed http_401 1           | $(waiting a-quarter) 1 | 2
kimi-400        kimi              | {"status": 400, "body": {"message": "The provided authorization grant is invalid"}} | 3 needs_login invalid_grant 1 | $dead 1 | 1
minimax-dead    minimax-portal    | {"body": {"base_resp": {"status_code": 1004, "status_msg": "invalid_refresh_token"}}} | 3 needs_login invalid_refresh_token 1 | $dead 1 | 1
minimax-refused minimax-portal    | {"body": {"status": "error", "base_resp": {"status_code": 1, "status_msg": "busy"}}} | 1 failed http_200 1 | $(waiting a-quarter) 1 | 2
minimax-expired minimax-portal    | {"tokens": {"status": "success", "expires_in": null, "expired_in": 7200}} | 0 refreshed - 1 | $good 1 | 2

app-session-expired openai-codex | {"status": 400, "body": {"error": {"code": "app_session_expired"}}} | 3 needs_login app_session_expired 1 | $dead 1 | 1
in-error-type anthropic | {"status": 400, "body": {"type": "error", "error": {"type": "invalid_grant", "message": "no"}}} | 3 needs_login invalid_grant 1 | $dead 1 | 1
not-found anthropic     | {"status": 400, "body": {"error": {"type": "invalid_request_error", "message": "Refresh token not found or invalid"}}} | 3 needs_login invalid_grant 1 | $dead 1 | 1
detail                  | {"status": 400, "body": {"detail": {"error": "invalid_grant"}}} | 3 needs_login invalid_grant 1 | $dead 1 | 1

# ---- good, in spite of what is missing or unusual
good                  | {"tokens": {}}                       | 0 refreshed - 1             | $good 1    | 2
own-identity          | {"tokens": {"id_token": "$own"}}     | 0 refreshed - 1             | $good 1    | 2
no-refresh-token      | {"tokens": {"refresh_token": null}}  | 0 refreshed - 1             | access | old none - | 0 unchanged 1 | 2
empty-refresh-token   | {"tokens": {"refresh_token": ""}}    | 0 refreshed - 1             | access | old none - | 0 unchanged 1 | 2
no-expires_in         | {"tokens": {"expires_in": null}}     | 0 refreshed - 1             | $good 1    | 2
expires_in-a-string   | {"tokens": {"expires_in": "21600"}}  | 0 refreshed - 1             | $good 1    | 2
expires_in-absurd     | {"tokens": {"expires_in": 1e300}}    | 0 refreshed - 1             | $good 1    | 2
expires_in-negative   | {"tokens": {"expires_in": -1}}       | 0 refreshed - 1             | $good 1    | 2
tokens-of-10-kB       | {"tokens": {"refresh_token": "$ten_kb", "access_token": "$ten_kb-access"}} | 0 refreshed - 1 | $good 1 | 2
same-access-token     | {"tokens": {"access_token": "@access@"}} | 0 refreshed - 1         | refresh | new settled - | 0 unchanged 1 | 2
tokens-and-201        | {"status": 201, "tokens": {}}        | 0 refreshed - 1             | $good 1    | 2
tokens-and-an-error   | {"tokens": {"error": "warning"}}     | 0 refreshed - 1             | $good 1    | 2
as-text-html          | {"tokens": {}, "headers": {"Content-Type": "text/html"}} | 0 refreshed - 1 | $good 1 | 2
answered-slowly       | {"tokens": {}, "delay_ms": 1000}     | 0 refreshed - 1             | $good 1    | 2
never-the-length-said | {"tokens": {}, "headers": {"Content-Length": "99999"}} | 0 refreshed - 1 | $good 1 | 2
reset-after-the-whole | {"tokens": {}, "cut": "after"}       | 0 refreshed - 1             | $good 1    | 2
END

# ---- targets: a server for each kind of certificate, and sockets that are no server

"$TESTS/server/certificate.sh" "$T/right"
for kind in name expired unknown selfsigned; do mkdir "$T/$kind"; done
cp "$T"/right/ca.* "$T/name/"
cp "$T"/right/ca.* "$T/expired/"
issue() { # DIR NAME OPTION…: like certificate.sh, by the authority that is right
	openssl x509 -req -in <(openssl req -new -key "$T/right/server.key" -subj /CN=localhost) -CA "$T/right/ca.pem" \
		-CAkey "$T/right/ca.key" -set_serial 2 -extfile <(echo "subjectAltName=$2") -out "$T/$1/server.pem" "${@:3}" 2>>"$T/openssl.log"
	cp "$T/right/server.key" "$T/$1/"
}
issue name DNS:other.example -days 2
issue expired IP:127.0.0.1 -days -1
openssl req -x509 -key "$T/right/server.key" -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -days 2 -out "$T/selfsigned/server.pem"
cp "$T/right/server.key" "$T/right/ca.pem" "$T/selfsigned/"
"$TESTS/server/certificate.sh" "$T/unknown"

"$PYTHON" - >"$T/sockets" <<'END' &
import socket, struct, threading, time
def listener(backlog):
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(backlog)
    return s
full, silent, closing = listener(0), listener(50), listener(50)
fill = [socket.socket() for _ in range(4)]
for s in fill:
    s.setblocking(False)
    s.connect_ex(full.getsockname())
for name, s, scheme in ("full", full, "http"), ("silent", silent, "https"), ("closing", closing, "https"):
    print(f"{name} {scheme}://127.0.0.1:{s.getsockname()[1]}/token", flush=True)
while True:
    s, _ = closing.accept()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()
END
SERVERS+=($!)
for kind in name expired selfsigned unknown right; do
	start_server "$PYTHON" "$TESTS/server/scripted.py" --tls "$T/$kind"
	echo "$kind $TOKEN_URL/tls-$kind" >>"$T/sockets"
	[ $kind = right ] && answers '{"tokens": {}}'
	CONTROLS="${CONTROLS:-} $CONTROL"
done
ca=$T/right/ca.pem
start_scripted
wait_until grep -q closing "$T/sockets"

# ---- the table is played: `play prepare` makes homes and queues answers, `play measure` says what is there now

play() { "$PYTHON" - "$T" "$TOKEN_URL" "$CONTROL$CONTROLS" "$@" <<'END'; }
import glob, hashlib, json, os, re, sys, time, urllib.request
top, token_url, controls, verb, *runs = sys.argv[1:]
controls = controls.split()
targets = dict(line.split() for line in open(f"{top}/sockets"))
targets["port"] = token_url.split("/")[2].split(":")[1]

# A case's tokens carry its number, not its name, whose words may be printed.
def rows():
    for number, line in enumerate(open(f"{top}/table")):
        if line.strip() and not line.startswith("#"):
            name, answer, *columns = [part.strip() for part in line.split(" | ")]
            name, _, provider = name.partition(" ")
            targets["access"] = f"FAKE-ACCESS-old-{number}"
            answer = re.sub("@([a-z]+)@", lambda m: targets[m[1]], answer)
            yield Case(number, name, provider.strip() or "xai", answer, columns)

class Case:
    def __init__(self, number, name, provider, answer, columns):
        self.name, self.provider, self.answer, self.columns = name, provider, answer, columns
        self.path = f"/token/{number}"
        self.home = f"{top}/homes/{name}"
        self.stores = [f"{self.home}/.openclaw/agents/{agent}/agent/auth-profiles.json" for agent in ("main", "a")]
        self.access, self.refresh = f"FAKE-ACCESS-old-{number}", f"FAKE-REFRESH-old-{number}"

def sha(text):
    return hashlib.sha256(text.encode()).hexdigest()

def call(control, path, data=None):
    return json.load(urllib.request.urlopen(f"{control}/{path}", data and json.dumps(data).encode()))

def profile_in(path):
    [profile] = json.load(open(path))["profiles"].values()
    return profile

def prepare():
    queue = []
    for case in rows():
        own = not case.answer.startswith("http")
        if own:
            queue.append({**json.loads(case.answer), "path": case.path})
        # In the margin, and no last resort yet. (Google's are written five minutes early.)
        left = {"kimi": 660, "minimax-portal": 660, "google-gemini-cli": 700}.get(case.provider, 5400)
        profile = {"type": "oauth", "provider": case.provider, "access": case.access, "refresh": case.refresh,
                   "expires": int((time.time() + left) * 1000), "email": f"{case.name}@example.com"}
        text = json.dumps({"version": 1, "profiles": {f"{case.provider}:default": profile}}, indent=2) + "\n"
        for path in case.stores + [f"{case.home}/.openclaw/agents/before"]:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            open(path, "w").write(text)
        print(case.name, case.provider, token_url.replace("/token", case.path) if own else case.answer, sep="\t")
    call(controls[0], "control", {"answers": queue})

def store_state(case, path):
    before = f"{case.home}/.openclaw/agents/before"
    if open(path).read() == open(before).read():
        return "same"
    profile = profile_in(path)
    new = [name for name in ("access", "refresh") if profile[name] != getattr(case, name)]
    return "new" if len(new) == 2 else " ".join(new) or "something else"

def ledger_state(case):
    [record] = [json.load(open(path)) for path in glob.glob(f"{case.home}/ledger/accounts/*.json")]
    live = "old" if record["live"]["refresh"] == case.refresh else "new"
    receipt, path = "none", f"{case.home}/ledger/receipts/{sha(case.refresh)}"
    if os.path.exists(path):
        text = open(path, "rb").read()
        receipt = "answered" if b"\nanswered " in text else "sending" if b"\nsending " in text else "claimed"
    elif os.path.lexists(f"{case.home}/ledger/settled/{sha(case.refresh)[:2]}/{sha(case.refresh)}"):
        receipt = "settled"
    wait, left = record["not_before_ms"] - record["updated_ms"], record["live"]["expires_ms"] - record["updated_ms"]
    minutes = round(wait / 60000)
    mark = "dead" if record["dead_code"] else "-" if minutes <= 0 else \
        "wait-a-quarter" if abs(4 * wait - left) < 5000 else f"wait-{minutes}m"
    return f"{live} {receipt} {mark}"

# However long the table took: no time has passed between a case's first run and its next.
def stop_time():
    for path in glob.glob(f"{top}/homes/*/ledger/accounts/*.json"):
        record = json.load(open(path))
        if record["not_before_ms"]:
            record["not_before_ms"] += int(time.time() * 1000) - record["updated_ms"]
            open(path, "w").write(json.dumps(record))

def measure(run):
    posts = {}
    for control in controls:
        for token, n in call(control, "state")["tokens"].items():
            posts[token] = posts.get(token, 0) + n
    for i, case in enumerate(rows()):
        document = {}
        try:
            document = json.load(open(f"{top}/runs/{run + i}.out"))
        except ValueError:
            pass
        account = (document.get("accounts") or [{}])[0]
        # POSTs of the first token, and of what came of it.
        tokens = {case.refresh, *(profile_in(path)["refresh"] for path in case.stores)}
        said = [open(f"{top}/runs/{run + i}.status").read().strip(), account.get("outcome"),
                (account.get("error") or {}).get("code") or "-", sum(posts.get(sha(token)[:12], 0) for token in tokens)]
        states = " ".join(dict.fromkeys(store_state(case, path) for path in case.stores))
        print(case.name, states, ledger_state(case), " ".join(map(str, said)), sep="\t")

def expected():
    for case in rows():
        print(case.name, *case.columns, sep="\t")

{"prepare": prepare, "expected": expected, "stop_time": stop_time, "measure": lambda: measure(int(runs[0]))}[verb]()
END

echo FAKE-SECRET >"$T/secret"
play prepare >"$T/cases" || die "the table cannot be prepared"

# every WHAT ARG…: run all cases, some at once (those that only wait stand together), and measure.
every() {
	local name provider url google connect deadline first=$((RUN + 1)) server=$TOKEN_URL
	while IFS=$'\t' read -r name provider url; do
		case $name in # what waits for a time to be over; nothing else shall
		no-room* | *never-answers) connect=2 deadline=60 ;;
		no-answer* | trickle*) connect=10 deadline=10 ;;
		*) connect=60 deadline=60 ;;
		esac
		CONFIG="http = { connect_timeout = \"${connect}s\"; deadline = \"${deadline}s\"; ca_file = \"$ca\"; };"
		export HOME=$T/homes/$name
		STATE=$HOME/.openclaw LEDGER=$HOME/ledger CONFIG_FILE=$HOME/conf TOKEN_URL=$url PROVIDERS='' google=''
		[ "$provider" = google-gemini-cli ] && google="client_id = \"FAKE\"; client_secret_file = \"$T/secret\";"
		case $provider in xai | openai* | anthropic) ;; *) PROVIDERS="{ name = \"$provider\"; token_url = \"$url\"; $google }" ;; esac
		start_keeper refresh -j "${@:2}"
		[ ${#STARTED[@]} -lt 8 ] || wait_keepers
	done <"$T/cases"
	wait_keepers
	CONFIG_FILE='' TOKEN_URL=$server PROVIDERS=''
	play measure "$first" >"$T/$1" || die "$1 cannot be measured"
}
every first
play stop_time || die "the clocks cannot be stopped"
every next
every forced --force
every last --last-try
play expected >"$T/expected"

paste "$T/expected" "$T/first" "$T/next" "$T/forced" "$T/last" >"$T/all"
while IFS=$'\t' read -r name first stores ledger next forced _ is_stores is_ledger is_first _ _ _ is_next _ _ _ is_forced _ _ _ is_last; do
	expect_eq "$name, first run" "$is_first" "$first"
	expect_eq "$name, stores" "$is_stores" "$stores"
	expect_eq "$name, ledger" "$is_ledger" "$ledger"
	# shellcheck disable=SC2086
	expect_eq "$name, next run" "$(set -- $is_next && echo "$1 $2 $4")" "$next"
	case $ledger in *sending* | *answered*) sent=1 ;; *) sent=$forced ;; esac
	expect_eq "$name, forced" "${is_forced##* }" "$sent"
	expect_eq "$name, last try" "${is_last##* }" "$forced"
done <"$T/all"
expect_eq "requests to a redirect's target" "$(control state | jq '[.requests[] | select(.path == "/elsewhere")] | length')" 0

# An access token about to end is worth the last try, once and unasked.
fresh
fake last left=2m
write_store main xai:default=last
answers '{"status": 500}' "{\"body\": $(tokens after-500)}"
keeper refresh -j
keeper refresh -j
expect_status 0
expect_posts 2
expect_eq "the last try" "$(store_token main)" "$(printf FAKE-REFRESH-after-500 | sha256sum | cut -c1-12)"
expect_no_secrets
