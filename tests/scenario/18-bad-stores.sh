#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A store that cannot be read as it should is one problem that names it, stays as it is, and stops no other store.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=30m
write_store "main good" xai:default=alice
"$PYTHON" - "$STATE/agents" "$(store main)" <<'END'
import json, os, sys
agents, main = sys.argv[1:]
text = open(main).read()
whole = json.loads(text)
profile = json.dumps(whole["profiles"]["xai:default"])
bad = {
    "empty": "",
    "text": "not JSON\n",
    "half": text[:len(text) // 2],
    "more": text + "}",
    "array": json.dumps({"version": 1, "profiles": list(whole["profiles"].values())}),
    "level": json.dumps({"auth": whole}),
    "root": json.dumps([whole]),
    "same-profile": '{"version":1,"profiles":{"xai:default":%s,"xai:default":%s}}' % (profile, profile),
    "same-key": '{"version":1,"profiles":{"xai:default":%s}}' % profile.replace("{", '{"refresh":"FAKE-REFRESH-X",', 1),
    "nul": text.replace('"version"', '"x": "a\0b", "version"', 1),
    "latin1": text.replace('"version"', '"x": "\udce9", "version"', 1),
    "comment": "// mine\n" + text,
    "values": text.replace('"version"', '"x": [0%s], "version"' % (",0" * 300000), 1),
    "profiles": json.dumps({"version": 1, "profiles": {f"xai:{i}": whole["profiles"]["xai:default"] for i in range(1025)}}),
    "large": text.replace('"version"', '"x": [[]%s], "version"' % (",[]" * (11 << 20)), 1),
    "deep": text.replace('"version"', '"x": %s, "version"' % ("[" * 1001 + "]" * 1001), 1),
}
for name, content in bad.items():
    os.makedirs(f"{agents}/{name}/agent")
    open(f"{agents}/{name}/agent/auth-profiles.json", "w", errors="surrogateescape").write(content)
END
mkdir -p "$STATE"/agents/{huge,directory}/agent "$(store directory)"
cp "$(store main)" "$(store huge)"
truncate -s 200M "$(store huge)"
cd "$STATE/agents" || exit 1
bad=$(find . -mindepth 1 -maxdepth 1 ! -name main ! -name good -printf '%f\n' | sort)
sums() { for agent in $bad; do [ -f "$(store "$agent")" ] && sum "$(store "$agent")"; done; }
before=$(sums)

# … not by the memory it costs either: 32 MiB of brackets took half a gigabyte. (A sanitizer sets
# more than that aside.)
[ -n "${ASAN_OPTIONS:-}" ] || UNDER=(prlimit --as=150000000)
keeper refresh -j
UNDER=()
expect_status 3
expect_posts 1
expect_generation alice main good
expect_eq "bytes of the bad stores" "$(sums)" "$before"
for agent in $bad; do
	expect_eq "problems of $agent" "$(field "[.problems[] | select(.store == \"$(store "$agent")\")] | length")" 1
done
expect_field '[.problems[] | select(.store == null or .message == null)] | length' 0

# A single bad entry is a copy "unreadable"; the rest of the file is served.
fresh
mint bob left=30m
write_store main xai:default=bob xai:broken='{"type":"oauth","provider":"xai","access":7,"refresh":["x"],"expires":1}' \
	xai:space='{"type":"oauth","provider":"xai","access":"FAKE-ACCESS-space","refresh":"FAKE REFRESH-space"}'
keeper refresh -j
expect_posts 1
expect_generation bob main
expect_field '[.accounts[].copies[] | select(.state == "unreadable")] | length' 2
expect_eq "the bad entry" "$(jq -c '.profiles["xai:broken"].access' "$(store main)")" 7
expect_no_secrets
