#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two versions of the program on one ledger, 0.1.0 and this one: both at once in the upgrade itself spend no token twice; once
# this one has written, the old one refuses and touches nothing; and the way back that docs/upgrading.md describes works.
#
# The old one is built from this repository's history (0.1.0 as of 2026-11-21), once, into the build folder.
. "$(dirname "$0")/lib.sh" || exit 1

RELEASE=dd48c6b
OLD=$(dirname "$OAUTH_KEEPALIVE")/0.1.0
if [ ! -x "$OLD/build/oauth-keepalive" ]; then
	git -C "$TESTS/.." cat-file -e "$RELEASE^{commit}" 2>/dev/null || skip "the history with version 0.1.0 is not here"
	rm -rf "$OLD" && mkdir -p "$OLD"
	git -C "$TESTS/.." archive "$RELEASE" | tar -x -C "$OLD"
	env -u WERROR -u SANITIZE -u MAKEFLAGS -u BUILD make -C "$OLD" all >"$T/old.log" 2>&1 || die "0.1.0 does not build: $(tail -n 5 "$T/old.log")"
fi
NEW=$OAUTH_KEEPALIVE OLD=$OLD/build/oauth-keepalive
old() { OAUTH_KEEPALIVE=$OLD "$@"; }
everything() { (cd "$HOME" && find .openclaw ledger -type f ! -name '*.lock' -exec sha256sum {} + | sort -k 2); }
start_oidc

# A ledger of the old one, and both at once on what is due: the server revokes the login if a token comes twice.
for round in 1 2 3; do
	fresh
	mint race$round left=5h
	write_store "main a b" xai:default=race$round
	old keeper refresh
	expect_status 0
	due
	for n in 1 2 3; do
		OAUTH_KEEPALIVE=$OLD start_keeper refresh --wait 60s
		OAUTH_KEEPALIVE=$NEW start_keeper refresh --wait 60s
	done
	wait_keepers
	expect_posts 1
	keeper refresh
	expect_status 0
	expect_generation race$round main a b
	expect_eq "the ledger's version" "$(jq .version "$LEDGER/ledger.json")" 2
done

# From then on the old one refuses.
due
everything >"$T/before"
for command in refresh "refresh --force" sync "sync --adopt a" preview status; do
	# shellcheck disable=SC2086
	old keeper $command
	expect_status 3
	cat "$out" >>"$err"
	expect_match "$err" 'newer version of this program'
	expect_eq "what 0.1.0 changed by $command" "$(everything | diff "$T/before" -)" ""
done
expect_posts 1

# The way back: every copy current, the ledger put aside, the mark that names it removed.
keeper refresh
expect_status 0
expect_posts 2
mv "$LEDGER" "$LEDGER.aside"
rm "$STATE/locks/oauth-keepalive"
old keeper refresh
expect_status 0
due
old keeper refresh
expect_status 0
expect_posts 3
expect_generation race3 main a b

# And forward again, with the ledger that the old one made.
due
keeper refresh
expect_status 0
expect_posts 4
expect_generation race3 main a b

# A login that is another host's: even if the ledger itself could be read, its record is none that the old one would send.
. "$(dirname "$0")/hosts.sh"
mint alice left=5h email=alice@example.com
on a
write_store main xai:default=alice
keeper refresh
like a b-follow
hand a b-follow
expect_status 0
like a b-release
hand a b-release --release
expect_status 0
export_from b-release "$T/document" --release
expect_status 0
reset_posts
for mode in follow release; do
	on b-$mode
	due
	sed -i 's/"version":[[:space:]]*2/"version": 1/' "$LEDGER/ledger.json"
	everything >"$T/before"
	for command in refresh "refresh --force" sync "sync --adopt main"; do
		# shellcheck disable=SC2086
		old keeper $command
		expect_status 3
		cat "$out" >>"$err"
		expect_match "$err" "accounts/.*newer version of this program"
		expect_eq "what 0.1.0 changed of a login that is another host's by $command" "$(everything | grep accounts/ | diff <(grep accounts/ "$T/before") -)" ""
	done
done
expect_posts 0
rm -f "$T/document"
expect_no_secrets
