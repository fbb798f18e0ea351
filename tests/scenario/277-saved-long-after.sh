#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login that was displaced, never sent, and is kept no longer (30 days): saved once more it is not merely known and written
# over, but kept anew, and that is said. Of a token that was sent it is not said.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
one() { mint alice left="$1" && mv "$T/logins/alice.json" "$T/logins/$2.json"; }
said='[.problems[] | select(.code == "login_displaced")]'
# As if 31 days had passed since.
age() {
	local file name
	for file in "$LEDGER"/displaced/*.json; do
		name=${file##*/}
		mv "$file" "${file%/*}/$(date -u -d '-31 days' +%Y%m%dT%H%M%S)${name:15}"
	done
}
kept() { # LOGIN
	grep -lsE "\"fingerprint\":[[:space:]]*\"$(login_token "$1")" "$LEDGER"/displaced/*.json | wc -l
}

one 5h live
one 2h older
one 1h oldest
write_store "main a b" xai:default=live
keeper refresh --force -q # by a server's clock, or nothing is swept
LIVE=$(store_token main)
write_store a xai:default=older
keeper refresh -q -j
expect_field "$said | length" 1

# Kept for 31 days, whether that was noticed before or in the run that writes over it.
for sweep in early late; do
	for place in main a; do
		age
		if [ $sweep = early ]; then
			write_store b xai:default=oldest
			keeper sync -q
			expect_eq "no longer kept" "$(kept older)" 0
			[ -n "$(find "$LEDGER/displaced" -name "*-$(login_token older)*.gone" -size 0)" ] || fail "nothing is left of it"
		fi
		write_store $place xai:default=older
		keeper preview -j
		expect_field '.accounts[0].displaced | length' 1
		keeper refresh -q -j
		expect_status 0
		expect_field "$said | length" 1
		expect_field "${said}[0].fix" "oauth-keepalive restore $(login_token older)"
		expect_eq "$place" "$(store_token $place)" "$LIVE"
		expect_eq "kept anew" "$(kept older)" 1
		keeper refresh -q -j
		expect_field "$said | length" 0
	done
done

# What was sent since is no login any more.
keeper restore "$(login_token older)" -j
expect_status 0
expect_eq "brought back" "$(store_token main) $(store_token a)" "$(login_token older) $(login_token older)"
keeper refresh --force -j
expect_status 0
age
write_store a xai:default=older
keeper refresh -q -j
expect_status 0
expect_field "$said | length" 0
expect_eq "mended" "$(store_token a)" "$(store_token main)"
expect_no_secrets
