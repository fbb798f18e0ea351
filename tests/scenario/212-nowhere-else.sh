#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# No test runs in the home of who runs it: without its library it does nothing at all.
. "$(dirname "$0")/lib.sh" || exit 1

mkdir "$T/own" "$T/empty"
cd "$T/empty" || exit 1
for test in "$TESTS"/{scenario,interop}/[0-9]*.sh "$TESTS"/demo.sh "$TESTS"/{scale/run,static/valgrind.sh,fuzz/torture-alloc.sh} "$TESTS"/bench/{budget,idle,mirror,plot,refresh}; do
	HOME=$T/own timeout 60 bash -s <"$test" >"$T/said" 2>&1 && fail "${test#"$TESTS/"} goes on" "$(head -n 3 "$T/said")"
done
expect_eq "what they left" "$(find "$T/own" "$T/empty" -mindepth 1)" ""
