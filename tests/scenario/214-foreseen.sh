#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A directory that this user cannot write is said by preview and status, and not only once a refresh fails: main's, the
# state directory, and that of the locks. What is shown mends it.
. "$(dirname "$0")/sqlite.sh" || exit 1
[ "$(id -u)" = 0 ] || skip "needs root, to become another user"

start_oidc
umask 022
public_program || skip "no other user can run it"
OAUTH_KEEPALIVE=$PUBLIC
n=0
# closed CODE MODE DIRECTORY [FORMAT]
closed() {
	n=$((n + 1))
	fresh
	mint "u$n" left=30m
	case ${4:-json} in
	json) write_store "main a" xai:default="u$n" ;;
	sqlite) write_database "main a" xai:default="u$n" ;;
	esac
	chmod -R go= "$HOME"
	(umask 077 && mkdir -p "$STATE/$3")
	chown -R 4242:4242 "$HOME"
	chmod "$2" "$STATE/$3"
	UNDER=(setpriv --reuid 4242 --regid 4242 --clear-groups)
	for command in preview status "refresh --wait 0"; do
		# shellcheck disable=SC2086
		keeper $command -j
		expect_status 3
		expect_eq "$3 ($2), ${4:-json}: what $command says" "$(field '[.problems[] | .code] | join(" ")')" "$1"
	done
	expect_posts 0
	fix=$(field '.problems[0].fix')
	"${UNDER[@]}" sh -c "$fix" || fail "$fix"
	keeper refresh -j
	expect_status 0
	expect_posts 1
	UNDER=()
}
closed store_not_writable 500 agents/main/agent
closed store_not_writable 300 agents/main/agent
closed store_not_writable 500 agents/main/agent sqlite
closed lock_directory 500 .
closed lock_directory 500 . sqlite
closed lock_directory 500 locks
closed lock_directory 500 locks/oauth-refresh

# Somebody else's: who may, is asked to give it.

fresh
mint eve left=30m
write_store "main a" xai:default=eve
chmod -R go= "$HOME"
chown -R 4242:4242 "$HOME"
chown 0:4242 "$STATE" && chmod 750 "$STATE"
UNDER=(setpriv --reuid 4242 --regid 4242 --clear-groups)
keeper preview -j
expect_status 3
fix=$(field '.problems[0].fix')
expect_eq "the fix" "$fix" "sudo chown 4242 $STATE"
sh -c "${fix#sudo }"
keeper refresh -j
expect_status 0
expect_posts 1
UNDER=()
expect_no_secrets
