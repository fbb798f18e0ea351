#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Stores and the ledger are found where git tracks them, in each form that git's index has, and a ledger that others can
# come to is refused; each is gone once the command that is shown was run. What is merely near them is not said.
. "$(dirname "$0")/lib.sh" || exit 1

problem() { field ".problems[] | select(.code == \"$1\") | $2"; }
# finds CODE: that alone; its command is run as it is shown, and it is gone.
finds() {
	local fix
	keeper doctor -j
	expect_status 3
	expect_eq "$1" "$(problem "$1" .severity)" error
	expect_eq "besides $1" "$(field ".problems[] | select(.severity == \"error\" and .code != \"$1\" and .code != \"barred\") | .code")" ""
	fix=$(problem "$1" .fix)
	bash -c "$fix" >"$T/fix.out" 2>&1 || fail "the fix fails: $fix" "$(cat "$T/fix.out")"
	clean
}
clean() {
	keeper doctor -j
	expect_eq "what is wrong" "$(field '.problems[] | select(.severity != "info") | .code, .message')" ""
	expect_status 0
}

start_scripted
fake alice left=5h
write_store "main a" xai:default=alice
OAUTH_KEEPALIVE_RUN=timer keeper refresh
clean

# ---- a ledger that others can come to is not used at all
chmod 755 "$LEDGER"
finds ledger_unreadable
expect_eq "the ledger's mode" "$(stat -c %a "$LEDGER")" 700

# ---- git
if ! command -v git >/dev/null; then
	not_shown "git: it is not installed"
	exit
fi
git_here() { git -C "$HOME" -c user.name=nobody -c user.email=nobody@example.com "$@"; }
forms=(2 3 4)
git init --help 2>/dev/null | grep -q object-format && forms+=(sha256)
for form in "${forms[@]}"; do
	case $form in
	sha256) git init -q --object-format=sha256 "$HOME" ;;
	*) git init -q "$HOME" && git_here config index.version "$form" ;;
	esac
	touch "$STATE/a" "$(store main).md" "$LEDGER.md"
	git_here add "$STATE/a" "$(store main).md" "$LEDGER.md"
	[ "$form" != 3 ] || git_here add -N "$(store main).md" # an entry with more flags
	clean
	git_here add "$(store a)"
	[ "$form" != 3 ] || { touch "$STATE/b" && git_here add -N "$STATE/b"; }
	finds store_in_git
	git_here add -f "$LEDGER/accounts"
	finds ledger_in_git
	rm -rf "${HOME:?}/.git"
done
# A further work tree, whose .git is a file.
mkdir "$T/origin"
git init -q --separate-git-dir="$T/origin/git" "$HOME"
git_here add "$(store main)"
finds store_in_git
# What is no index is nothing, and nothing breaks on it.
cp "$T/origin/git/index" "$T/index"
git_here add "$(store main)"
cp "$T/origin/git/index" "$T/index"
for cut in 3 11 40 77; do
	head -c $cut "$T/index" >"$T/origin/git/index"
	clean
done
printf 'DIRC\0\0\0\4\377\377\377\377%0200d' 0 >"$T/origin/git/index"
clean
rm -rf "${HOME:?}/.git"
# shellcheck disable=SC2119
expect_no_secrets
