#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Outside the three fields of the one credential every byte of a store stays what it was; both spellings.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=30m
write_store main xai:default=alice

# Agents whose stores no JSON printer would give back: numbers, spacing, escapes, line ends, unknown members.
"$PYTHON" - "$T/logins/alice.json" "$STATE/agents" <<'END'
import datetime, json, os, sys
login, agents = json.load(open(sys.argv[1])), sys.argv[2]
old = json.dumps
iso = datetime.datetime.fromtimestamp(login["expires"] / 1000, datetime.timezone.utc)
camel = '"access":%s,  "refresh" :%s,"expires":%d' % (old(login["access"]), old(login["refresh"]), login["expires"])
snake = '"access_token":%s,\n"refresh_token":%s, "expires_at":"%s"' % (
    old(login["access"]), old(login["refresh"]), iso.strftime("%Y-%m-%dT%H:%M:%SZ"))
odd = r'''"big":9007199254740991,"sum":0.30000000000000004,"e":-1.50E+007,"neg":-0,"esc":"\u00e9\/\b\ud83d\ude00",
"näme":"日本語 ☃ é","":[ ],"__proto__":{ },"deep":[[[{"a":null}]]],"long":1e400'''
for name, fields in {"camel": camel, "snake": snake}.items():
    text = '\t{ "version" : 1.0 ,\r\n%s,"profiles":{"xai:default":{"email":"alice@example.com" ,"type":"oauth",' \
        '"x":{"access":"not this one","expires":1},%s , "provider":"xai",%s},\n\n' \
        '"other:☃":{"type":"token","provider":"other","token":"t","expires":9007199254740991}}}\n\n \t' % (odd, fields, odd)
    os.makedirs(f"{agents}/{name}/agent")
    open(f"{agents}/{name}/agent/auth-profiles.json", "w", newline="").write(text)
END
for agent in camel snake; do cp "$(store $agent)" "$T/$agent.before"; done

keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice main camel snake

for agent in camel snake; do
	"$PYTHON" - "$T/$agent.before" "$(store $agent)" "$T/logins/alice.json" <<'END' || fail "bytes of $agent changed"
import json, re, sys
before, after = (open(p, newline="").read() for p in sys.argv[1:3])
old = json.load(open(sys.argv[3]))
new = json.loads(after)["profiles"]["xai:default"]
for a, b in (("access", "access_token"), ("refresh", "refresh_token")):
    before = before.replace(json.dumps(old[a]), json.dumps(new.get(a) or new[b]))
if "expires" in new:
    assert type(new["expires"]) is int, "expires is a number of milliseconds"
    before = before.replace(str(old["expires"]), str(new["expires"]))
else:
    stamp = r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"'
    assert re.fullmatch(stamp, json.dumps(new["expires_at"])), f"expires_at is written as it was: {new['expires_at']}"
    before = re.sub(stamp, json.dumps(new["expires_at"]), before)
if before != after:
    at = next(i for i in range(len(before)) if before[i] != after[i:i + 1])
    sys.exit(f"#   at {at}: {before[at - 20:at + 20]!r} became {after[at - 20:at + 20]!r}")
END
done
