#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tools.sh fuzz|static|valgrind|plot: see to it that the tools of that gate are there. Where they are not, and apt-get may
# be used (root, or sudo without a password), it installs them and says so; else it names them and ends with 1.
set -u

has() { command -v "$1" >/dev/null || echo "$2"; }
# clang without its runtime library cannot link a sanitizer; on Debian it is a package of its own, named by version.
runtime() {
	version=$(clang -dumpversion 2>/dev/null | cut -d. -f1)
	probe=$(mktemp) || exit 1
	echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return d && n ? 0 : 0; }' |
		clang -fsanitize=fuzzer,address -x c -o "$probe" - 2>/dev/null || echo "libclang-rt-${version:-14}-dev"
	rm -f "$probe"
}

missing() {
	case $1 in
	fuzz)
		has clang clang
		runtime
		;;
	static)
		has scan-build clang-tools
		has clang-tidy clang-tidy
		has cppcheck cppcheck
		;;
	valgrind) has valgrind valgrind ;;
	plot) has gnuplot gnuplot-nox ;;
	esac
}

case ${1:-} in fuzz | static | valgrind | plot) ;; *) echo "usage: $0 fuzz|static|valgrind|plot" >&2 && exit 2 ;; esac
# shellcheck disable=SC2005,SC2046,SC2116 # one line of words
packages=$(echo $(missing "$1"))
[ -n "$packages" ] || exit 0
sudo=
[ "$(id -u)" = 0 ] || sudo="sudo -n"
if command -v apt-get >/dev/null; then
	echo "installing: $packages"
	# shellcheck disable=SC2086
	$sudo apt-get update -q >/dev/null && $sudo env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y -q --no-install-recommends $packages >/dev/null
	# shellcheck disable=SC2005,SC2046,SC2116
	packages=$(echo $(missing "$1"))
fi
[ -z "$packages" ] && exit 0
echo "make $1 needs what is not here, by Debian's names: $packages" >&2
exit 1
