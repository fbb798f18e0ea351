#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One run looks at all state directories: the default, those of profiles, the configuration's and those that the ledger
# knows. A token that stands in several is one grant: one request, the locks of all, and each gets the successor.
# Long: both formats.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
# Without `state_dir`, which names the only one. WHERE holds lines in its place.
WHERE=
write_config() {
	{
		echo "$WHERE"
		echo "providers = ( { name = \"xai\"; token_url = \"$TOKEN_URL\"; } );"
		echo 'http = { connect_timeout = "60s"; deadline = "60s"; };'
	} >"$T/keeper.conf.new"
	mv "$T/keeper.conf.new" "$T/keeper.conf" # runs at once must not read half of it
}
in_dir() { STATE=$HOME/$1; }
copies() { # LOGIN FORMAT DIRECTORY…
	local dir
	for dir in "${@:3}"; do
		in_dir "$dir"
		case $2 in
		json) write_store "main a" xai:default="$1" ;;
		sqlite) write_database "shared a" xai:default="$1" ;;
		esac
	done
}
hold() { # LOGIN DIRECTORY…: each is what the server holds to be live
	local dir
	for dir in "${@:2}"; do
		in_dir "$dir"
		expect_generation "$1" "$main" a
	done
}
lock_of() { echo "$HOME/$1/locks/oauth-refresh/sha256-$(printf 'xai\0xai:default' | sha256sum | cut -c1-64).lock"; }
settled() { # a second run has nothing to do
	keeper refresh -j
	expect_status 0
	expect_field '[.accounts[].outcome] | unique | join(",")' unchanged
	expect_posts "$1"
}

for format in json sqlite; do
	[ $format = json ] && main=main || main=shared
	# A copied profile: one login in three places, due.
	fresh
	mint "a$format" left=30m
	copies "a$format" $format .openclaw .openclaw-dev .openclaw-work
	keeper preview -j
	expect_status 0
	expect_field '.accounts | length' 3
	keeper refresh -j
	expect_status 0
	expect_posts 1
	hold "a$format" .openclaw .openclaw-dev .openclaw-work
	settled 1

	# One of them holds the spent token again (a backup came back): it follows, and nothing is sent.
	old=$T/old$format
	cp -a "$HOME/.openclaw-dev" "$old"
	due
	keeper refresh -j
	expect_posts 2
	rm -rf "$HOME/.openclaw-dev" && cp -a "$old" "$HOME/.openclaw-dev"
	keeper refresh -j
	expect_status 0
	expect_posts 2
	hold "a$format" .openclaw .openclaw-dev .openclaw-work

	# … also one that was never seen before, with a token of the day before yesterday.
	cp -a "$old" "$HOME/.openclaw-new"
	keeper refresh -j
	expect_status 0
	expect_posts 2
	hold "a$format" .openclaw .openclaw-dev .openclaw-work .openclaw-new

	# While the runtime of one is at work on it, nobody sends.
	due
	echo "{\"pid\": $$, \"createdAt\": \"$(date -u +%FT%T.000Z)\"}" >"$(lock_of .openclaw-work)"
	keeper refresh -j --wait 0
	expect_status 4
	expect_posts 2
	rm "$(lock_of .openclaw-work)"

	# A person logs in anew in one: all that had its old login follow.
	mint "a$format" left=5h
	copies "a$format" $format .openclaw-dev
	keeper refresh -j
	expect_status 0
	expect_posts 2
	hold "a$format" .openclaw .openclaw-dev .openclaw-work .openclaw-new

	# One store cannot be read: nobody spends what it may hold.
	due
	in_dir .openclaw-work
	[ $format = json ] && place=$(store main) || place=$(database shared)
	cp -a "$place" "$T/place" && head -c 100 /dev/urandom >"$place"
	keeper refresh -j
	expect_status 3
	expect_posts 2
	cat "$T/place" >"$place"
	keeper refresh -j
	expect_status 0
	expect_posts 3
	hold "a$format" .openclaw .openclaw-dev .openclaw-work .openclaw-new

	# Narrowed to one, what the others hold is respected.
	due
	echo "{\"pid\": $$, \"createdAt\": \"$(date -u +%FT%T.000Z)\"}" >"$(lock_of .openclaw-work)"
	keeper --state-dir "$HOME/.openclaw" refresh -j --wait 0
	expect_status 4
	expect_field '.accounts | length' 1
	expect_posts 3
	rm "$(lock_of .openclaw-work)"
	keeper --state-dir "$HOME/.openclaw" refresh -j
	expect_status 0
	expect_posts 4
	keeper refresh -j
	expect_status 0
	expect_posts 4
	hold "a$format" .openclaw .openclaw-dev .openclaw-work .openclaw-new

	# Two persons, or two logins of one: each its own.
	fresh
	mint "b$format" left=30m email=b@example.com
	mint "c$format" left=30m email=c@example.com
	copies "b$format" $format .openclaw
	copies "c$format" $format .openclaw-dev
	keeper refresh -j
	expect_status 0
	expect_posts 2
	hold "b$format" .openclaw
	hold "c$format" .openclaw-dev
