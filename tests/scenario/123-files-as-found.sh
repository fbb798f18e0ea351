#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Files as they are found: a byte order mark, hard links, modes for everybody, file systems that keep no modes or are
# another machine's. Each has its own message, and a remedy that works as it is shown.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
given() {
	fresh
	mint "$1" left=30m
	write_store "main a" xai:default="$1"
}
problem() { field ".problems[] | select(.code == \"$1\") | $2"; }
remedy() { sh -c "$(problem "$1" .fix | sed 's/ #.*//')"; }

# A byte order mark: OpenClaw reads such a store as none.
given bom
before=$(sum "$(store main)")
sed -i '1s/^/\xEF\xBB\xBF/' "$(store main)"
keeper refresh -j
expect_status 3
expect_posts 0
expect_eq message "$(problem store_unreadable .message | grep -c 'byte order mark')" 1
remedy store_unreadable
expect_untouched "$(store main)" "$before"
keeper refresh -j
expect_status 0
expect_generation bom main a

# Several of them, and UTF-16, which is what PowerShell writes by itself.
given marks
before=$(sum "$(store main)")
sed -i '1s/^/\xEF\xBB\xBF\xEF\xBB\xBF/' "$(store main)"
keeper sync -j
remedy store_unreadable
expect_untouched "$(store main)" "$before"
for encoding in UTF-16LE UTF-16BE; do
	given "wide$encoding"
	before=$(sum "$(store main)")
	{ printf '\357\273\277' && cat "$(store main)"; } | iconv -f UTF-8 -t $encoding >"$T/wide"
	cat "$T/wide" >"$(store main)"
	chmod 640 "$(store main)"
	keeper refresh -j
	expect_status 3
	expect_posts 0
	expect_eq message "$(problem store_unreadable .message | grep -c 'UTF-16 text')" 1
	(umask 022 && remedy store_unreadable)
	expect_untouched "$(store main)" "$before"
	expect_eq "beside it" "$(ls -A "$(dirname "$(store main)")")" auth-profiles.json
	expect_eq mode "$(stat -c %a "$(store main)")" 640
	keeper refresh -j
	expect_status 0
	expect_generation "wide$encoding" main a
done

# Readable by everybody: kept so, and said, where they can come to it.
given open
chmod 644 "$(store main)"
keeper refresh -j
expect_status 0
expect_eq "what nobody can reach" "$(problem store_readable .code)" ""
chmod 755 "$T" "$HOME" "$STATE" "$STATE/agents" "$STATE/agents/main" "$STATE/agents/main/agent"
keeper status -j
expect_status 0
expect_eq severity "$(problem store_readable .severity)" warning
remedy store_readable
expect_eq mode "$(stat -c %a "$(store main)")" 600
keeper status -j
expect_eq "once it is closed" "$(problem store_readable .code)" ""
chmod 700 "$T"

# A hard link: a write makes two files of it, and what nobody looks at keeps the old tokens.
given linked
ln "$(store main)" "$HOME/another.json"
keeper preview -j
expect_eq severity "$(problem store_hard_link .severity)" warning
ln -s "$HOME" "$T/home"
HOME=$T/home sh -c "$(problem store_hard_link .fix)"
expect_eq "its other name" "$(readlink "$HOME/another.json")" "$(store main)"
keeper refresh -j
expect_status 0
expect_eq "problems" "$(problem store_hard_link .code)" ""
expect_eq "the other name" "$(store_token "$HOME/another.json")" "$(store_token main)"

# File systems that are told by their magic: here the system call says so.
cat >"$T/fs.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
static int say(const char *path, struct statfs *fs, int (*real)(const char *, struct statfs *))
{
	int r = real(path, fs);
	if (r == 0 && strncmp(path, getenv("FS_BELOW"), strlen(getenv("FS_BELOW"))) == 0)
		fs->f_type = strtoul(getenv("FS_MAGIC"), 0, 0);
	return r;
}
int statfs(const char *path, struct statfs *fs) { return say(path, fs, (int (*)(const char *, struct statfs *))dlsym(RTLD_NEXT, "statfs")); }
int statfs64(const char *path, struct statfs64 *fs) { return say(path, (struct statfs *)fs, (int (*)(const char *, struct statfs *))dlsym(RTLD_NEXT, "statfs64")); }
END
if ! cc -shared -fPIC -o "$T/fs.so" "$T/fs.c" -ldl 2>/dev/null; then
	not_shown "file systems that are told by their magic: no compiler here"
else
	as_on() { UNDER=(env "LD_PRELOAD=$T/fs.so" FS_MAGIC="$1" FS_BELOW="$2"); }
	for magic in 0x6969:NFS 0xff534d42:CIFS 0x01021997:9p; do
		given "ledger${magic#*:}"
		as_on "${magic%:*}" "$LEDGER"
		keeper refresh -j
		expect_status 3
		expect_eq "$magic" "$(problem ledger_filesystem .severity)" error
		expect_eq "$magic" "$(problem ledger_filesystem .message | grep -c "${magic#*:}")" 1
		# The remedy: another place.
		mv "$LEDGER" "$HOME/local"
		LEDGER=$HOME/local
		rm "$STATE/locks/oauth-keepalive"
		keeper refresh -j
		expect_status 0
		UNDER=()
	done
	given modeless
	chmod 777 "$STATE/agents/main/agent"
	as_on 0x01021997 "$STATE"
	keeper refresh -j
	expect_status 3
	expect_posts 0
	expect_eq "what keeps no modes" "$(problem store_unsafe .message | grep -c 'keeps no modes')" 1
	expect_eq "its remedy" "$(problem store_unsafe .fix | grep -c 'metadata')" 1
	UNDER=()
	keeper refresh -j
	expect_eq "elsewhere" "$(problem store_unsafe .fix | grep -c 'chmod go-w')" 1
fi
expect_no_secrets
