#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What happens to another program's file while we send: it goes, or somebody else logs in there; main has the answer, and the
# file is theirs. Several logins of one file are kept apart; what is no file, or of somebody else, is never written.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

start_oidc
# scene LOGIN share|withhold: its login in main and in codex's file.
scene() {
	fresh_programs
	mint "$1" provider=openai-codex jwt=yes lifetime=10d left=1d
	write_store main $ID="$1"
	write_codex "$1"
	follow codex-cli "$CODEX" $ID "refresh_token = \"$2\";"
}
# shellcheck disable=SC2317
was_sent() { [ "$(posts)" -gt "$POSTS_BEFORE" ]; }
# while_sending COMMAND…
while_sending() {
	hold_answer
	start_keeper refresh -j
	wait_until was_sent
	"$@"
	release_answer
	wait_keepers
	expect_eq "status" "$statuses" 0
	expect_posts 1
}
in_main() { expect_eq "$1's token in main" "$(store_token main $ID)" "$(server_token "$1")"; }

scene gone share
while_sending rm "$CODEX"
in_main gone
expect_eq "it is not made again" "$(ls "$HOME/.codex")" auth.lock
keeper refresh -j
expect_posts 1
expect_eq "it is said" "$(problems)" store_missing

scene here share
mint other provider=openai-codex jwt=yes lifetime=10d left=9d
while_sending write_codex other
in_main here
expect_eq "its login" "$(codex_token)" "$(login_token other)"
expect_match "$out" copy_foreign

for how in share withhold; do
	scene mine-$how $how
	write_codex other
	before=$(sum "$CODEX")
	keeper refresh -j --force
	expect_eq "$how: somebody else's" "$(copy_state)" foreign
	expect_untouched "$CODEX" "$before"
	in_main mine-$how
done

# A login that a person makes there is the newest, and is withheld from it like the one before.
scene anew withhold
keeper refresh
mint anew provider=openai-codex jwt=yes lifetime=10d left=10d
write_codex anew
keeper refresh -j
expect_field '.accounts[0].outcome' adopted
in_main anew
expect_eq "its token" "$(jq -r .tokens.refresh_token "$CODEX")" ""

# Three of one file, one of them withheld.
fresh_programs
mint one provider=openai-codex jwt=yes lifetime=10d left=1d
mint two left=30m
mint three provider=openai-codex jwt=yes lifetime=10d left=1d
write_store main openai-codex:default=one xai:default=two openai-codex:work=three
jq -n --slurpfile a "$T/logins/one.json" --slurpfile b "$T/logins/two.json" --slurpfile c "$T/logins/three.json" '
	def entry: {type: "oauth", access, refresh, expires, accountId};
	{"openai-codex": ($a[0] | entry), xai: ($b[0] | entry), work: ($c[0] | entry)}' >"$HOME/pi.json"
follow pi "$HOME/pi.json" openai-codex:default 'refresh_token = "share";'
follow pi "$HOME/pi.json" xai:default 'refresh_token = "withhold";'
follow pi "$HOME/pi.json" openai-codex:work 'refresh_token = "share"; entry = "work";'
keeper refresh -j
expect_status 0
expect_posts 3
keeper refresh -j # what was shared until then
expect_posts 3
for pair in openai-codex=one work=three; do
	expect_eq "$pair" "$(fingerprint_of <"$HOME/pi.json" --arg k "${pair%=*}" '.[$k].refresh')" "$(server_token "${pair#*=}")"
done
expect_eq "xai's" "$(jq -r .xai.refresh "$HOME/pi.json")" ""

# What is no file.
for what in mkfifo mkdir "ln -s auth.json" "ln -s /dev/null"; do
	scene odd$ROUND share
	rm "$CODEX"
	$what "$CODEX"
	before=$(stat -c '%F %i' "$CODEX")
	UNDER=(timeout 200)
	keeper refresh -j
	UNDER=()
	expect_posts 1
	expect_match "$out" 'store_unsafe|store_dangling_link'
	expect_eq "$what" "$(stat -c '%F %i' "$CODEX")" "$before"
	rm -rf "$CODEX" # who reads every file here would wait at a fifo
done
expect_no_secrets
