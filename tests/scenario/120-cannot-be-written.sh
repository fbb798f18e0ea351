#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a run could not write is named before anything is spent for it, with a remedy that works: in main's place nothing
# is sent, an agent's copy does not stop main.
if [ -z "${IN_NAMESPACE:-}" ]; then
	[ "$(id -u)" = 0 ] && unshare -m true 2>/dev/null && exec env IN_NAMESPACE=1 unshare -m bash "$0"
	echo "# skip: needs root and a mount namespace"
	exit 77
fi
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
given() { # NAME FORMAT
	fresh
	mint "$1" left=30m
	case $2 in
	json) write_store "main a" xai:default="$1" && main=$(store main) a=$(store a) ;;
	sqlite) write_database "main a" xai:default="$1" && main=$(database main) a=$(database a) ;;
	esac
	before=$(sum "$main")
}
problem() { echo ".problems[] | select(.code == \"store_not_writable\") | $1"; }
is_said() { # SEVERITY STORE TEXT: by every command that looks
	local command
	for command in preview status; do
		keeper $command -j
		expect_field "$(problem .severity)" "$1"
		expect_field "$(problem .store)" "$2"
		expect_match "$out" "$3"
		keeper $command -q
		expect_match "$out" "$3"
	done
}
# The remedy as it stands there.
remedy() { sh -c "$(field "$(problem .fix)" | sed 's/sudo //')"; }
# NAME FORMAT TEXT BLOCK…: main
bars() {
	local name=$1 format=$2 text=$3
	given "$name" "$format"
	"${@:4}" "$main" || return 0
	is_said error "$main" "$text"
	keeper preview -j
	expect_field '.accounts[0].outcome' failed
	expect_field '.accounts[0].error.code' store_not_writable
	expect_field '[.accounts[0].copies[] | select(.written)] | length' 0
	keeper refresh --force -j
	expect_status 1 3
	expect_posts 0
	expect_untouched "$main" "$before"
	[ -z "$MANUAL" ] || { $MANUAL "$main"; return; }
	remedy || fail "the remedy of: $text"
	keeper refresh -j
	expect_status 0
	expect_posts 1
	expect_field "[$(problem .code)] | length" 0
}
# … an agent's copy
lags() {
	local name=$1 format=$2 text=$3
	given "$name" "$format"
	"${@:4}" "$a" || return 0
	is_said warning "$a" "$text"
	keeper preview -j
	expect_field '.accounts[0].decision' refresh
	keeper refresh -j
	expect_status 1
	expect_posts 1
	[ -z "$MANUAL" ] || { $MANUAL "$a"; return; }
	remedy || fail "the remedy of: $text"
	keeper refresh -j
	expect_status 0
	expect_posts 1
}
over_itself() { mount --bind "$1" "$1"; }
read_only() { mount --bind "$(dirname "$1")" "$(dirname "$1")" && mount -o remount,bind,ro "$(dirname "$1")"; }
immutable() { chattr +i "$1" 2>/dev/null || not_shown "chattr is refused here"; }
fixed_directory() { chattr +a "$(dirname "$1")" 2>/dev/null || not_shown "chattr is refused here"; }

MANUAL=umount
bars mounted json "mount point" over_itself
lags mountedto json "mount point" over_itself
MANUAL=
bars readonly json "Read-only" read_only
umount "$(dirname "$main")"
lags readonlyto json "Read-only" read_only
umount "$(dirname "$a")"
bars readonlydb sqlite "Read-only" read_only
umount "$(dirname "$main")"
bars immutable json "immutable" immutable
lags immutableto json "immutable" immutable
bars immutabledb sqlite "immutable" immutable
bars append json "append-only" fixed_directory

# A directory that Docker made is root's; a database that is only to be read. Seen by who is not root.
umask 022 # the configuration, too, is root's
if public_program; then
	for format in json sqlite; do
		for block in docker mode; do
			given "user$format$block" $format
			chown -R 4242:4242 "$HOME"
			case $format$block in
			*docker) chown 0:0 "$(dirname "$main")" && chmod 755 "$(dirname "$main")" ;;
			json*) chmod 500 "$(dirname "$main")" ;;
			sqlite*) chmod 400 "$main" ;;
			esac
			OAUTH_KEEPALIVE=$PUBLIC
			UNDER=(setpriv --reuid 4242 --regid 4242 --clear-groups)
			keeper preview -j
			expect_field "$(problem .severity)" error
			expect_field '.accounts[0].error.code' store_not_writable
			expect_status 3
			keeper refresh -j
			expect_posts 0
			if [ $block = docker ]; then remedy; else "${UNDER[@]}" sh -c "$(field "$(problem .fix)")"; fi
			keeper refresh -j
			expect_status 0
			expect_posts 1
			UNDER=()
		done
	done
fi
expect_no_secrets
