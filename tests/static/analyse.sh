#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# analyse.sh [TOOL…]: gcc -fanalyzer, scan-build, cppcheck and clang-tidy over src. Each finding is a line TOOL FILE
# CHECK; those in `exceptions` have a reason there, any other is an error.
# shellcheck disable=SC2317 # the run_… functions are called by name
set -u
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.." || exit 1
work=$(mktemp -d "${TMPDIR:-/tmp}/oauth-keepalive-static.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
tools=("$@")
[ $# -gt 0 ] || tools=(gcc scan-build cppcheck clang-tidy)
sources=(src/*.c src/*/*.c)
flags=(-std=gnu17 -D_GNU_SOURCE "-DVERSION=\"0\"" "-DLIBEXECDIR=\"/usr/libexec\"" "-DLIBEXEC_FROM_BIN=\"../libexec\"" -DBUILD_EPOCH=1 -Isrc)

# clang-tidy's checks that are left out, and why:
checks='-*,bugprone-*,cert-*,concurrency-mt-unsafe,performance-*'
checks+=',-bugprone-easily-swappable-parameters,-bugprone-assignment-in-if-condition' # matters of style
checks+=',-bugprone-reserved-identifier,-cert-dcl37-c,-cert-dcl51-cpp'                # _cleanup_… is our convention
checks+=',-bugprone-narrowing-conversions,-bugprone-implicit-widening-of-multiplication-result' # bounded constants
checks+=',-bugprone-sizeof-expression' # arrays of pointers, whose elements are meant
checks+=',-cert-err33-c'          # snprintf into buffers of proven size; fputs to standard error
checks+=',-cert-err34-c'          # sscanf and atoi of digits that were counted before
checks+=',-concurrency-mt-unsafe' # both programs have one thread of ours

# In the form FILE:LINE:…: warning: … [CHECK]
run_gcc() {
	printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -I{} gcc "${flags[@]}" -O2 -fanalyzer -c -o /dev/null {} 2>&1
}

run_scan_build() {
	scan-build -o "$work/report" make -j"$(nproc)" all "BUILD=$work/build" 2>&1
}

# It cannot parse what `array_add` is made of; any type does.
run_cppcheck() {
	cppcheck --quiet -j"$(nproc)" --std=c11 --enable=warning,performance,portability --inline-suppr '-D__typeof__(x)=void *' \
		"${flags[@]:1}" --template='{file}:{line}:{column}: warning: {message} [{id}]' "${sources[@]}" 2>&1
}

run_clang_tidy() {
	printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy --quiet --checks="$checks" \
		"${flags[@]/#/--extra-arg=}" 2>/dev/null | sed "s|$PWD/||"
}

failed=0
for tool in "${tools[@]}"; do
	declare -F "run_${tool//-/_}" >/dev/null || { echo "$0: no such tool: $tool" >&2 && exit 2; }
	"run_${tool//-/_}" >"$work/$tool.log"
	# TOOL FILE CHECK, tab-separated, and the whole line behind it.
	sed -nE "s/^(src\/[^:]+):[0-9]+:[0-9]+: (warning|error): .*\[([^][]+)\]\$/$tool\t\1\t\3\t&/p" "$work/$tool.log" >"$work/$tool"
	sed -i 's/,-warnings-as-errors\t/\t/' "$work/$tool"
	if grep -E '(^|: )(fatal error|error): ' "$work/$tool.log" >"$work/errors"; then
		echo "not ok $tool does not compile this:"
		head -n 5 "$work/errors"
		failed=1
	fi
	awk -F'\t' -v exceptions="$here/exceptions" '
		BEGIN { while ((getline line < exceptions) > 0) if (line !~ /^#/ && split(line, f, "\t") == 4) known[f[1] FS f[2] FS f[3]] = 1 }
		!(($1 FS $2 FS $3) in known) { print "    " $4 }' "$work/$tool" | sort -u >"$work/new"
	grep -P "^$tool\t" "$here/exceptions" | cut -f 1-3 | while read -r line; do
		grep -qF "$line" "$work/$tool" || echo "    no longer needed in tests/static/exceptions: $line"
	done >"$work/stale"
	if [ -s "$work/new" ] || [ -s "$work/stale" ]; then
		echo "not ok $tool"
		cat "$work/new" "$work/stale"
		failed=1
	else
		echo "ok $tool: $(cut -f 1-3 "$work/$tool" | sort -u | wc -l) explained exceptions, nothing else"
	fi
done
exit $failed
