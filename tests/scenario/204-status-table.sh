#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# status is a table that fits the terminal, of 40 columns or 200, for one login or hundreds, with names as long and as strange
# as they come: no line is wider than it, unless it is a command or a path to be copied; colours are for terminals that want
# them, and nothing that stands in a store drives one. In a pipe nothing is coloured, cut or broken.
. "$(dirname "$0")/lib.sh" || exit 1

start_scripted
long=openai-codex:a.person.with.a.rather.long.name.indeed@mail.example.com
wide='xai:山田太郎'
accent=$(printf 'xai:re\u0301ne\u0301') # combining: two columns less than characters
hostile=$(printf 'xai:\033[2Jevil\033]0;title\007\r\nroot')
fake alice left=6h email=alice@example.com
fake bob left=40m email=bob@example.com
fake carol left=9d provider=openai-codex email=a.person.with.a.rather.long.name.indeed@mail.example.com
fake dave left=5h email=dave@example.com
fake erin left=5h email=$'erin\033[31m@example.com'
fake frank left=5h email=frank@example.com
write_store "main coder" xai:default=alice xai:work=bob "$long=carol" "$wide=dave" "$hostile=erin" "$accent=frank"
answers '{"status": 400, "body": {"error": "invalid_grant"}}'
keeper refresh
jq '.profiles["xai:default"] += {access: "", refresh: "", expires: 0}' "$(store coder)" >"$T/new"
cat "$T/new" >"$(store coder)"

# in_terminal COLUMNSxLINES WORD…: what it shows, in $out; $screen: without colours, and the trailing blanks of a raw terminal
in_terminal() {
	local size=$1
	shift
	keeper_command "$@"
	"$PYTHON" "$TESTS/scenario/terminal.py" "$size" -- "${COMMAND[@]}" </dev/null >"$out" 2>"$err"
	status=$?
	screen=$T/screen
	sed $'s/\r$//; s/\033\\[[0-9]*m//g' "$out" >"$screen"
}
# What is wider than that many columns, and nothing that is to be copied.
too_wide() {
	"$PYTHON" - "$screen" "$1" <<-'END'
		import sys, unicodedata as u
		width = lambda s: sum(0 if u.combining(c) else 2 if u.east_asian_width(c) in "WF" else 1 for c in s)
		for line in open(sys.argv[1]).read().split("\n"):
		    if width(line) > int(sys.argv[2]) and " " in line.strip() and not any(w in line for w in ("~/", "fix: ", "auth login", "`")):
		        print(line)
	END
}
# Where the states begin, in columns of the terminal: the same in each row.
state_columns() {
	"$PYTHON" - "$screen" <<-'END'
		import re, sys, unicodedata as u
		width = lambda s: sum(0 if u.combining(c) else 2 if u.east_asian_width(c) in "WF" else 1 for c in s)
		rows = [l for l in open(sys.argv[1]).read().split("\n") if re.search(r" \d+/\d+ +(fresh|due|needs login)", l)]
		print(len(rows), len({width(re.match(r"(.* \d+/\d+ +)", r).group(1)) for r in rows}))
	END
}

for columns in 200 100 80 72 60; do
	in_terminal "${columns}x24" status
	expect_status 3
	expect_eq "lines wider than $columns columns" "$(too_wide $columns)" ""
	expect_eq "rows, and columns in which their states begin, at $columns" "$(state_columns)" "6 1"
	expect_match "$screen" '^xai:default .*1/2 +fresh'
	expect_match "$screen" '^xai:work .*2/2 +needs login'
	expect_match "$out" $'\033\\[3[123]m'
	expect_no_match <(tr -d '\n' <"$out" | sed $'s/\033\\[[0-9]*m//g') $'[\001-\010\013\014\016-\037]' # no other escape
done
in_terminal 40x24 status
expect_eq "lines wider than 40 columns" "$(too_wide 40)" ""
in_terminal 80x24 status
expect_match "$screen" "^${long:0:20}.*… "
expect_match "$screen" '^xai:work needs login '
expect_match "$screen" '^    log in with: openclaw models auth login --provider xai$'
expect_match "$screen" '^    ended +~/.openclaw/agents/coder/agent/auth-profiles.json$'
expect_match "$screen" '^xai:\\x1B\[2J'
expect_match "$screen" '╶━━' # LC_ALL is a UTF-8 locale
in_terminal 260x24 status
expect_match "$screen" "^$long .* 20[0-9-]+ [0-9:]+ [+-][0-9]{4} .* a.person.with.a.rather"

# COLUMNS says it, too; and who wants no colours, and a terminal that has none, gets none.
COLUMNS=60 TERM=dumb keeper status
expect_eq "lines in a pipe that begin a table's row" "$(grep -cE '^xai:default .* alice@example.com$' "$out")" 1
for wish in NO_COLOR=1 TERM=dumb; do
	export "${wish?}"
	in_terminal 80x24 status
	expect_no_match "$out" $'\033'
	unset NO_COLOR TERM
done
LC_ALL=C in_terminal 80x24 status
expect_match "$screen" '\[==.*\|'

# In a pipe: one line for each, whatever COLUMNS says, and no mark of ours is left in it.
keeper status
expect_no_match "$out" $'[\001-\010\013-\037]'
expect_match "$out" '^5 of 6 logins kept, 1 needs a new login.* no timer has run yet$'
expect_match "$out" "^$long +\\[.* a.person.with.a.rather.long.name.indeed@mail.example.com$"
TZ=Asia/Kolkata keeper status
expect_match "$out" ' [+]0530 '
TZ=Asia/Kolkata keeper status -j
expect_field '[.accounts[].expires_at | test("Z$")] | all' true

# Problems and messages of every verb are broken at words on a terminal, and nowhere else.
in_terminal 60x24 preview
expect_eq "lines wider than 60 columns, preview" "$(grep -vE '^xai|^openai' "$screen" >"$T/x"; cp "$T/x" "$screen"; too_wide 60)" ""
CONFIG='margins = "2h";'
in_terminal 60x24 status
expect_status 2
expect_eq "lines wider than 60 columns, an error" "$(too_wide 60)" ""
[ "$(wc -l <"$screen")" -gt 3 ] || fail "an error of some hundred characters is not broken"
keeper status
expect_eq "lines of an error in a pipe" "$(wc -l <"$err")" 1
CONFIG=

# Hundreds: a row each, the most urgent first.
fresh
for i in $(seq 300); do
	echo "xai:account-$i={\"type\":\"oauth\",\"provider\":\"xai\",\"access\":\"FAKE-ACCESS-of-$i\",\"refresh\":\"FAKE-REFRESH-of-$i\",\"expires\":$((($(date +%s) + 4000 + i * 60) * 1000))}"
done >"$T/many"
mapfile -t many <"$T/many"
write_store main "${many[@]}"
in_terminal 80x24 status
expect_eq "rows" "$(grep -cE '^xai:account-[0-9]+ .* 1/1 ' "$screen")" 300
expect_eq "lines wider than 80 columns, of 300" "$(too_wide 80)" ""
sed -nE 's/^xai:account-([0-9]+) .*/\1/p' "$screen" | sort -nc 2>/dev/null || fail "the most urgent is not first"
expect_no_secrets
