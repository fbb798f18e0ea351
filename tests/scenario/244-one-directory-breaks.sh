#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login stands in two state directories, and one of them breaks (others may write to it, its agents cannot be listed) while
# the answer is on its way: the other one gets the new tokens all the same, at once, and is left alone from then on; the
# broken one follows as soon as it is mended. One request.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
# Without `state_dir`, which names the only one.
write_config() {
	{
		echo "providers = ( { name = \"xai\"; token_url = \"$TOKEN_URL\"; } );"
		echo 'http = { connect_timeout = "60s"; deadline = "60s"; };'
	} >"$T/keeper.conf"
}
in_dir() { STATE=$HOME/$1; }
answered() { grep -rqa '^answered ' "$LEDGER/receipts"; }
one_post() { [ "$(($(posts) - POSTS_BEFORE))" = 1 ]; }
holds_new() {
	in_dir "$1"
	expect_generation alice $main a
}
# The keeper and its courier are killed when the answer is in its receipt.
killed_with_answer() {
	start_keeper refresh -j
	wait_until one_post
	local pid=${STARTED[-1]%:*} courier
	stop_process "$pid"
	courier=$(couriers | head -n 1)
	release_answer
	wait_until answered
	kill -9 "$pid"
	end_process "$courier"
	wait_keepers
}
# tried BROKEN HEALTHY BREAK MEND
tried() {
	for when in killed "in the run"; do
		fresh
		mint alice left=30m
		for dir in "$1" "$2"; do
			in_dir "$dir"
			if [ "$FORMAT" = json ]; then write_store "main a" xai:default=alice; else write_database "shared a" xai:default=alice; fi
		done
		keeper sync -j
		expect_status 0
		hold_answer
		if [ "$when" = killed ]; then
			killed_with_answer
			(cd "$HOME/$1" && eval "$3")
			keeper refresh -j
			expect_status 3
		else
			start_keeper refresh -j
			wait_until one_post
			(cd "$HOME/$1" && eval "$3")
			release_answer
			wait_keepers
			expect_status 3
		fi
		holds_new "$2"
		expect_field "[.accounts[] | select(.outcome != \"held\") | .copies[] | select(.store | startswith(\"$HOME/$2/\")) | .state] | unique | join(\" \")" current
		keeper refresh -j
		expect_status 3
		expect_eq "$FORMAT, $when, $1: nothing to do" "$(field '[.accounts[].outcome] | sort | join(" ")')" "held unchanged"
		(cd "$HOME/$1" && eval "$4")
		keeper refresh -j
		expect_status 0
		holds_new "$1"
		keeper refresh -j
		expect_field '[.accounts[].outcome] | unique | join(" ")' unchanged
		expect_posts 1
		expect_eq "receipts" "$(find "$LEDGER/receipts" -type f | wc -l)" 0
	done
}

for FORMAT in json sqlite; do
	[ $FORMAT = json ] && main=main || main=shared
	tried .openclaw-dev .openclaw "chmod 777 ." "chmod 700 ."
	tried .openclaw .openclaw-dev "mv agents moved; ln -s agents agents" "rm agents; mv moved agents"
done
expect_no_secrets
