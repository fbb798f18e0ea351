#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A user with a group of his own and a umask of 002 is served; where others share the group, what they could turn is
# refused, with the command that closes it.
. "$(dirname "$0")/lib.sh" || exit 1

group=$(getent group "$(id -g)")
[ "${group%%:*}" = "$(id -un)" ] && [[ ${group##*:} =~ ^($(id -un))?$ ]] || skip "this user has no group of his own"

# All as a umask of 002 leaves it: store, state directory, lock directory, configuration, certificate.
start_oidc
mint alice left=30m
write_store "main a" xai:default=alice
mkdir -p "$STATE/locks/oauth-refresh" "$T/settings/more"
cp "${CA_FILE:-/etc/hosts}" "$T/settings/more/ca.pem"
CONFIG_FILE=$T/settings/keeper.conf
CONFIG="http = { ca_file = \"$T/settings/more/ca.pem\"; };"
write_config
chmod -R g=rwX,o=rX "$T/settings" "$HOME"
as_left() { # keeper, without rewriting the configuration
	RUN=$((RUN + 1)) out=$T/runs/$RUN.out err=$T/runs/$RUN.err
	"$OAUTH_KEEPALIVE" --config "$CONFIG_FILE" --ledger-dir "$LEDGER" "$@" >"$out" 2>"$err"
	status=$?
}
as_left refresh
expect_status 0
expect_posts 1
expect_generation alice main a

chgrp -R 4242 "$STATE/agents/a" 2>/dev/null || skip "only root can give files to another group; the rest held"

# Each of them, open to a group that others may be in: said, with what closes it; and closed, it is served again.
mint bob left=30m
write_store "main a" xai:default=bob
shared() { # PATH STATUS: it, and nothing else
	chgrp 4242 "$1"
	chmod g+w "$1"
	as_left refresh
	expect_status "$2"
	expect_posts 0
	expect_match <(cat "$out" "$err") "chmod go-w $1"
	chmod go-w "$1"
}
chgrp -R 0 "$STATE/agents/a"
reset_posts
for path in "$T/settings" "$CONFIG_FILE" "$T/settings/more" "$T/settings/more/ca.pem"; do
	shared "$path" 2
done
for path in "$STATE" "$STATE/agents" "$STATE/locks/oauth-refresh"; do
	shared "$path" 3
done
as_left refresh
expect_status 0
expect_posts 1
expect_generation bob main a
