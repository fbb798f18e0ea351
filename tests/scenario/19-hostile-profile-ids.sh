#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Whatever a profile id says, it makes no path, no command and no terminal sequence, and is served all the same.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
for i in {0..9}; do mint "h$i" left=30m; done
"$PYTHON" - "$T/logins" "$T/store.json" <<'END'
import json, sys
logins, path = sys.argv[1:]
ids = ["..", "../../../../tmp/x", "/etc/passwd", "xai:a\nb", "xai:\x1b[2J\x07", "xai:$(touch pwned);`touch pwned`",
       "xai:%s%n'\"\\", "xai:\u202e\u2028ünï", "", "xai:" + "x" * 10240]
profiles = {name: json.load(open(f"{logins}/h{i}.json")) for i, name in enumerate(ids)}
open(path, "w").write(json.dumps({"version": 1, "profiles": profiles}, indent=2, ensure_ascii=False) + "\n")
END
mkdir -p "$(dirname "$(store main)")"
cp "$T/store.json" "$(store main)"
every_file >"$T/files"

TRACE=%file traced refresh -j
expect_status 0 3
# A provider's or a name's length may be too much; a character may not.
for i in {0..7}; do
	id=$(jq -c ".profiles | keys_unsorted[$i]" "$T/store.json")
	expect_eq "outcome of profile $id" "$(field ".accounts[] | select(.identity.email == \"h$i@example.com\") | .outcome")" refreshed
	expect_eq "store's token of profile $id" \
		"$(fingerprint_of ".profiles[$id].refresh" "$(store main)")" "$(server_token "h$i")"
done
expect_field '.accounts | map(.outcome) | unique | inside(["refreshed", "skipped", "failed"])' true
expect_eq "files" "$(every_file)" "$(cat "$T/files")"
if strace_sees_paths; then
	grep -oE '"[^"]*/locks/[^"]*"' "$T/trace" | sort -u >"$T/names"
	[ "$(grep -cE '/sha256-[0-9a-f]{64}\.lock"$' "$T/names")" -ge 8 ] || fail "the trace has no names of locks"
	grep -vE '/locks/(oauth-keepalive|[.0-9a-z-]*|oauth-refresh(/((sha256-[0-9a-f]{64}|lock-[0-9a-f]{32})\.lock[^/]*|[.0-9a-z-]*))?)"$' \
		"$T/names" >"$T/strange"
	expect_eq "strange names under locks/" "$(cat "$T/strange")" ""
else
	not_shown "that no profile id is part of a lock's name: strace sees no paths here"
fi
for command in status preview doctor "refresh -v"; do
	# shellcheck disable=SC2086
	keeper $command
	LC_ALL=C grep -qP '[\x00-\x08\x0b-\x1f\x7f]' "$out" "$err" && fail "$command prints control characters"
done
[ -e pwned ] && fail "a profile id was run as a command"
[ "$(find "$T" -name 'pwned*' | wc -l)" = 0 ] || fail "a profile id was run as a command"
