#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# However a store is named, it is the one that is meant; a dry run of a decision says what the run does, and changes not a
# byte; what is no decision is a usage error; and what the timer did of itself is undone by the command it shows.
# Long: killed at some steps.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
copies() { if [ "$FORMAT" = json ]; then write_store "$@"; else write_database "$@"; fi; }
file() { if [ "$FORMAT" = json ]; then store "$1"; else database "$1"; fi; }
one() { mint alice left="$1" && mv "$T/logins/alice.json" "$T/logins/$2.json"; }
# All that is there, but for what a reader of a database leaves beside it.
tree() { find "$HOME" -type f ! -name '*-shm' ! -name '*-wal' -exec sha256sum {} + | sort | sha256sum; }
decided() { field '[.accounts[] | "\(.profile) \(.decision) \(.generation) \([.displaced[] | "\(.generation) \(.store)"] | sort) \([.copies[] | select(.planned or .written) | .store] | sort)"] | sort | join("; ")'; }
begin() {
	fresh
	CONFIG=
	one 3h first
	one 5h live
	one 4h diverged
	copies "main a b" xai:default=first
	keeper sync -j
	copies "main a b" xai:default=live
	keeper sync -j
	copies b xai:default=diverged
	keeper sync -j
}
# dry_then_real ARG…: the same plan, and no byte is changed by saying it.
dry_then_real() {
	local before planned
	before=$(tree)
	keeper "$@" --dry-run -j
	expect_eq "$FORMAT $*: a dry run changes nothing" "$(tree)" "$before"
	planned=$(decided)
	keeper "$@" --dry-run
	expect_match "$out" "would displace"
	expect_eq "$FORMAT $*: nor in text" "$(tree)" "$before"
	keeper "$@" -j
	expect_status 0
	expect_eq "$FORMAT $*: what is planned is done" "$(decided)" "$planned"
}

for FORMAT in json sqlite; do
	begin
	path=$(file b)
	ln -s "$(dirname "$path")" "$HOME/link"
	ln -s "$path" "$HOME/file"
	cd "$HOME" || exit 1
	for name in b "$path" "${path#"$HOME/"}" "./.openclaw/agents/../agents/b/agent/$(basename "$path")" "$HOME/link/$(basename "$path")" "$HOME/file"; do
		copies b xai:default=diverged
		keeper sync --follow "$name" --dry-run -j
		expect_status 0
		expect_eq "$FORMAT: $name is b" "$(field '[.accounts[].displaced[].store] | join(" ")')" "$path"
	done
	for name in main "$(file main)"; do
		keeper sync --adopt "$name" --dry-run -j
		expect_status 0
		expect_eq "$FORMAT: $name is main" "$(field '.accounts[0].generation')" "$(login_token live)"
	done
	# What is no store: a directory that is no agent's, a slash too many, another file, nothing.
	for name in "$STATE" "$STATE/agents" "$path/" /dev/null nowhere "" "B" "agents/b"; do
		keeper sync --follow "$name"
		expect_status 2
		keeper sync --adopt "$name"
		expect_status 2
	done
	cd "$T" || exit 1
	dry_then_real sync --follow b
	copies b xai:default=diverged
	keeper sync -j
	begin
	dry_then_real sync --adopt b
	dry_then_real restore "$(login_token live)"

	# Several accounts in one store: all of them, or those that are named; one that cannot is refused, the others go on.
	fresh
	mint alice left=3h
	mint bob left=3h
	cp "$T/logins/alice.json" "$T/logins/alice1.json"
	cp "$T/logins/bob.json" "$T/logins/bob1.json"
	copies "main a b" xai:alice=alice1 xai:bob=bob1
	keeper sync -j
	mint alice left=5h
	mint bob left=5h
	copies "main a" xai:alice=alice xai:bob=bob
	keeper sync -j
	expect_status 0
	copies b xai:alice=alice1 xai:bob=bob1
	keeper sync --adopt b xai:bob -j
	expect_status 0
	expect_eq "$FORMAT: bob's alone" "$(store_token main xai:alice) $(store_token main xai:bob)" "$(login_token alice) $(login_token bob1)"
	copies "main a" xai:alice=alice xai:bob=bob
	copies b xai:alice=alice1 xai:bob=bob1
	keeper sync --adopt b -j
	expect_status 0
	expect_eq "$FORMAT: both" "$(store_token main xai:alice) $(store_token a xai:bob)" "$(login_token alice1) $(login_token bob1)"
	expect_field '[.accounts[] | .displaced | length] | add' 1
	keeper refresh --force -j
	expect_status 0
	expect_posts 2
	cp "$T/logins/alice.json" "$T/logins/alice2.json"
	copies b xai:alice=alice1 xai:bob=bob # the one is spent
	keeper sync --adopt b -j
	expect_status 3
	expect_field '[.accounts[] | .error.code // "none"] | sort | join(" ")' "adopt_refused none"
	expect_eq "$FORMAT: the other one is taken" "$(store_token main xai:bob)" "$(login_token bob)"
	expect_generation alice
