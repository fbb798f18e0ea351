#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh SECONDS TARGET…: run each fuzz target that long, from its corpus in the tree, and keep the inputs it finds
# beside the binary (they are the next run's seeds, not the tree's). Ends with 1 at the first crash; the input that
# caused it is then beside the binary too, and `TARGET FILE` shows it again.
set -u
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:?usage: run.sh SECONDS TARGET…}
shift
[ $# -gt 0 ] || { echo "$0: no such target" >&2 && exit 2; }
export ASAN_OPTIONS="abort_on_error=0:detect_leaks=1:allocator_may_return_null=1${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
export LSAN_OPTIONS="suppressions=$here/lsan.supp:print_suppressions=0"
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
failed=0

for target; do
	name=$(basename "$target")
	name=${name#fuzz_}
	found=$target.found
	mkdir -p "$found"
	more=
	[ "$name" = config ] && more=-detect_leaks=0 # not after each input but at the end: libconfig's own are slow to judge
	# shellcheck disable=SC2086
	"$target" $more -max_total_time="$seconds" -max_len=16384 -timeout=25 -rss_limit_mb=2048 -print_final_stats=1 -dict="$here/json.dict" \
		-artifact_prefix="$target." "$found" "$here/corpus/$name" >"$target.log" 2>&1 &
	wait $!
	code=$?
	rm -rf "/dev/shm/oauth-keepalive-fuzz.$!" "/tmp/oauth-keepalive-fuzz.$!"
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$target.log")
	if [ $code -eq 0 ] && [ "${runs:-0}" -gt 0 ]; then
		echo "ok $name: $runs inputs"
	else
		echo "not ok $name: status $code"
		tail -n 60 "$target.log" | sed 's/^/    /'
		failed=1
	fi
done
exit $failed
