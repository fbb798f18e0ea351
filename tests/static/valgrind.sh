#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# valgrind.sh TEST…: the unit tests given (LIMIT seconds of each), and one preview, refresh and status of the real
# program, under valgrind: no error, no leak of what nothing points to any more.
# shellcheck disable=SC2034 # keeper uses UNDER
# shellcheck source=tests/scenario/lib.sh
. "$(dirname "$0")/../scenario/lib.sh" || exit 1

VALGRIND=(valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite
	--suppressions="$TESTS/static/valgrind.supp" --child-silent-after-fork=yes)

# No exit status for errors: a child that a test forks would end with it. What valgrind says is looked for instead.
# Tests of time, of races and of the courier's own process say nothing about memory and mind being twenty times slower.
# They, and what did not come to its end, are not called clean.
not_shown=
for test; do
	name=$(basename "$test")
	case $name in test_courier | test_lock_race)
		echo "# valgrind $name: not run, it minds being slow"
		not_shown+=" $name"
		continue
		;;
	esac
	(cd "$TESTS/.." && timeout "${LIMIT:-180}" "${VALGRIND[@]}" "$test") >"$T/$name.log" 2>&1
	code=$?
	bad='Invalid|uninitialised|Source and destination'
	grep -q '  FAILED  ' "$T/$name.log" || bad+='|definitely lost' # one that failed, by its own timing, frees nothing
	if grep -qE "^==.*($bad)" "$T/$name.log"; then
		fail "$name under valgrind" "$(grep -A 12 '^==' "$T/$name.log" | head -n 40)"
	elif [ $code -eq 124 ]; then
		echo "# valgrind $name: no error in ${LIMIT:-180} s, and not at its end"
		not_shown+=" $name"
	elif [ $code -ne 0 ]; then
		fail "$name under valgrind: status $code" "$(grep -E 'FAILED|ERROR|LINE' "$T/$name.log" | head -n 20)"
	else
		echo "ok valgrind $name"
	fi
done

start_oidc ""
mint alice left=30m jwt=yes
write_store "main a" xai:default=alice
for command in preview refresh status; do
	UNDER=("${VALGRIND[@]}" "--log-file=$T/$command.valgrind")
	keeper $command
	UNDER=()
	expect_status 0
	expect_eq "valgrind of $command" "$(head -n 40 "$T/$command.valgrind")" ""
done
expect_generation alice main a
expect_posts 1
[ "$FAILED" -eq 0 ] && echo "ok valgrind preview, refresh, status"
[ -z "$not_shown" ] || echo "# not shown to be clean:$not_shown"
