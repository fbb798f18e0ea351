#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The hooks that are installed ready say what happened, to whom they are told to, by the programs that are there for that.
. "$(dirname "$0")/lib.sh" || exit 1

HOOKS=$T/hooks # others may be able to write in this checkout; as if installed
cp -R "$TESTS/../etc/hooks" "$HOOKS"
chmod -R go-w "$HOOKS"
fake alice left=5h email=alice@example.com
write_store main xai:default=alice
keeper refresh
mkdir "$T/bin"
for program in curl sendmail notify-send openclaw; do
	# shellcheck disable=SC2016 # its own
	printf '#!/bin/sh\n{ printf "<%%s>" "${0##*/}" "$@"; echo; [ -t 0 ] || cat; } >>%s\n' "$T/said" >"$T/bin/$program"
	chmod 755 "$T/bin/$program"
done
PATH=$T/bin:$PATH

# says HOOK EVENT REGEX…
says() {
	CONFIG="hooks = { $2 = \"$HOOKS/$1\"; };"
	rm -f "$T/said"
	keeper hook-test "$2"
	expect_status 0
	for regex in "${@:3}"; do expect_match "$T/said" "$regex"; done
}
says "ntfy https://ntfy.example/topic" needs_login '^<curl>.*<Title: Test: xai:default \(alice@example.com\) needs a new login on .*>.*<Priority: high>.*<https://ntfy.example/topic>' \
	'^Its access token expires at 20' '^Log in with: openclaw '
says "ntfy https://ntfy.example/topic" refreshed '<Priority: low>' 'was refreshed on'
says "mail you@example.com" failed '^<sendmail><-i><-t>' '^To: you@example.com$' '^Subject: Test: xai:default .* is in trouble: test on ' '^More: oauth-keepalive status$'
says desktop recovered '^<notify-send><--app-name><oauth-keepalive><--urgency><low><Test: xai:default \(alice@example.com\) is well again on '
says gateway-notice refreshed '^<openclaw><gateway><call><models.authRefresh><--params><\{"operation":"update"\}><--json>'

# What is wrong with a hook's own tool is the hook's failure.
printf '#!/bin/sh\nexit 22\n' >"$T/bin/curl"
CONFIG="hooks = { failed = \"$HOOKS/ntfy https://ntfy.example/topic\"; };"
keeper hook-test failed
expect_status 1
expect_match "$out" 'ended with status 22'
expect_no_secrets "$T/said"
