#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An upgrade half done: nothing is written to JSON that SQLite replaced, nothing is spent twice, and what is not yet
# imported is left for `openclaw doctor --fix`.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
ERA=2026.7.1
mint alice left=30m
write_store "main a b" xai:default=alice
keeper refresh -j
expect_status 0
expect_posts 1

# Main and `a` are imported, their files still lie there; `b` is not yet.
cp "$(store main)" "$T/imported"
jq -jc . "$T/imported" | put_document main
jq -jc . "$T/imported" | put_document a
main=$(sum "$(store main)") a=$(sum "$(store a)")
keeper refresh --force -j
expect_status 0
expect_posts 2
expect_generation alice "$(database main)" "$(database a)" "$(store b)"
expect_untouched "$(store main)" "$main"
expect_untouched "$(store a)" "$a"
expect_field '[.accounts[].copies[] | select(.state == "retired") | .store] | length' 2
expect_field '[.problems[] | select(.code == "store_retired")] | length' 2
expect_match "$out" "openclaw doctor --fix"
expect_field '.accounts | length' 1

# 2026.8.1 has made its state database and reads no JSON at all, b's neither.
ERA=2026.8.1
schema shared | sql "$(mkdir -p "$STATE/state" && database shared)" >/dev/null
b=$(sum "$(store b)")
keeper refresh --force -j
expect_status 0
expect_posts 3
expect_generation alice "$(database main)" "$(database a)"
expect_untouched "$(store b)" "$b"

# It is imported late, with the token that was spent meanwhile: repaired.
jq -jc . "$(store b)" | put_document b
rm "$(store b)"
keeper refresh -j
expect_status 0
expect_posts 3
expect_generation alice "$(database b)"

# Nothing is imported: to be done first. Not one byte, not one request.
for ERA in 2026.7.1 2026.9.6; do
	fresh
	mint "bob$ERA" left=10m
	write_store "main a" xai:default="bob$ERA"
	case $ERA in
	2026.7.1) for agent in main a; do schema $agent | sql "$(database $agent)" >/dev/null; done ;;
	*) schema shared | sql "$(mkdir -p "$STATE/state" && database shared)" >/dev/null ;;
	esac
	main=$(sum "$(store main)")
	keeper refresh -j
	expect_status 3
	expect_posts 0
	expect_untouched "$(store main)" "$main"
	expect_field '.accounts[0].outcome' held
	expect_match "$out" "openclaw doctor --fix"
done

# Something left over beside a database that has credentials, of a login it does not have: said, and no more.
fresh
mint carol left=10m
mint dave left=10m
write_database shared xai:default=carol
write_store main xai:old=dave
before=$(sum "$(store main)")
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation carol shared
expect_untouched "$(store main)" "$before"
expect_field '.accounts[] | select(.profile == "xai:old") | .outcome' skipped

# The import gives it another name, openai-codex becomes openai: the same login goes on.
fresh
mint erin left=4d lifetime=10d provider=openai-codex jwt=yes
write_store main openai-codex:default=erin
keeper refresh --force -j
expect_status 0
expect_posts 1
jq -jc '.profiles = {"openai:default": (.profiles["openai-codex:default"] | .provider = "openai")}' "$(store main)" | put_document shared
mv "$(store main)" "$(store main).migrated-2026-11-21T00-00-00.000Z-0"
keeper refresh -j
expect_status 0
expect_posts 1
# The old name, which no store holds any more, keeps nothing open: it goes on and on.
for round in 2 3 4; do
	keeper refresh --force -j
	expect_status 0
	expect_posts $round
	expect_field '.accounts[] | select(.profile == "openai:default") | .outcome' refreshed
	expect_eq "erin's generation" "$(store_token shared openai:default)" "$(server_token erin)"
	expect_eq "open receipts" "$(find "$LEDGER/receipts" -type f)" ""
done

# The import renamed main's, and has not come to an agent's: that one does not hold it up, and gets the token in the end.
fresh
mint frank left=4d lifetime=10d provider=openai-codex jwt=yes
write_store "main b" openai-codex:default=frank
keeper refresh -j
expect_status 0
jq -jc '.profiles = {"openai:default": (.profiles["openai-codex:default"] | .provider = "openai")}' "$(store main)" | put_document shared
mv "$(store main)" "$(store main).migrated-2026-11-21T00-00-00.000Z-0"
keeper refresh --force -j
expect_posts 1
expect_eq "frank's generation" "$(store_token shared openai:default)" "$(server_token frank)"
jq -jc '.profiles = {"openai:default": (.profiles["openai-codex:default"] | .provider = "openai")}' "$(store b)" | put_document b
mv "$(store b)" "$(store b).migrated-2026-11-21T00-00-00.000Z-0"
keeper refresh -j
expect_status 0
expect_posts 1
expect_eq "frank's generation in b" "$(store_token b openai:default)" "$(server_token frank)"
expect_no_secrets
