#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A host that follows says when nothing comes; a login that is made on it is its own from then on, and no push displaces it.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/hosts.sh"

login_on a main
like a b
hand a b
expect_status 0

# ---- nothing comes: said from half of the margin on, and loudly before OpenClaw would refresh by itself
on b
change_records '.live.expires_ms = ((now + 3000) * 1000 | floor)'
keeper refresh -j
expect_status 1
expect_field '.accounts[0].error.code' leader_silent
change_records '.live.expires_ms = ((now + 500) * 1000 | floor)'
keeper refresh -j
expect_status 3
expect_field '.accounts[0].error.code' leader_silent
expect_match "$out" "see to the timer and the hook push-ssh"
keeper doctor -j
expect_field '[.problems[] | select(.code == "leader_silent")] | length' 1
expect_posts 0

# ---- a person logs in there
sleep 1.1 # whole seconds tell when it was issued
mint alice left=6h email=alice@example.com
write_store main xai:default=alice
keeper refresh -j
expect_status 0
expect_match "$out" '"left_leader"'
expect_ownership b ours
kept=$(store_token main)
export_from a "$T/document"
import_to b "$T/document"
expect_status 3
expect_match "$out" "has a login of its own, which stays"
expect_eq "the login that was made on b" "$(store_token main)" "$kept"

# ---- unless a person says so; and then that login can be had back
import_to b "$T/document" --force
expect_status 0
expect_ownership b follows
on a
leaders=$(store_token main)
on b
expect_eq "the login of a" "$(store_token main)" "$leaders"
keeper restore -j
expect_field '[.kept[] | select(.id == "'"$kept"'") | .may_come_back] | unique[]' true
keeper restore "$kept"
expect_status 0
expect_ownership b ours
expect_eq "the login that was made on b" "$(store_token main)" "$kept"
import_to b "$T/document" --force
expect_status 0
expect_posts 0

# ---- what a replaced since is older, whoever says so
on a
due
keeper refresh
expect_posts 1
cp "$T/document" "$T/older"
hand a b
expect_status 0
import_to b "$T/older" --force
expect_status 3
expect_match "$out" "older than what this host has"

# ---- no profile of that name: nothing is made
on c
write_store main 'xai:other={"type":"api_key","provider":"xai","key":"FAKE-KEY-123456789"}'
import_to c "$T/document" -j
expect_status 3
expect_match "$out" '"import_refused"'
rm -f "$T/document" "$T/older"
expect_no_secrets
