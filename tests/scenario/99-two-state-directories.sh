#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One login under two state directories (`openclaw --profile dev` with a copied store), one ledger: whichever is refreshed
# first, the other follows; what one of them has under way or was killed over is finished there, and nowhere else.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
one_post() { [ "$(($(posts) - POSTS_BEFORE))" = 1 ]; }
answered() { grep -rqa '^answered ' "$LEDGER/receipts"; }
here() { STATE=$HOME/.openclaw; }
there() { STATE=$HOME/.openclaw-dev; }
copied() { # FORMAT LOGIN: the same login in both
	fresh
	mint "$2" left=30m
	for place in there here; do
		$place
		case $1 in
		json) write_store "main a" xai:default="$2" ;;
		sqlite) write_database "shared a" xai:default="$2" ;;
		esac
	done
	[ "$1" = json ] && main=main || main=shared
}
follows() { # LOGIN: nothing is sent, everything is written
	before=$(posts)
	keeper refresh -j
	expect_status 0
	expect_eq "requests of the one that follows" "$(($(posts) - before))" 0
	expect_generation "$1" $main a
	keeper refresh -j --wait 0
	expect_status 0
	expect_field '.accounts[0].outcome' unchanged
}
untouched() { # STATUS…: while the other's is under way
	tokens=$(store_token $main)$(store_token a)
	keeper refresh -j --wait 0
	expect_status "$@"
	expect_field '.accounts[0].error.code' in_flight
	expect_eq "what stands in the stores" "$(store_token $main)$(store_token a)" "$tokens"
}
killed_with_answer() {
	hold_answer
	start_keeper refresh -j
	wait_until one_post
	courier=$(couriers; STATE=$HOME/.openclaw-dev; sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$STATE"/locks/oauth-refresh/*.lock 2>/dev/null | head -n 1)
	keeper_pid=${STARTED[-1]%:*}
	stop_process "$keeper_pid"
	release_answer
	wait_until answered
	kill -9 "$keeper_pid"
	for pid in $courier; do end_process "$pid"; done
	wait_keepers
}

for format in json sqlite; do
	for first in here there; do
		[ $first = here ] && second=there || second=here
		[ "$format$first" = sqlitehere ] && continue

		# One after the other, and the other way round.
		copied $format "a$format$first"
		$first
		keeper refresh -j
		expect_status 0
		expect_generation "a$format$first" $main a
		$second
		follows "a$format$first"
		due
		keeper refresh -j
		expect_status 0
		expect_posts 2
		$first
		follows "a$format$first"

		# Killed with the answer in its receipt: the other leaves it, and who was killed finishes it.
		copied $format "b$format$first"
		$first
		killed_with_answer
		$second
		untouched 4
		keeper sync -j --wait 0
		expect_status 4
		answered || fail "another state directory's run settled the receipt"
		change_records '.live.expires_ms = ((now - 60) * 1000 | floor)'
		for receipt in "$LEDGER"/receipts/*; do
			"$PYTHON" - "$receipt" <<-'END'
				import re, sys
				text = open(sys.argv[1], "rb").read()
				open(sys.argv[1], "r+b").write(re.sub(rb'("received_ms": ?)(\d+)', lambda m: m[1] + str(int(m[2]) - 500000).encode(), text))
			END
		done
		keeper refresh -j --wait 0
		expect_status 1 3
		expect_field ".problems[] | select(.code == \"in_flight\") | .fix | contains(\"--state-dir $([ $first = here ] && here || there; echo "$STATE")\")" true
		$first
		keeper refresh -j
		expect_status 0
		expect_posts 1
		expect_generation "b$format$first" $main a
		$second
		follows "b$format$first"
	done

	[ $format = sqlite ] && break

	# The other's state directory is gone for good: then the answer is nobody else's, and is not lost. It comes back: it follows.
	copied $format "c$format"
	here
	killed_with_answer
	mv "$STATE" "$STATE.away"
	there
	keeper refresh -j
	expect_status 0
	expect_posts 1
	expect_generation "c$format" $main a
	here
	mv "$STATE.away" "$STATE"
	follows "c$format"

	# While the other's runtime refreshes, it is waited for: its copy of the token is the same token.
	copied $format "e$format"
	for place in there here; do
		$place
		keeper refresh -j
		expect_status 0
	done
	reset_posts
	due
	lock=$STATE/locks/oauth-refresh/sha256-$(printf 'xai\0xai:default' | sha256sum | cut -c1-64).lock
	printf '{"pid": %d, "createdAt": "%s"}\n' $$ "$(date -u +%FT%T.000Z)" >"$lock"
	there
	keeper refresh -j --wait 0
	expect_status 4
	expect_field '.accounts[0].error.code' lock_busy
	expect_posts 0
	rm "$lock"
	keeper refresh -j
	expect_status 0
	expect_posts 1
	here
	follows "e$format"

	# All at once.
	copied $format "d$format"
	for _ in {1..2}; do
		here
		start_keeper refresh -j --wait 10m
		there
		start_keeper refresh -j --wait 10m
	done
	wait_keepers
	expect_posts 1
	for status in $statuses; do
		case $status in 0 | 4) ;; *) fail "status of one of four is $status" ;; esac
	done
	here
	follows "d$format"
	there
	follows "d$format"
done
expect_no_secrets
