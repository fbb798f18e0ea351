#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A write keeps a store's ACL and other extended attributes, and a directory's default ACL opens nothing to anybody; a
# store whose group could not be kept is said, by preview too, and nothing is spent.
. "$(dirname "$0")/lib.sh" || exit 1

# attributes FILE: the mode, and what extended attributes there are. set_attributes FILE, open_to_eve DIRECTORY.
cat >"$T/acl.py" <<'EOF'
import os, struct, sys
def acl(*entries):  # linux/posix_acl_xattr.h
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, bits, who) for tag, bits, who in entries)
NOBODY, EVE = 0xffffffff, 4711
what, path = sys.argv[1:]
if what == "show":
    print(oct(os.stat(path).st_mode), *(f"{name}={os.getxattr(path, name).hex()}" for name in sorted(os.listxattr(path))))
elif what == "set":  # eve may read; the owning group may not
    os.setxattr(path, "system.posix_acl_access",
                acl((1, 6, NOBODY), (2, 4, EVE), (4, 0, NOBODY), (16, 4, NOBODY), (32, 0, NOBODY)))
    os.setxattr(path, "user.comment", b"of the gateway")
elif what == "default":
    os.setxattr(path, "system.posix_acl_default",
                acl((1, 7, NOBODY), (2, 7, EVE), (4, 5, NOBODY), (16, 7, NOBODY), (32, 0, NOBODY)))
EOF
acl() { "$PYTHON" "$T/acl.py" "$@"; }
touch "$T/probe"
acl set "$T/probe" 2>/dev/null || skip "no ACLs on this file system"

start_oidc
mint alice left=30m
write_store "main a b" xai:default=alice
for directory in "$STATE"/agents/*/agent; do acl default "$directory"; done
mkdir -p "$LEDGER"
acl default "$LEDGER"
acl set "$(store main)"
chmod 640 "$(store a)"
for agent in main a b; do acl show "$(store $agent)"; done >"$T/before"
keeper refresh -j
expect_status 0
expect_generation alice main a b
for agent in main a b; do acl show "$(store $agent)"; done >"$T/after"
expect_eq "modes, ACLs and attributes" "$(cat "$T/after")" "$(cat "$T/before")"
expect_eq "files of the ledger that the default ACL opens" "$(find "$LEDGER" -type f -perm /077)" ""

[ "$(id -u)" = 0 ] && setpriv --reuid 4711 --regid 4711 --clear-groups true 2>/dev/null || exit "$FAILED"
fresh
mint bob left=30m
write_store "main a" xai:default=bob
install -D "$OAUTH_KEEPALIVE" "$OAUTH_KEEPALIVE-courier" -t "$T/bin"
cat >"$T/bin/as-eve" <<EOF
#!/bin/sh
chown 4711 "$T/keeper.conf"
exec setpriv --reuid 4711 --regid 4711 --clear-groups "$T/bin/oauth-keepalive" "\$@"
EOF
chmod 755 "$T/bin/as-eve"
OAUTH_KEEPALIVE=$T/bin/as-eve
chown -R 4711:4711 "$T"
chown 4711:1234 "$(store main)"
keeper preview -j
expect_status 3
expect_field '.problems[0] | "\(.code) \(.fix | split(" ")[:2] | join(" "))"' "store_group chgrp 4711"
expect_field '.accounts[0].action != "refresh"' true
keeper refresh -j
expect_status 3
expect_posts 0
chgrp 4711 "$(store main)"
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation bob main a