done

# Wrong usage, of every verb of a person's, is 2, and nothing is done.
FORMAT=json
begin
before=$(tree)
for words in "sync --adopt" "sync --follow" "sync --adopt a --follow b" "sync --adopt b nobody:x" "sync --follow b nobody@example.com" \
	"restore a b" "restore xyz" "restore 12" "forget" "forget nobody:x" "own now" "own" "preview --adopt b" "refresh --follow b" \
	"status --force" "restore --adopt b" "sync --at 2h" "forget --dry-run xai:default"; do
	# shellcheck disable=SC2086
	keeper $words
	expect_status 2
	[ -s "$err" ] || fail "$words: a word on it"
done
expect_eq "nothing is done" "$(tree)" "$before"

# What the timer did: a login that it adopted, and one that gave way. Both are undone as it is shown.
begin
keeper sync --follow b -j
one 350m newer
write_store main xai:default=newer
keeper refresh --quiet
expect_status 0
expect_match "$out" "to undo it, if it is an unwanted login: oauth-keepalive restore $(login_token live)$"
undo=$(sed -n 's/^ *to undo it, if.*: oauth-keepalive //p' "$out")
# shellcheck disable=SC2086
keeper $undo -j
expect_status 0
expect_eq "undone" "$(store_token main) $(store_token b)" "$(login_token live) $(login_token live)"
one 1h older
write_store main xai:default=older
keeper refresh --quiet
expect_match "$err" "^warning \[login_displaced\] .*/main/"
undo=$(sed -n 's/^ *fix: oauth-keepalive //p' "$err")
# shellcheck disable=SC2086
keeper $undo -j
expect_status 0
expect_eq "undone" "$(store_token main) $(store_token b)" "$(login_token older) $(login_token older)"
expect_posts 0

# A decision about one name of a login stands for the other one, too, wherever its run is killed (tests/model).
for step in $(kill_steps 12); do
	fresh
	one 3h first
	one 5h second
	write_store "main a" xai:default=first xai:alice=first
	keeper sync -j
	write_store main xai:default=second xai:alice=first
	keeper sync -j
	expect_eq "both follow" "$(store_token a xai:default) $(store_token a xai:alice)" "$(login_token second) $(login_token second)"
	UNDER=(strace -f -qq -o /dev/null -e "inject=fsync,fdatasync:signal=KILL:when=$step")
	keeper restore "$(login_token first)" -j
	UNDER=()
	keeper refresh --force -j
	expect_posts 1
	expect_status 0
	expect_eq "killed at $step: one login" "$(store_token main xai:default) $(store_token a xai:alice)" "$(store_token a xai:default) $(store_token main xai:alice)"
	expect_eq "killed at $step: … under both names" "$(store_token main xai:default)" "$(store_token main xai:alice)"
done
expect_no_secrets
