#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A ledger of version 0.1.0 is taken over as it is: nothing it knew is lost, nothing is spent twice, and an answer that it
# had received is delivered. What only looks leaves it as it is, and the first write makes it one of this version.
#
# tests/fixtures/ledger-0.1.0 was written by that version (2026-11-29, scripted server): five logins and one that was logged
# out, in all states that it knew. Its paths, account keys and times are made to be of here and now.
. "$(dirname "$0")/lib.sh" || exit 1

old_home() {
	"$PYTHON" - "$TESTS/fixtures/ledger-0.1.0" "$HOME" <<-'END' || die "the fixture"
		import hashlib, json, os, re, sys, time
		source, home = sys.argv[1:]
		written = 1795920890400
		shift = int(time.time() * 1000) - written
		def key(match):
		    parts = [f"{home}/.openclaw", "xai", f"xai:{match[1]}"]
		    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
		    return hashlib.sha256(text.encode()).hexdigest()[:32]
		def here(text):
		    return re.sub("@([a-z]+)@", key, text.replace("@HOME@", home))
		def stamp(match):
		    return time.strftime("%Y%m%dT%H%M%S", time.gmtime((written + shift) / 1000))
		for folder, _, files in os.walk(source):
		    for name in files:
		        path = os.path.join(folder, name)
		        text = re.sub(r"\b1795\d{9}\b", lambda n: str(int(n[0]) + shift), here(open(path).read()))
		        to = re.sub(r"\d{8}T\d{6}", stamp, here(os.path.relpath(path, source)))
		        to = os.path.join(home, to.replace("state/", ".openclaw/"))
		        os.makedirs(os.path.dirname(to), exist_ok=True)
		        open(to, "w").write(text)
	END
}
everything() { (cd "$HOME" && find .openclaw ledger -type f -exec sha256sum {} + | sort -k 2); }
outcome() { field ".accounts[] | select(.profile == \"xai:$1\") | \"\\(.decision) \\(.outcome) \\(.number)\""; }

start_scripted
old_home
everything >"$T/before"
for command in status preview restore; do
	keeper "$command" -j
	[ "$command" = restore ] || expect_field '[.problems[].code] | map(select(startswith("ledger"))) | length' 0
	expect_eq "what $command changed" "$(everything | diff "$T/before" -)" ""
done
keeper restore
expect_match "$out" 'xai:twice'

# Nothing is due: what is sent is sent for no reason.
keeper refresh -j
expect_status 3
expect_posts 0
expect_eq "the ledger's version" "$(jq .version "$LEDGER/ledger.json")" 2
expect_eq "kept" "$(outcome kept)" "none unchanged 3"
expect_eq "late" "$(outcome late)" "recover recovered 2"
expect_eq "what the old version had received is in main" "$(store_token main xai:late)" "$(printf FAKE-REFRESH-late-2 | sha256sum | cut -c1-12)"
expect_eq "… and in the agent's copy" "$(store_token a xai:late)" "$(store_token main xai:late)"
expect_eq "unknown" "$(outcome unknown)" "hold held 1"
expect_eq "dead" "$(outcome dead)" "login needs_login 1"
expect_eq "twice" "$(outcome twice)" "none unchanged 1"
expect_eq "ended" "$(outcome ended)" "skip skipped 1"

# Each mark of it is known, by whatever way: a store with spent and dead tokens comes back, and none is sent or adopted.
fake kept left=3h
fake kept-2 left=3h
fake dead left=10m
write_store a xai:kept=kept-2 xai:dead=dead
write_store b xai:kept=kept
due
live=$(store_token main xai:kept)
answers "{\"status\": 500}, {\"status\": 500}, {\"status\": 500}, {\"status\": 500}, {\"status\": 500}"
keeper refresh -j
[ "$(posts)" -gt 2 ] || fail "nothing was due" "$(field '.accounts[] | [.profile, .reason]')"
expect_eq "tokens sent more than once" "$(control state | jq -c '[.tokens[] | select(. > 1)]')" "[]"
for login in kept kept-2 dead; do
	expect_eq "times that $login was sent" "$(control state | jq ".tokens[\"$(login_token $login)\"] // 0")" 0
done
expect_eq "the live token in main" "$(store_token main xai:kept)" "$live"
expect_eq "marks that are still of the old form" "$(find "$LEDGER/receipts" -name '*.settled')" ""
expect_eq "marks of this form" "$(find "$LEDGER/settled" -type f | wc -l)" 4
for agent in a b; do expect_eq "kept in $agent" "$(store_token $agent xai:kept)" "$live"; done

# What it had displaced comes back.
id=$(jq -r .credential.fingerprint "$LEDGER"/displaced/*.json | cut -c1-12)
keeper restore "$id" -j
expect_status 0 3
expect_eq "the login that came back" "$(store_token main xai:twice)" "$id"
expect_no_secrets
