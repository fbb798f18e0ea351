#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a killed run left of the metrics is replaced, also if the clock was put back since; a link that stands there leads
# nowhere; and a run that is at work on them is left alone.
. "$(dirname "$0")/lib.sh" || exit 1

mkdir "$T/metrics"
file=$T/metrics/k.prom
CONFIG="metrics_file = \"$file\";"
fake alice left=5h
write_store main xai:default=alice
keeper refresh
expect_status 0
for left in 'now + 1 day' 'now - 1 hour'; do
	rm "$file"
	touch -d "$left" "$file.tmp"
	keeper refresh
	expect_status 0
	expect_match "$file" '^oauth_keepalive_build_info'
	[ -e "$file.tmp" ] && fail "$left: its draft is left"
done
echo mine >"$T/mine"
ln -s "$T/mine" "$file.tmp"
touch -h -d 'now - 1 hour' "$file.tmp"
keeper refresh
expect_status 0
expect_eq "where the link led" "$(cat "$T/mine")" mine
expect_eq "the file" "$(stat -c %F "$file")" "regular file"
: >"$file.tmp"
before=$(sum "$file")
keeper refresh
expect_untouched "$file" "$before"
