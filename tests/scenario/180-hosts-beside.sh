#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What stands beside one owner and one follower: two hosts that both believe to own a login, a login under several names, one
# that is forgotten, a host without it; and what the log and the metrics say of a host that follows.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/hosts.sh"

# ---- two owners: who follows one of them does not take the other's word, until a person says so
login_on a "main coder"
like a b
like a c
keeper refresh
hand a b
expect_status 0
hand c b
expect_status 3
expect_match "$out" "one of them must be told to stop"
leader=$(jq -r .uuid "$T/c/ledger/ledger.json")
import_to b "$T/document" --force
expect_status 0
expect_eq "whom b follows" "$(jq -r .custody.ledger "$LEDGER"/accounts/*.json)" "$leader"
hand a b
expect_status 3
hand a b --release # c owns it as well, and its b does not take it
expect_status 0    # … but a hand-over is later than what b follows
expect_ownership b ours
expect_posts 0

# ---- the log of a host that follows says what came, and from where; its metrics say when
on a
keeper own xai:default
hand a c # both own the same token, and from here on one of them does
expect_status 0
expect_ownership c follows
CONFIG="metrics_file = \"$T/c.prom\";"
on a
due
keeper refresh
expect_posts 1
hand a c
expect_status 0
keeper log -j
expect_field '.events[-1] | "\(.event) \(.message | startswith("sent by ")) \(.to)"' "adopted true $(store_token main)"
keeper refresh
expect_match "$T/c.prom" '^oauth_keepalive_ownership\{.*profile="xai:default".*state="follows"\} 1$'
heard=$(sed -n 's/^oauth_keepalive_owner_heard_timestamp_seconds{.*} //p' "$T/c.prom")
[ $((EPOCHSECONDS - heard)) -lt 600 ] || fail "heard at $heard, and it is $EPOCHSECONDS"
keeper status -j
expect_field '.accounts[0] | .owner_heard_at | fromdate' "$heard"
export_from c "$T/document"
expect_status 3
expect_match "$err" "follows another one"
CONFIG="metrics_file = \"$T/a.prom\";"
export_from a "$T/document" --release
keeper refresh
expect_match "$T/a.prom" '^oauth_keepalive_ownership\{.*state="released"\} 1$'
expect_no_match "$T/a.prom" '^oauth_keepalive_(due|access_expiry)_timestamp_seconds\{'
CONFIG=

# ---- forgotten after it was released: found again, it is not ours for that
keeper forget xai:default
expect_status 3
keeper forget xai:default --force
expect_status 0
due
for _ in 1 2; do keeper refresh --force; done
keeper refresh --last-try
expect_posts 1
import_to c "$T/document"
expect_status 0
expect_ownership c ours
hand c a
expect_status 0
expect_ownership a follows
on c
due
keeper refresh
expect_posts 2
expect_generation alice main coder

# ---- … and after it followed: the next that is sent is taken, also the same once more
hand c a
on a
keeper forget xai:default --force
expect_status 0
import_to a "$T/document"
expect_status 0
expect_ownership a follows
expect_generation alice main coder
due
keeper refresh --force
expect_posts 2

# ---- one login under two names: whichever is named, both are bound, and each host writes both
rm -rf "$T/a" "$T/b"
mint bob left=5h email=bob@example.com
on a
write_store "main coder" xai:default=bob xai:bob@example.com=bob
keeper refresh
like a b
reset_posts
both() { expect_eq "$1: the tokens of both names" "$(store_token main) $(store_token coder xai:bob@example.com)" "$2 $2"; }
owned() { expect_eq "$1" "$(jq -r '[.accounts[].ownership] | join(" ")' "$out")" "$2"; }
hand a b
expect_status 0
on b
keeper status -j
owned "both names on b" "follows follows"
due
keeper refresh --force
on a
due
keeper refresh
expect_posts 1
live=$(store_token main)
both a "$live"
hand a b
expect_status 0
both b "$live"
keeper refresh
both "b later" "$live"
hand a b --release
expect_status 0
on a
keeper status -j
owned "both names on a" "released released"
keeper refresh --force
expect_posts 1
on b
keeper status -j
owned "both names on b, which has it now" "ours ours"
due
keeper refresh
expect_posts 2
both b "$(store_token main)"
[ "$(store_token main)" != "$live" ] || fail "b has refreshed nothing"

# ---- a host that has no such login makes none, and says so
on d
import_to d "$T/document"
expect_status 3
expect_eq "stores of d" "$(find "$STATE" -type f | grep -v /locks/)" ""
rm -f "$T/document"
expect_no_secrets "$T/a.prom" "$T/c.prom"
