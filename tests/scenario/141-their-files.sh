#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Another program's file that could not be written bars the request before anything is spent, says why, and links are what
# they are to that program.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

start_oidc
scene() {
	fresh_programs
	mint alice provider=openai-codex jwt=yes lifetime=10d left=1d
	write_store main $ID=alice
	write_codex alice
	follow codex-cli "$CODEX" $ID 'refresh_token = "share";'
}

for trouble in "ln $HOME/.codex/auth.json $HOME/other" "chmod 400 $HOME/.codex/auth.json"; do
	scene
	${trouble//$T\/home1/$HOME}
	before=$(sum "$CODEX")
	keeper preview -j
	expect_match "$out" store_not_writable
	keeper refresh -j
	expect_posts 0
	expect_field '.accounts[0].error.code' store_not_writable
	expect_untouched "$CODEX" "$before"
	# As it says.
	eval "$(field '.problems[] | select(.code == "store_not_writable") | .fix')"
	keeper refresh -j
	expect_status 0
	expect_posts 1
	expect_eq "its token" "$(codex_token)" "$(server_token alice)"
	expect_no_match "$out" store_not_writable
done

# Codex writes what a link leads to, and its second lock is there.
scene
mkdir "$HOME/dotfiles"
mv "$CODEX" "$HOME/dotfiles/codex.json"
ln -s ../dotfiles/codex.json "$CODEX"
chmod 600 "$HOME/dotfiles/codex.json"
keeper refresh -j
expect_status 0
expect_eq "the link" "$(readlink "$CODEX")" ../dotfiles/codex.json
expect_eq "its token" "$(codex_token)" "$(server_token alice)"
expect_eq "its lock" "$(ls "$HOME/dotfiles" | tr '\n' ' ')" "codex.json codex.json.lock "

# Claude Code reads through a link, and writes a file of its own in its place.
fresh_programs
mint bob provider=anthropic lifetime=8h left=1h
write_store main anthropic:default=bob
mkdir -p "$HOME/dotfiles" "$HOME/.claude"
write_claude bob "$HOME/dotfiles/claude.json"
before=$(sum "$HOME/dotfiles/claude.json")
ln -s ../dotfiles/claude.json "$CLAUDE"
follow claude-code "$CLAUDE" anthropic:default 'refresh_token = "share";'
keeper refresh -j
expect_status 0
expect_posts 1
[ -L "$CLAUDE" ] && fail "the link is still there"
expect_eq "its token" "$(claude_token)" "$(server_token bob)"
expect_eq "its mode" "$(stat -c %a "$CLAUDE")" 600
expect_untouched "$HOME/dotfiles/claude.json" "$before"
expect_eq "its directory" "$(ls -A "$HOME/.claude")" .credentials.json
keeper refresh -j
expect_field '.accounts[0].outcome' unchanged

# A broken document is said, and is nobody's login.
scene
printf '{"tokens": {"access_token": "x"' >"$CODEX"
before=$(sum "$CODEX")
keeper refresh -j
expect_untouched "$CODEX" "$before"
expect_match "$out" store_unreadable
expect_eq "alice's token in main" "$(store_token main $ID)" "$(server_token alice)"
