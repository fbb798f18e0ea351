#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The expiry beside the tokens is what a runtime decides by: one that is missing, odd or wrong is put right like a token,
# keeps no login from being served, and is not fought over.
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc

# spoil KIND AGENT JQ: change the profile that stands there, and nothing else in its form.
spoil() {
	if [ "$1" = sqlite ]; then
		document "$2" | jq -jc ".profiles[\"xai:default\"] |= ($3)" >"$T/spoiled"
		put_document "$2" <"$T/spoiled"
	else
		jq ".profiles[\"xai:default\"] |= ($3)" "$(store "$2")" >"$T/spoiled"
		cat "$T/spoiled" >"$(store "$2")"
	fi
}
profile() { if [ "$1" = sqlite ]; then document "$2"; else cat "$(store "$2")"; fi | jq -cS ".profiles[\"xai:default\"] | $3"; }
write() { if [ "$1" = sqlite ]; then write_database "${@:2}"; else write_store "${@:2}"; fi; }
expect_right() { # KIND AGENT…
	for agent in "${@:2}"; do
		expect_eq "expiry in $agent is a number near $right" \
			"$(profile "$1" "$agent" ".expires | type == \"number\" and (. - $right | fabs) < 60000")" true
	done
}

for kind in json sqlite; do
	main=main
	[ $kind = sqlite ] && main=shared

	# In an agent's copy: no request, the value is put right, nothing else changes, and the next run writes nothing.
	fresh
	mint alice left=5h
	write $kind "$main a" xai:default=alice
	right=$(jq .expires "$T/logins/alice.json")
	keeper refresh
	expect_status 0
	while read -r change; do
		spoil $kind a "$change"
		rest=$(profile $kind a 'del(.expires)')
		keeper refresh -j
		expect_status 0
		expect_field '.accounts[0] | "\(.outcome) \(.copies | map(.state + " \(.written)") | join(", "))"' \
			"mirrored current false, current true"
		expect_right $kind a
		expect_eq "the rest of the entry after $change" "$(profile $kind a 'del(.expires)')" "$rest"
	done < <(sed -n "$([ $kind = json ] && echo p || echo '1~4p')" <<-'END'
		del(.expires)
		.expires = null
		.expires = 0
		.expires = -5
		.expires = 1
		.expires |= . / 1000
		.expires |= tostring
		.expires |= (. / 1000 | todate)
		.expires = true
		.expires = [1]
		.expires = {"a": 1}
		.expires = 9e15
		.expires -= 3600000
		.expires += 3600000
		.expires = 10000000000000
	END
	)
	keeper refresh -j
	expect_field .summary.copies_written 0
	expect_posts 0

	# As near as a minute is as good; what is not ours to know is left.
	spoil $kind a '.expires += 59000 | .expiresAt = 1'
	keeper refresh -j
	expect_field .summary.copies_written 0

	# A runtime that puts its own back is put right once, and then left for an hour.
	for _ in 1 2 3; do
		spoil $kind a '.expires = -1'
		keeper refresh -j
		expect_status 0
	done
	expect_field '[.problems[] | "\(.severity) \(.code)"] | join(", ")' "info expiry_fight"
	expect_field ".problems[0].store == \"$([ $kind = json ] && store a || database a)\"" true
	expect_eq "after a fight" "$(profile $kind a .expires)" -1
	expect_posts 0

	# Beside a token that says nothing of its end, in main, it is due: nobody knows better.
	for change in 'del(.expires)' '.expires = 0'; do
		fresh
		mint alice left=5h
		write $kind "$main a" xai:default=alice
		spoil $kind $main "$change"
		keeper refresh -j
		expect_status 0
		expect_posts 1
		expect_generation alice $main a
		right=$((($(date +%s) + 21600) * 1000))
		expect_right $kind $main a
		keeper refresh -j
		expect_status 0
		expect_posts 1
		expect_field .summary.copies_written 0
	done

	# … but a JWT does: no request. Neither for one that is missing, nor for one that cannot be, known before or not.
	for change in 'del(.expires)' '.expires = 1e13' known; do
		if [ "$change" = known ]; then
			change_records '.live.expires_ms = 10000000000000'
		else
			fresh
			mint alice left=5h jwt=yes
			write $kind "$main a" xai:default=alice
			right=$(jq .expires "$T/logins/alice.json")
			spoil $kind $main "$change"
			spoil $kind a '.expires = null'
		fi
		keeper refresh -j
		expect_status 0
		expect_posts 0
		expect_right $kind $main a
		expect_eq "the ledger's expiry after $change" \
			"$(jq ".live.expires_ms - $right | fabs < 60000" "$LEDGER"/accounts/*.json)" true
	done
done
expect_no_secrets
