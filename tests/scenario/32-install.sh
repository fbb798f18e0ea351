#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make install` puts down these files and no others, they work from there, and the manual knows every code.
. "$(dirname "$0")/lib.sh" || exit 1

TOP=$TESTS/..
BUILD=$(realpath --relative-to="$TOP" "$(dirname "$OAUTH_KEEPALIVE")") # make knows no names with spaces
make_() { make -s -C "$TOP" -o all BUILD="$BUILD" PREFIX="$T/prefix" "$@" || die "make $*"; }
make_ DESTDIR="$T/dest" install
installed() { (cd "$T/dest$T/prefix" && find . ! -type d -printf '%m %P\n' | sort -k 2); }
expect_eq "the files installed" "$(installed)" "$(
	cat <<-END
		755 bin/oauth-keepalive
		644 lib/systemd/system/oauth-keepalive-alert@.service
		644 lib/systemd/system/oauth-keepalive-state@.path
		644 lib/systemd/system/oauth-keepalive-watch@.service
		644 lib/systemd/system/oauth-keepalive@.path
		644 lib/systemd/system/oauth-keepalive@.service
		644 lib/systemd/system/oauth-keepalive@.timer
		644 lib/systemd/user/oauth-keepalive-alert@.service
		644 lib/systemd/user/oauth-keepalive-state.path
		644 lib/systemd/user/oauth-keepalive-watch.service
		644 lib/systemd/user/oauth-keepalive.path
		644 lib/systemd/user/oauth-keepalive.service
		644 lib/systemd/user/oauth-keepalive.timer
		755 libexec/oauth-keepalive/oauth-keepalive-courier
		644 share/bash-completion/completions/oauth-keepalive
		644 share/doc/oauth-keepalive/CHANGELOG.md
		644 share/doc/oauth-keepalive/LICENSE
		644 share/doc/oauth-keepalive/README.md
		644 share/doc/oauth-keepalive/docs/architecture.md
		644 share/doc/oauth-keepalive/docs/cluster.md
		644 share/doc/oauth-keepalive/docs/containers.md
		644 share/doc/oauth-keepalive/docs/cost.png
		644 share/doc/oauth-keepalive/docs/dashboard.svg
		644 share/doc/oauth-keepalive/docs/data-flow.svg
		644 share/doc/oauth-keepalive/docs/from-a-script.md
		644 share/doc/oauth-keepalive/docs/platforms.md
		644 share/doc/oauth-keepalive/docs/status.svg
		644 share/doc/oauth-keepalive/docs/testing.md
		644 share/doc/oauth-keepalive/docs/upgrading.md
		644 share/doc/oauth-keepalive/oauth-keepalive.conf
		644 share/doc/oauth-keepalive/schema.json
		644 share/fish/vendor_completions.d/oauth-keepalive.fish
		644 share/man/man1/oauth-keepalive.1
		644 share/man/man5/oauth-keepalive.conf.5
		644 share/oauth-keepalive/grafana/oauth-keepalive.json
		755 share/oauth-keepalive/hooks/alert-once
		755 share/oauth-keepalive/hooks/desktop
		755 share/oauth-keepalive/hooks/gateway-notice
		755 share/oauth-keepalive/hooks/mail
		755 share/oauth-keepalive/hooks/message
		755 share/oauth-keepalive/hooks/ntfy
		755 share/oauth-keepalive/hooks/push-ssh
		644 share/oauth-keepalive/prometheus/oauth-keepalive.rules.yml
		644 share/oauth-keepalive/systemd/alert.conf
		644 share/oauth-keepalive/systemd/exit-3-only.conf
		644 share/oauth-keepalive/systemd/openclaw-gateway.conf
		644 share/zsh/site-functions/_oauth-keepalive
	END
)"
for service in "$T/dest$T/prefix"/lib/systemd/*/*.service; do
	expect_match "$service" "^ExecStart=$T/prefix/(bin/oauth-keepalive (refresh|watch)|share/oauth-keepalive/hooks/alert-once)"
	expect_no_match "$service" '@[A-Z]+@'
done
rm -r "$T/dest"

# It finds its courier in libexec.
mkdir "$T/source"
cp -a "$TOP"/{Makefile,src,man,etc,docs,systemd,README.md,CHANGELOG.md,LICENSE} "$T/source"
cp -a "$(dirname "$OAUTH_KEEPALIVE")" "$T/source/build"
make -s -C "$T/source" BUILD=build PREFIX="$T/prefix" install >"$T/make.log" 2>&1 || die "make install: $(tail -n 5 "$T/make.log")"
OAUTH_KEEPALIVE=$T/prefix/bin/oauth-keepalive
rm -r "$T/source"
# shellcheck disable=SC2119
start_oidc
mint alice left=30m
write_store "main a" xai:default=alice
keeper refresh -j
expect_status 0
expect_posts 1
expect_generation alice main a
keeper --version
version=$(awk '{ print $2 }' "$out")
expect_match "$TOP/CHANGELOG.md" "^## \[${version//./\\.}\]"

# The example configuration loads, as it is and with everything in it turned on.
example=$T/prefix/share/doc/oauth-keepalive/oauth-keepalive.conf
mkdir -p "$HOME/.config/oauth-keepalive"
echo FAKE-CLIENT-SECRET >"$HOME/.config/oauth-keepalive/gemini.secret"
sed 's|^//\([^ ]\)|\1|' "$example" >"$T/all.conf"
for file in "$example" "$T/all.conf"; do
	"$OAUTH_KEEPALIVE" -c "$file" --state-dir "$STATE" --ledger-dir "$LEDGER" status >"$T/runs/example" 2>&1
	expect_eq "status of $(basename "$file")" $? 0
done
expect_match "$T/all.conf" '^margin ='

# The manual: every command, option, problem and error is there.
keeper --help
cp "$out" "$T/help"
while read -r command; do
	expect_match "$TOP/man/oauth-keepalive.1" "^\.Cm $command\$"
	keeper help "$command"
	cat "$out" >>"$T/help"
done < <(sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\)  .*/\1/p' "$out")
while read -r option; do
	expect_match "$TOP/man/oauth-keepalive.1" "^\.(Op|It) .*-${option#--}( |\$)"
