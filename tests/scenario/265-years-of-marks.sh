#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a ledger remembers of spent tokens costs an idle look nothing, however much it is, and no block on the disk; and a
# ledger that an older version left is understood, and brought up to date.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=30m
write_store "main a" xai:default=alice
cp "$T/logins/alice.json" "$T/logins/spent.json"
keeper refresh
expect_status 0
[ "$(find "$LEDGER/receipts" -mindepth 1)" = "" ] || fail "a settled receipt is left among the open ones"
expect_eq "the mark" "$(find "$LEDGER/settled" -mindepth 2 -printf '%y %m %s %b\n')" "f 600 0 0"

calls() {
	strace -f -qq -c -o "$T/count" "${COMMAND[@]}" >/dev/null 2>&1
	awk '$NF == "total" { print $4 }' "$T/count" # % time, seconds, usecs/call, calls
}
strace -qq -e trace=execve -o /dev/null true 2>/dev/null || skip "strace may not trace here"
keeper_command refresh -q
few=$(calls)
"$PYTHON" - "$LEDGER/settled" 20000 <<'END'
import hashlib, os, sys
top, n = sys.argv[1], int(sys.argv[2])
for i in range(n):
    name = hashlib.sha256(b"FAKE-REFRESH-%d" % i).hexdigest()
    os.makedirs(f"{top}/{name[:2]}", exist_ok=True)
    os.mknod(f"{top}/{name[:2]}/{name}", 0o600)
END
expect_eq "system calls of an idle run beside 20000 marks" "$(calls)" "$few"
[ "$few" -gt 50 ] || fail "strace counted $few calls"

# Version 1 had the marks beside the receipts. An agent comes back with the token that was spent.
fresh
mint bob left=30m
write_store "main a" xai:default=bob
cp "$T/logins/bob.json" "$T/logins/spent.json"
keeper refresh
mark=$(find "$LEDGER/settled" -mindepth 2)
echo 'settled {"why":"superseded"}' >"$LEDGER/receipts/$(basename "$mark").settled"
rm -r "$LEDGER/settled"
jq '.version = 1' "$LEDGER/ledger.json" >"$T/x" && cat "$T/x" >"$LEDGER/ledger.json"
change_records '.superseded = []'
write_store a xai:default=spent
keeper preview -j
expect_field '.accounts[0].decision' mirror
expect_eq "the ledger after a preview" "$(jq .version "$LEDGER/ledger.json")" 1
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation bob main a
expect_eq "the ledger's version" "$(jq .version "$LEDGER/ledger.json")" 2
expect_eq "old marks" "$(find "$LEDGER/receipts" -name '*.settled')" ""
[ -e "$mark" ] || fail "the mark was not moved"
write_store a xai:default=spent
change_records '.superseded = []'
keeper refresh -j
expect_generation bob main a
expect_posts 1
