#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# preview writes nothing and opens no connection, and names exactly what refresh then does.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=30m
mint bob left=5h
mint carol left=3h
write_store "main a b" xai:default=alice xai:bob=bob
write_store c xai:default=carol
plan='[.accounts[] | {provider, profile, email: .identity.email, decision}]'
planned='[.accounts[].copies[] | select(.planned) | .store] | sort'
written='[.accounts[].copies[] | select(.written) | .store] | sort'
everything() { find "$HOME" -printf '%p %y %m %s %i %T@\n' | sort; }
everything >"$T/before"

traced preview -j
expect_status 0
expect_eq "files, sizes, inodes and times" "$(everything)" "$(cat "$T/before")"
expect_no_traces "$ASKS" "$WRITES" "$RENAMES"
expect_eq "programs started" "$(programs_started)" 1
expect_posts 0
will=$(field "$plan") stores=$(field "$planned")
expect_field '[.accounts[] | select(.decision == "refresh")] | length' 1
expect_field '[.accounts[].outcome] | unique | inside(["planned", "unchanged"])' true

keeper preview --check
expect_status 5
keeper refresh --dry-run -j
expect_status 0
expect_eq "refresh --dry-run" "$(field "$plan")" "$will"
expect_posts 0

traced refresh -j
expect_status 0
expect_traces "$ASKS" "$WRITES" "$RENAMES"
expect_eq "programs started" "$(programs_started)" 2
expect_eq "what refresh decided" "$(field "$plan")" "$will"
expect_eq "what refresh wrote" "$(field "$written")" "$stores"
expect_posts 1

keeper preview --check
expect_status 0
keeper preview --check --at +5h
expect_status 5