done < <(grep -oE -- '--[a-z-]+' "$T/help" | sort -u)
# codes FILES…: string literals in the place of a code
calls='problem_add|forget_conclude|complain|give_up|try_later|not_sent|grant_conclude|result_conclude|return unsent|errand_conclude'
codes() { cat "$@" | tr -d '\n' | grep -oE "($calls)\([^;\"]*\"[a-z_]+\"" | grep -oE '"[a-z_]+"' | tr -d '"' | sort -u; }
documented() {
	local code
	for code in "$@"; do
		grep -qE "^\.It Sy (.* )?$code( |\$)" "$TOP/man/oauth-keepalive.1" || echo "$code"
	done
}
all=$(codes "$TOP"/src/{command,report,keepalive,account,store,ledger,courier}/*.c)
[ "$(wc -w <<<"$all")" -gt 25 ] || fail "found too few codes in the sources to compare" "$all"
# shellcheck disable=SC2086
expect_eq "codes that the manual does not list" "$(documented $all)" ""
# in_order FROM TO: the first words of the lists there
in_order() { sed -n "/^\.Ss $1/,/^\.$2/s/^\.It Sy \([a-z_]*\).*/\1/p" "$TOP/man/oauth-keepalive.1"; }
for part in "Problems Ss.Errors" "Errors.of Sh"; do
	# shellcheck disable=SC2086
	[ "$(in_order $part | wc -l)" -gt 20 ] || fail "the list ${part%% *} is not found"
	# shellcheck disable=SC2086
	expect_eq "order of ${part%% *}" "$(in_order $part)" "$(in_order $part | LC_ALL=C sort)"
done

if command -v mandoc >/dev/null; then
	for page in "$TOP"/man/*; do # whether other pages are installed is not theirs
		expect_eq "mandoc's complaints" "$(mandoc -T lint "$page" 2>/dev/null | grep -v 'referenced manual not found')" ""
	done
	for page in "$T"/prefix/share/man/*/*; do
		mandoc -T utf8 "$page" >"$T/runs/page"
		expect_match "$T/runs/page" "^oauth-keepalive $version .* oauth-keepalive $version\$"
		expect_eq "lines of $(basename "$page") over 80 columns" "$(col -bx <"$T/runs/page" | grep -cE '^.{81}')" 0
	done
else
	echo "# mandoc is missing: the manual pages were not rendered"
fi

make_ uninstall
expect_eq "left by make uninstall" "$(find "$T/prefix" ! -type d)" ""
