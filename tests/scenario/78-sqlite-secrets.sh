#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What SQLite has read or written of a token is wiped, too: its page cache, its statements, what it freed. (Not looked at
# is the stack: the dynamic linker saves registers there when SQLite first calls something.)
. "$(dirname "$0")/sqlite.sh" || exit 1

command -v "${CC:-cc}" >/dev/null || skip "no C compiler"
nm -D "$OAUTH_KEEPALIVE" 2>/dev/null | grep -q __asan_init && skip "a program with AddressSanitizer takes no other malloc"
"${CC:-cc}" -shared -fPIC -O1 -Wl,-z,now -o "$T/preload.so" "$TESTS/fuzz/preload.c" || die "tests/fuzz/preload.c does not compile"
start_oidc
for command in "refresh -v" "status -j" "preview -j" "refresh --force"; do
	mint "m$ROUND" left=30m email=alice@example.com
	write_database "shared a" xai:default="m$ROUND"
	UNDER=(env LD_PRELOAD=./preload.so PRELOAD_DUMP="$T/memory" PRELOAD_NO_STACK=yes)
	# shellcheck disable=SC2086
	keeper $command
	UNDER=()
	expect_status 0
	# Would we see one? What is no secret is there.
	grep -qa "state/openclaw.sqlite" "$T/memory" || fail "$command: the dump holds nothing"
	expect_no_secrets "$T/memory"
	fresh
done
