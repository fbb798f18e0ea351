#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What comes on standard input is hostile: whatever it is, `import` says one thing, changes nothing, and shows no token of it.
# A credential of one account never lands on another.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts.sh"

login_on a main
mint bob left=5h email=bob@example.com
like a b
on b
keeper refresh
on a
due
keeper refresh
export_from a "$T/good"
on b
before=$(find "$STATE" "$LEDGER/accounts" -type f -name '*.json' -exec sha256sum {} + | sort)

# refused STATUS REGEX [OPTION…]: what stands in $T/bad
refused() {
	import_to b "$T/bad" "${@:3}"
	expect_status "$1"
	cat "$err" "$out" >"$T/said"
	expect_match "$T/said" "$2"
	expect_eq "lines of it" "$(grep -c . "$err")" "$([ "$1" = 2 ] && echo 1 || grep -c . "$err")"
	expect_eq "files of b after: $2" "$(find "$STATE" "$LEDGER/accounts" -type f -name '*.json' -exec sha256sum {} + | sort)" "$before"
}
changed() { jq -c "$1" "$T/good" >"$T/bad"; }

# ---- no document
: >"$T/bad" && refused 2 "nothing came"
printf '\n\n' >"$T/bad" && refused 2 "nothing came"
echo 'oauth-keepalive: xai:default: held' >"$T/bad" && refused 2 "no JSON"
echo '{}' >"$T/bad" && refused 2 "not what .*export"
echo '[1]' >"$T/bad" && refused 2 "not what .*export"
size=$(stat -c %s "$T/good")
for at in 1 20 $((size / 2)) $((size - 3)); do
	head -c "$at" "$T/good" >"$T/bad"
	refused 2 "cut short"
done
truncate -s 600000 "$T/bad" && refused 2 "longer than"
{ head -c -2 "$T/good"; printf ',"more":"'; printf '%0600000d' 0; echo '"}'; } >"$T/bad" && refused 2 "longer than"
{ head -c -2 "$T/good"; printf '\0}\n'; } >"$T/bad" && refused 2 "no JSON"
sed 's/"live":/"live":{},&/' "$T/good" >"$T/bad" && refused 2 "duplicate key"
sed 's/"access":/"access":"FAKE-OTHER-1234567890",&/' "$T/good" >"$T/bad" && refused 2 "duplicate key"
{ cat "$T/good" "$T/good"; } >"$T/bad" && refused 2 "no JSON"
"$PYTHON" -c 'print("["*100000)' >"$T/bad" && refused 2 "import: nothing was taken"

# ---- another version, other types, members that are not there
changed '.oauth_keepalive_export = 2' && refused 2 "newer version"
changed '.oauth_keepalive_export = "1"' && refused 2 "not what .*export"
for member in mode made_ms host ledger term provider profile identity number lifetime_s grant_expires_ms previous live superseded fences; do
	changed "del(.$member)" && refused 2 "a member is missing"
	changed ".$member = [[]]" && refused 2 "a member is missing"
	changed ".$member = null" && refused 2 "a member is missing"
done
changed '.mode = "own"' && refused 2 "a member is missing"
changed '.term = 1e300' && refused 2 "a member is missing"
changed '.term = -1' && refused 2 "a member is missing"
changed '.number = 0' && refused 2 "a member is missing"
changed '.host = "\u001b[2J"' && refused 2 "a member is missing"
changed '.host = ("x" * 100)' && refused 2 "a member is missing"
changed '.ledger = "../../etc/passwd"' && refused 2 "a member is missing"
changed '.superseded = [range(300) | tostring]' && refused 2 "a member is missing"
changed '.superseded += [.live.fingerprint]' && refused 2 "among those that were replaced"
changed '.live.refresh = "FAKE-OTHER-1234567890"' && refused 2 "a member is missing"
changed '.live.access = "a b\nc"' && refused 2 "cannot be any"
changed '.live.access = ""' && refused 2 "cannot be any"
changed '.live.access = ("x" * 70000)' && refused 2 "cannot be any"
changed '.live.refresh = null | .live.fingerprint = ""' && refused 2 "cannot be any"
changed '.identity.email = "a\u0001b"' && refused 2 "identity is none"

# ---- another person's, or nobody's that can be told
changed '.identity = {account_id: null, user_id: "bob", email: "bob@example.com"}' && refused 2 "another person"
on a
write_store main xai:default=bob
keeper refresh
keeper export bob@example.com
mv "$out" "$T/bobs" && : >"$out"
expect_status 0
cp "$T/bobs" "$T/bad"
refused 3 "another person" --force
changed '.profile = "xai:nobody" | .superseded = []' && refused 3 "no store here has xai:nobody"
changed '.provider = "anthropic" | .superseded = []' && refused 3 "no store here has"
on b
changed '.made_ms = 1 | .mode = "release"' && refused 3 "not exported within the last ten minutes"

# ---- terminals, and what is no question
on a
keeper_command export xai:default
script -qec "$(printf '%q ' "${COMMAND[@]}")" "$T/typescript" >/dev/null 2>&1 </dev/null
expect_match "$T/typescript" "standard output is a terminal"
keeper_command export --release xai:default
"${COMMAND[@]}" >/dev/null 2>"$err"
expect_eq "status of an export to nobody" $? 2
"${COMMAND[@]}" >&- 2>"$err"
expect_eq "status of an export to nobody" $? 2
expect_match "$err" "nobody would have it"
expect_ownership a ours
on b
keeper_command import
script -qec "$(printf '%q ' "${COMMAND[@]}")" "$T/typescript" >/dev/null 2>&1 </dev/null
expect_match "$T/typescript" "standard input is a terminal"
import_to b "$T/good" xai:default
expect_status 2
for args in "export" "export a b" "export -j xai:default" "export --release --follow xai:default" "export nobody"; do
	on a
	# shellcheck disable=SC2086
	keeper $args
	expect_status 2
done
import_to a "$T/bobs"
expect_status 3
expect_match "$err" "this very host has exported that"

# ---- and the good one is good
import_to b "$T/good"
expect_status 0
expect_posts 1
rm -f "$T/good" "$T/bad" "$T/bobs"
expect_no_secrets "$T/typescript"
