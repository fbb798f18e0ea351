#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A unit's run that looks again says what is wrong once, is not misled by a file that was stamped by a clock ahead of ours,
# and ends as it did if what it would need for another look is gone.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
# begin COMMAND…: alice's is due, and COMMAND is run when it was refreshed, before the run ends.
begin() {
	fresh
	mint alice left=30m
	write_store "main a" xai:default=alice
	printf '%s\n' "$@" >"$T/meanwhile"
	CONFIG="hooks = { refreshed = \"sh $T/meanwhile\"; };"
}
unit() { OAUTH_KEEPALIVE_RUN=timer keeper refresh "$@"; }
looks() { grep -cE "^[0-9] accounts?: " "$out"; } # what was done is another thing each time, and so is the summary

# What is wrong, and stays so.
begin "cp $T/now $T/again.json; mv $T/again.json \$(readlink $T/now)"
ln -sfn "$(store main)" "$T/now"
write_store b xai:default=alice
printf '{' >"$(store b)"
unit
expect_status 3
expect_posts 1
expect_eq "rounds of looks" "$(looks)" 2
expect_eq "times that it is said" "$(grep -c '^error \[store_unreadable\]' "$err")" 1

# The configuration is being edited: what was done stays done, and the next run says it.
begin "touch $T/now; echo 'margin = 2;' >>$T/keeper.conf"
ln -sfn "$(store main)" "$T/now"
unit -q
expect_status 0
expect_posts 1
expect_generation alice main a
keeper_command refresh
echo 'margin = 2;' >>"$T/keeper.conf"
"${COMMAND[@]}" >/dev/null 2>&1
expect_eq "the next run" $? 2

# The state directory goes meanwhile: there is nothing to look at again, and the next run says that it is gone.
begin "mv \$(readlink $T/now) $T/gone"
ln -sfn "$STATE" "$T/now"
unit -q
expect_status 0
unit -q
expect_status 3
mv "$T/gone" "$STATE"
unit -q
expect_status 0
expect_generation alice main a

# Stamped by a clock that was ahead: the run does not look for ever.
if "${CC:-cc}" -shared -fPIC -o "$T/clock.so" "$TESTS/scenario/clock.c" -ldl 2>"$T/clock.log"; then
	begin true
	UNDER=(env LD_PRELOAD="$T/clock.so" TEST_AHEAD=-7200)
	unit
	expect_eq "rounds of looks" "$(looks)" 1
	UNDER=()
else
	not_shown "a clock behind, without a compiler"
fi
expect_no_secrets
