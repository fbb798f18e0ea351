#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login stands in two state directories, and one of them cannot be read (others may write to it, its agents cannot be
# listed): it is not sent, since its copies there would be left with a spent token. Once that is mended it goes on.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
# Without `state_dir`, which names the only one.
write_config() {
	{
		echo "providers = ( { name = \"xai\"; token_url = \"$TOKEN_URL\"; } );"
		echo 'http = { connect_timeout = "60s"; deadline = "60s"; };'
	} >"$T/keeper.conf"
}
# tried WHAT BREAK MEND, for the one directory and for the other
tried() {
	local dir broken
	for broken in .openclaw .openclaw-dev; do
		fresh
		mint alice left=30m
		for dir in .openclaw .openclaw-dev; do
			STATE=$HOME/$dir
			if [ "$FORMAT" = json ]; then write_store "main a" xai:default=alice; else write_database "shared a" xai:default=alice; fi
		done
		keeper sync -j
		expect_status 0
		(cd "$HOME/$broken" && eval "$2")
		keeper preview -j
		expect_field '[.accounts[] | select(.decision == "refresh")] | length' 0
		keeper refresh --force -j
		expect_status 3
		expect_posts 0
		expect_field "[.accounts[].reason | select(startswith(\"xai:default in $HOME/$broken shares its refresh token\"))] | length" 1
		expect_eq "$FORMAT, $1 in $broken" "$(field '[.accounts[].outcome] | unique | join(" ")')" held
		(cd "$HOME/$broken" && eval "$3")
		keeper refresh -j
		expect_status 0
		expect_posts 1
		for dir in .openclaw .openclaw-dev; do
			STATE=$HOME/$dir
			if [ "$FORMAT" = json ]; then expect_generation alice main a; else expect_generation alice shared a; fi
		done
	done
}

for FORMAT in json sqlite; do
	tried "others may write" "chmod 777 ." "chmod 700 ."
	tried "agents cannot be listed" "mv agents moved; ln -s agents agents" "rm agents; mv moved agents"
done

# One that is gone, or no directory any more, keeps nobody waiting.
FORMAT=json
for gone in "rm -r .openclaw-dev" "rm -r .openclaw-dev; echo >.openclaw-dev" "mv .openclaw-dev .openclaw-test"; do
	fresh
	mint alice left=30m
	for dir in .openclaw .openclaw-dev; do
		STATE=$HOME/$dir
		write_store "main a" xai:default=alice
	done
	keeper sync -j
	(cd "$HOME" && eval "$gone")
	keeper refresh -j
	expect_status 0
	expect_posts 1
	STATE=$HOME/.openclaw
	expect_generation alice main a
done
expect_no_secrets
