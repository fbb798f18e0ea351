#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is said is what is so: a token under two identities is called that, with no remedy that does nothing; and nothing is
# called mirrored that was not written.
. "$(dirname "$0")/lib.sh" || exit 1

start_scripted
# The account's own token in an agent's store, under another name.
fake alice left=1h userId=u-alice email=alice@example.com
fake eve left=1h userId=u-eve email=alice@example.com
jq --slurpfile a "$T/logins/alice.json" '.access = $a[0].access | .refresh = $a[0].refresh' "$T/logins/eve.json" >"$T/eve" &&
	mv "$T/eve" "$T/logins/eve.json"
write_store main xai:default=alice
write_store a xai:default=eve
keeper refresh -j
expect_status 3
expect_posts 0
expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "held identity_conflict"
expect_field '[.problems[].code] | join(" ")' identity_conflict
expect_field '.problems[0].store' "$(store a)"
expect_field '.problems[0].message | contains("u-alice") and contains("u-eve")' true
expect_field '[.problems[] | select(.fix | contains("--adopt"))] | length' 0
expect_field '.problems[0].fix | contains("the entry shall say") and contains("openclaw models auth login")' true
write_store a xai:default=alice
answers "{\"body\": $(tokens alice2)}"
keeper refresh -j
expect_status 0
expect_posts 1

# … or under two names of main, which say that they are two persons (a third one says nothing, and waits, too).
fresh
fake ann left=1h email=ann@example.com
jq '.email = "bob@example.com"' "$T/logins/ann.json" >"$T/logins/bob.json"
jq 'del(.email)' "$T/logins/ann.json" >"$T/logins/nobody.json"
write_store "main a" xai:default=ann xai:third=nobody xai:bob=bob
keeper refresh -j --force
expect_status 3
expect_posts 0
expect_field '[.accounts[] | "\(.outcome) \(.error.code)"] | unique | join(", ")' "held identity_conflict"
expect_field '[.problems[] | select(.code == "identity_conflict") | .profile] | sort | join(" ")' "xai:bob xai:default xai:third"
expect_field '.problems[] | select(.profile == "xai:bob") | .message | contains("xai:default") and contains("ann@example.com")' true
jq '.email = "Ann@example.com"' "$T/logins/ann.json" >"$T/logins/bob.json"
write_store "main a" xai:default=ann xai:third=nobody xai:bob=bob
answers "{\"body\": $(tokens ann2)}"
keeper refresh -j
expect_status 0
expect_posts 1

# A copy is behind, and its store is locked by somebody who lives: that is no mirroring.
fresh
fake old left=5h
fake new left=6h userId=u-new
write_store "main a" xai:default=old
keeper refresh -j
expect_status 0
change_records '.superseded += [.live.fingerprint]'
lock=$(store a).lock
write_store a xai:default=old
before=$(store_token a)
"$PYTHON" - "$LEDGER" <<-'END'
	import glob, hashlib, json, sys
	for path in glob.glob(sys.argv[1] + "/accounts/*.json"):
	    r = json.load(open(path))
	    r["live"]["refresh"], r["live"]["access"] = "FAKE-REFRESH-next", "FAKE-ACCESS-next"
	    r["live"]["fingerprint"] = hashlib.sha256(b"FAKE-REFRESH-next").hexdigest()
	    json.dump(r, open(path, "w"))
END
sleep infinity &
SERVERS+=($!)
printf '{"pid": %d, "createdAt": "%s"}\n' $! "$(date -u +%FT%T.000Z)" >"$lock"
write_store main xai:default="$(jq -c '.access = "FAKE-ACCESS-next" | .refresh = "FAKE-REFRESH-next"' "$T/logins/old.json")"
keeper refresh -j --wait 0
expect_status 1
expect_posts 0
expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "failed copies_pending"
expect_field '.accounts[0].error.message | contains("locked by another process")' true
expect_field '.summary | "\(.mirrored) \(.copies_written)"' "0 0"
expect_eq "the copy behind" "$(store_token a)" "$before"
rm "$lock"
keeper refresh -j
expect_status 0
expect_field '.accounts[0].outcome' mirrored
expect_field '.summary | "\(.mirrored) \(.copies_written)"' "1 1"
expect_no_secrets
