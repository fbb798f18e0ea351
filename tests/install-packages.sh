#!/bin/sh
# SPDX-License-Identifier: MIT
#
# install-packages.sh build|test|cluster|check: what building, or building and testing, needs on Debian 12 and its like;
# `cluster`: etcd, too. Not for the tests, since Debian's package starts a server: without it those of several hosts skip.
# `check` only says what building lacks, and installs nothing.
# Does nothing and says nothing if all is there, wherever it came from: what counts is a command, a pkg-config
# module, a Python module, not a package's name. Else apt-get installs it (by sudo, where you are not root and sudo
# exists); else it lists what is missing and ends with 1.
set -u
here=$(cd "$(dirname "$0")" && pwd)
case ${1:-} in build | test | cluster | check) ;; *) echo "usage: $0 build|test|cluster|check" >&2 && exit 2 ;; esac

command_for() { command -v "$1" >/dev/null || echo "$2"; }
module_for() { pkg-config --exists "$1" 2>/dev/null || echo "$2"; }
python_for() { { /usr/bin/python3 -c "import $1" || python3 -c "import $1"; } 2>/dev/null || echo "$2"; }

missing() {
	command_for make make
	command_for pkg-config pkg-config
	echo '#include <stdio.h>' | "${CC:-cc}" -E - >/dev/null 2>&1 || echo "gcc libc6-dev"
	module_for libcurl libcurl4-openssl-dev
	module_for libcjson libcjson-dev
	module_for libconfig libconfig-dev
	module_for libsodium libsodium-dev
	module_for sqlite3 libsqlite3-dev
	module_for libseccomp libseccomp-dev
	[ -d /etc/ssl/certs ] && [ -n "$(ls /etc/ssl/certs)" ] || echo ca-certificates
	case $1 in test | cluster) ;; *) return ;; esac
	module_for cmocka libcmocka-dev
	for tool in npm strace jq curl sqlite3 openssl python3; do
		command_for $tool $tool
	done
	command -v node >/dev/null || command_for nodejs nodejs
	python_for jsonschema python3-jsonschema
	[ "$1" = cluster ] || return
	command_for etcd etcd-server
	command_for etcdctl etcd-client
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif [ -t 0 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

apt_install() {
	command -v apt-get >/dev/null || return
	[ "$(id -u)" = 0 ] || command -v sudo >/dev/null || return
	echo "installing: $*"
	# One after the other, if two clones do this at once; and a mirror may be out of reach for a moment.
	# shellcheck disable=SC2016
	as_root flock /var/lock/oauth-keepalive-tests sh -c '
		export DEBIAN_FRONTEND=noninteractive
		options="-q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=600"
		apt-get $options update >/dev/null
		apt-get $options install -y --no-install-recommends "$@" >/dev/null' - "$@"
}

# shellcheck disable=SC2005,SC2046,SC2116 # one line of words
packages=$(echo $(missing "$1"))
if [ -n "$packages" ]; then
	# shellcheck disable=SC2086
	[ "$1" = check ] || apt_install $packages
	# shellcheck disable=SC2005,SC2046,SC2116
	packages=$(echo $(missing "$1"))
	if [ -n "$packages" ]; then
		echo "missing, by the names of the Debian packages that provide it:" >&2
		# shellcheck disable=SC2086
		printf '  %s\n' $packages >&2
		echo "install it and run this again (on Debian: apt-get install $packages)" >&2
		exit 1
	fi
fi
case $1 in test | cluster) ;; *) exit 0 ;; esac

# The strict OAuth server. Its packages bring a Node.js of their own only where the system's is too old for it.
cd "$here/server" || exit 1
own_node() { ./node --check || ls node_modules/node-linux-*/bin/node >/dev/null 2>&1; }
# shellcheck disable=SC3013 # dash has -nt
[ node_modules/.package-lock.json -nt package-lock.json ] && own_node && exit 0
omit=
./node --check && omit=--omit=optional
echo "installing: the packages of tests/server (npm ci)"
npm ci --no-audit --no-fund --loglevel=error $omit >npm.log 2>&1 && own_node && rm -f npm.log && exit 0
cat npm.log >&2
rm -f npm.log
echo "npm ci in $here/server failed: it needs the npm registry once" >&2
exit 1
