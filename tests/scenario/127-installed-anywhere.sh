#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Wherever it is installed, or moved to, the program finds its own courier and no other; what is missing is said by name.
. "$(dirname "$0")/lib.sh" || exit 1

TOP=$TESTS/..
mkdir "$T/source"
cp -a "$TOP"/{Makefile,src,man,etc,docs,systemd,README.md,CHANGELOG.md,LICENSE} "$T/source"
mkdir "$T/source/tests"
cp -a "$TOP/tests/install-packages.sh" "$T/source/tests"
cp -a "$(dirname "$OAUTH_KEEPALIVE")" "$T/source/build"
make_() { make -s -C "$T/source" BUILD=build "$@" >"$T/make.log" 2>&1 || fail "make $*" "$(tail -n 5 "$T/make.log")"; }
courier_of() { "$1" --version -v | sed -n '$s|.*, ||p'; }
files_of() { (cd "$1" && find . ! -type d -printf '%P\n' | sort); }

# `make`, and only at the end where it goes to; under another root, and moved from there.
make_
make_ install PREFIX=/usr DESTDIR="$T/dest"
expect_eq "its courier, under DESTDIR" "$(courier_of "$T/dest/usr/bin/oauth-keepalive")" \
	"$T/dest/usr/libexec/oauth-keepalive/oauth-keepalive-courier"
expect_match "$T/dest/usr/lib/systemd/user/oauth-keepalive.service" '^ExecStart=/usr/bin/oauth-keepalive refresh'
mv "$T/dest" "$T/moved away"
ln -s "$T/moved away/usr/bin/oauth-keepalive" "$T/link"
OAUTH_KEEPALIVE=$T/link
start_oidc
mint alice left=30m
write_store "main a" xai:default=alice
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice main a

# Without its courier, or with one of another release, a person hears of it before a token is due; and nothing is sent.
libexec="$T/moved away/usr/libexec/oauth-keepalive"
mv "$libexec/oauth-keepalive-courier" "$T/courier"
keeper preview -j
expect_status 3
expect_field '.problems[] | select(.code == "courier_missing") | .message | test("looked for .*/moved away/usr/libexec/")' true
due
keeper refresh
expect_status 3
expect_match "$out" 'held +oauth-keepalive-courier is missing'
expect_no_match "$out" 'log in'
"$OAUTH_KEEPALIVE" --version >"$T/version"
version=$(awk '{ print $2 }' "$T/version")
sed "s/${version//./\\.}/9.9.9/g" "$T/courier" >"$libexec/oauth-keepalive-courier"
chmod 755 "$libexec/oauth-keepalive-courier"
cmp -s "$T/courier" "$libexec/oauth-keepalive-courier" && fail "the courier does not know its version"
keeper refresh
expect_status 3
expect_match "$out" "held .*is of another version than this program \($version\); install both from one build"
expect_posts 1
mv "$T/courier" "$libexec/oauth-keepalive-courier"
keeper refresh
expect_status 0
expect_posts 2
make_ uninstall PREFIX=/usr DESTDIR="$T/moved away"
expect_eq "left by make uninstall" "$(files_of "$T/moved away")" ""

# Elsewhere than is usual, as distributions have it.
make_ install PREFIX=/usr LIBEXECDIR=/usr/lib/oauth-keepalive BINDIR=/usr/lib/bin/keep DESTDIR="$T/odd"
expect_eq "its courier" "$(courier_of "$T/odd/usr/lib/bin/keep/oauth-keepalive")" \
	"$T/odd/usr/lib/oauth-keepalive/oauth-keepalive-courier"
expect_match "$T/odd/usr/lib/systemd/user/oauth-keepalive.service" '^ExecStart=/usr/lib/bin/keep/oauth-keepalive refresh'
make_ uninstall PREFIX=/usr LIBEXECDIR=/usr/lib/oauth-keepalive BINDIR=/usr/lib/bin/keep DESTDIR="$T/odd"
expect_eq "left by make uninstall" "$(files_of "$T/odd")" ""

# A prefix with spaces, where systemd does not look.
make_ install PREFIX="$T/a 100% prefix"
expect_match "$T/make.log" "^look before it acts:  '$T/a 100% prefix/bin/oauth-keepalive' preview"
expect_match "$T/make.log" "systemctl --user link '$T/a 100% prefix/lib/systemd/user/oauth-keepalive.service' "
expect_eq "its courier" "$(courier_of "$T/a 100% prefix/bin/oauth-keepalive")" \
	"$T/a 100% prefix/libexec/oauth-keepalive/oauth-keepalive-courier"
if command -v systemd-analyze >/dev/null; then
	XDG_RUNTIME_DIR=$T systemd-analyze verify --user --man=no \
		"$T/a 100% prefix/lib/systemd/user/oauth-keepalive.service" >"$T/runs/verify" 2>&1
	expect_no_match "$T/runs/verify" oauth-keepalive
fi
make_ uninstall PREFIX="$T/a 100% prefix"
expect_eq "left by make uninstall" "$(files_of "$T/a 100% prefix")" ""

# One user's own: the units his manager looks for, where it looks; none for the system's. dash leaves the tilde to us.
# shellcheck disable=SC2088 # as dash hands it on
for prefix in "$HOME/.local" '~/.local'; do
	make_ install PREFIX="$prefix"
	expect_eq "units in $prefix" "$(files_of "$HOME/.local" | grep -E '^(share|lib)/systemd/')" \
		"$(ls "$TOP/systemd/user" | sort | sed 's|^|share/systemd/user/|')"
	expect_match "$HOME/.local/share/systemd/user/oauth-keepalive.service" "^ExecStart=$HOME/.local/bin/oauth-keepalive refresh"
	expect_no_match "$T/make.log" 'systemctl --user link'
	expect_eq "its courier" "$(courier_of "$HOME/.local/bin/oauth-keepalive")" \
		"$HOME/.local/libexec/oauth-keepalive/oauth-keepalive-courier"
	make_ uninstall PREFIX="$prefix"
	expect_eq "left in $prefix" "$(files_of "$HOME/.local")" ""
done
if command -v systemd-analyze >/dev/null; then
	systemd-analyze --user unit-paths >"$T/runs/paths" 2>/dev/null &&
		expect_match "$T/runs/paths" "^$HOME/.local/share/systemd/user\$"
fi
make -s -C "$T/source" BUILD=build PREFIX=relative install >"$T/make.log" 2>&1 && fail "a relative prefix was taken"
expect_match "$T/make.log" 'absolute path'

# A library that is not there is named by its package; nothing is installed unasked.
mkdir "$T/bin"
printf '#!/bin/sh\ntouch "%s"\n' "$T/apt-was-run" | tee "$T/bin/apt-get" "$T/bin/sudo" >/dev/null
chmod 755 "$T"/bin/*
PKG_CONFIG_LIBDIR=/nonexistent PATH="$T/bin:$PATH" make -s -C "$T/source" BUILD=build >"$T/make.log" 2>&1 &&
	fail "make without libraries ended well"
for package in libcurl4-openssl-dev libcjson-dev libconfig-dev libsodium-dev libsqlite3-dev libseccomp-dev; do
	expect_match "$T/make.log" "$package"
done
[ ! -e "$T/apt-was-run" ] || fail "make installed packages"
