#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What was rotated away is neither adopted nor sent, however old, also when lists and marks have forgotten it; and who logs
# in is taken. (`make years` takes whole years for it.)
. "$(dirname "$0")/lib.sh" || exit 1

"${CC:-cc}" -shared -fPIC -o "$T/clock.so" "$TESTS/scenario/clock.c" -ldl 2>"$T/clock.log" || skip "no compiler for the clock"
for world in "360 min, jwt, json" "15 min, opaque, sqlite"; do
	"$PYTHON" "$TESTS/years/years.py" --short --only "$world" "$OAUTH_KEEPALIVE" "$T/clock.so" || fail "$world"
done