done

# A directory that somebody put away, with a login that its person's runtime has replaced since: not sent, or that would end
# the one in use. If both are in use, the configuration says so; one that is made later is one of its own.
main=main
fresh
mint anna left=30m
copies anna json .openclaw-backup
peer anna
copies anna json .openclaw
keeper refresh -j --force
expect_status 0
expect_posts 1
expect_eq "what is said" "$(field '.problems[] | select(.code == "not_refreshed") | .fix' | grep -c state_dirs)" 1
hold anna .openclaw
mint own left=359m email=anna@example.com
copies own json .openclaw-backup
WHERE="state_dirs = ( \"$HOME/.openclaw\", \"$HOME/.openclaw-backup\" );"
keeper refresh -j --force
expect_status 0
expect_posts 3
hold own .openclaw-backup
hold anna .openclaw
WHERE=

# By the configuration, and by what the ledger knows: a shell's variable, then a timer without it, in another HOME.
main=main
fresh
mint dora left=30m
copies dora json away/one away/two
WHERE="state_dirs = ( \"$HOME/away/one\", \"~/away/two\", \"~/away/none\" );"
keeper refresh -j
expect_status 3
expect_posts 1
expect_field '.problems[] | select(.code == "state_dir_missing") | .severity' error
hold dora away/one away/two
WHERE=
due
HOME=$T/nobody keeper refresh -j
expect_status 0
expect_posts 2
hold dora away/one away/two
fresh
mint erna left=30m
copies erna json elsewhere
OPENCLAW_STATE_DIR=$HOME/elsewhere keeper refresh -j
expect_posts 1
due
keeper refresh -j
expect_status 0
expect_posts 2
hold erna elsewhere

# What looks like a profile and is none: somebody's notes, a backup with a dot, a link to the same.
fresh
mint fred left=30m
copies fred json .openclaw
mkdir "$HOME/.openclaw-notes" && touch "$HOME/.openclaw-file"
cp -a "$HOME/.openclaw" "$HOME/.openclaw-2026.bak"
ln -s .openclaw "$HOME/.openclaw-same"
keeper refresh -j
expect_status 0
expect_field '.accounts | length' 1
expect_posts 1

# Two directories that share a store by a link: one account, and the locks of both.
fresh
mint gwen left=30m
copies gwen json .openclaw
mkdir -p "$HOME/.openclaw-dev/agents"
ln -s "$HOME/.openclaw/agents/main" "$HOME/.openclaw-dev/agents/main"
mkdir -p "$HOME/.openclaw-dev/locks/oauth-refresh" # (umask 077)
echo "{\"pid\": $$, \"createdAt\": \"$(date -u +%FT%T.000Z)\"}" >"$(lock_of .openclaw-dev)"
keeper refresh -j --wait 0
expect_status 4
expect_posts 0
rm "$(lock_of .openclaw-dev)"
keeper refresh -j
expect_status 0
expect_field '.accounts | length' 1
expect_posts 1
hold gwen .openclaw

# All at once.
fresh
mint hans left=30m
copies hans json .openclaw .openclaw-dev
for _ in {1..4}; do start_keeper refresh -j --wait 10m; done
wait_keepers
expect_eq "statuses of the four" "$statuses" "0 0 0 0"
expect_posts 1
hold hans .openclaw .openclaw-dev
expect_no_secrets
