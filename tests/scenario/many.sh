# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Many accounts in many stores: lib.sh, and
#
#	many N M                  N logins (xai:p0 …), each with an hour left, in M stores (main, a1 …); the ledger knows them
#	fill_lists                … as it does after some months: its lists of superseded tokens are full
#	behind                    … and is ahead of every store, as if an answer had just come: there is something to mirror
#	good_answers              whoever asks the scripted server gets tokens of his own
#	cost looks                of the last run, which had -v: looks, claims (rounds of them), oldest (lock, in ms)
#	expect_all_new N M        every login was refreshed once, is in every store, and in no two under the same token
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh" || exit 1

many() {
	"$PYTHON" - "$STATE/agents" "$@" "$ROUND" <<-'END' || die "many $*"
		import json, os, sys, time
		agents, logins, stores, round = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
		text = json.dumps({"version": 1, "profiles": {f"xai:p{i}": {
		    "type": "oauth", "provider": "xai", "access": f"FAKE-ACCESS-many{round}-{i:04}", "refresh": f"FAKE-REFRESH-many{round}-{i:04}",
		    "expires": int((time.time() + 3600) * 1000), "email": f"p{i}@example.com"} for i in range(logins)}}, indent=2) + "\n"
		for i in range(stores):
		    os.makedirs(f"{agents}/{f'a{i}' if i else 'main'}/agent")
		    open(f"{agents}/{f'a{i}' if i else 'main'}/agent/auth-profiles.json", "w").write(text)
	END
	keeper sync -q
	expect_status 0
}

fill_lists() {
	"$PYTHON" - "$LEDGER" <<-'END' || die "fill_lists"
		import glob, hashlib, json, sys
		for path in glob.glob(f"{sys.argv[1]}/accounts/*.json"):
		    record = json.load(open(path))
		    record["superseded"] = [hashlib.sha256(f"{path} {i}".encode()).hexdigest() for i in range(256)]
		    open(path, "w").write(json.dumps(record))
	END
}

behind() {
	"$PYTHON" - "$LEDGER" <<-'END' || die "behind"
		import glob, hashlib, json, sys
		for path in glob.glob(f"{sys.argv[1]}/accounts/*.json"):
		    record = json.load(open(path))
		    live = record["live"]
		    record["superseded"].append(live["fingerprint"])
		    live["refresh"] += "-next"
		    live["fingerprint"] = hashlib.sha256(live["refresh"].encode()).hexdigest()
		    open(path, "w").write(json.dumps(record))
	END
}

good_answers() { answers "{\"tokens\": {}, \"numbered\": true, \"repeat\": 0, \"delay_ms\": ${1:-20}}"; }

cost() {
	local words
	words=$(sed -nE 's/.*: ([0-9]+) looks, ([0-9]+) rounds of claims; the oldest refresh lock was held ([0-9]+) ms$/\1 \2 \3/p' "$err")
	case $1 in
	looks) cut -d' ' -f1 <<<"$words" ;;
	claims) cut -d' ' -f2 <<<"$words" ;;
	oldest) cut -d' ' -f3 <<<"$words" ;;
	esac
}

# expect_at_most WHAT IS LIMIT
expect_at_most() { [ "${2:-999999999}" -le "$3" ] || fail "$1: ${2:-unknown}, shall be at most $3"; }

expect_all_new() {
	expect_posts "$1"
	expect_eq "most requests with one token" "$(control state | jq '[.tokens[]] | max')" 1
	expect_new "$@"
}

expect_new() {
	"$PYTHON" - "$STATE/agents" "$@" <<-'END' || fail "$1 logins in $2 stores are all new"
		import glob, json, sys
		agents, logins, stores = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		documents = [json.load(open(path))["profiles"] for path in glob.glob(f"{agents}/*/agent/auth-profiles.json")]
		same = all(document == documents[0] for document in documents)
		tokens = {profile["refresh"] for profile in documents[0].values()}
		old = [profile for document in documents for profile in document.values() if "many" in profile["refresh"]]
		print(f"# {len(documents)} stores, alike: {same}; {len(tokens)} tokens; {len(old)} copies are old")
		sys.exit(len(documents) != stores or not same or len(tokens) != logins or bool(old))
	END
}
