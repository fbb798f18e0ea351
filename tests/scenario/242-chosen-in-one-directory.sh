#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login that stands in several state directories is one. What a person chooses in one of them the others follow, and a
# choice in another one afterwards stands just the same: a token that was never sent comes back there, too.
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
copies() { # DIRECTORY STORES LOGIN
	in_dir "$1"
	if [ "$FORMAT" = json ]; then write_store "$2" xai:default="$3"; else write_database "$2" xai:default="$3"; fi
}
path() { # DIRECTORY STORE
	in_dir "$1"
	if [ "$FORMAT" = json ]; then store "$2"; else database "$2"; fi
}
one() { mint alice left="$1" && mv "$T/logins/alice.json" "$T/logins/$2.json"; }
everywhere() { # LOGIN
	local dir
	for dir in .openclaw .openclaw-dev; do
		in_dir $dir
		expect_eq "$FORMAT: $1 in $dir" "$(store_token main) $(store_token a)" "$(login_token "$1") $(login_token "$1")"
	done
}
begin() {
	fresh
	one 5h first
	one 4h second
	copies .openclaw "main a" first
	copies .openclaw-dev "main a" first
	keeper sync -j
	expect_status 0
}

for FORMAT in json sqlite; do
	# By the agent's name it is a choice in both directories: in one of them what is live there, and stays. By its path it
	# is one for both.
	for named in agent path; do
		begin
		copies .openclaw-dev a second
		if [ $named = agent ]; then
			keeper sync --adopt a -j
			expect_status 0
			in_dir .openclaw
			expect_eq "$FORMAT: chosen" "$(store_token main) $(store_token a)" "$(login_token first) $(login_token first)"
			in_dir .openclaw-dev
			expect_eq "$FORMAT: chosen" "$(store_token main) $(store_token a)" "$(login_token second) $(login_token second)"
		else
			keeper sync --adopt "$(path .openclaw-dev a)" -j
			expect_status 0
			everywhere second
			copies .openclaw main first
		fi
		keeper sync --adopt "$(path .openclaw main)" -j
		expect_status 0
		keeper sync -j
		expect_status 0
		keeper sync -j
		expect_field '[.accounts[].outcome] | unique | join(" ")' unchanged
		everywhere first
		# And undone.
		keeper restore "$(login_token second)" -j
		expect_status 0
		keeper sync -j
		everywhere second
		keeper refresh --force -j
		expect_status 0
		expect_posts 1
	done

	# What was sent for the one is spent for the other.
	begin
	copies .openclaw-dev "main a" first
	cp -a "$HOME/.openclaw" "$T/kept"
	in_dir .openclaw-dev
	keeper refresh --force -j
	expect_posts 1
	rm -r "$HOME/.openclaw" && mv "$T/kept" "$HOME/.openclaw"
	keeper sync --adopt "$(path .openclaw main)" -j
	expect_status 3
	expect_match "$out" "it is spent"
	keeper refresh -j
	expect_status 0
	expect_posts 1
	in_dir .openclaw
	expect_eq "$FORMAT: it follows" "$(store_token main)" "$(server_token alice)"
done
expect_no_secrets
