# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
#
# What the picture in the README shows: logins of several people at several providers, kept for hours by real runs against
# the scripted server, on a moved clock; a copy that somebody emptied, and a login that has ended. For tests/scenario/lib.sh.
scene() {
	local hour=3600

	"${CC:-cc}" -shared -fPIC -o "$T/clock.so" "$TESTS/scenario/clock.c" -ldl || die "no compiler for the clock"
	UNDER=(env LD_PRELOAD="$T/clock.so")
	export TEST_AHEAD=0

	start_scripted
	PROVIDERS="{ name = \"kimi\"; token_url = \"$TOKEN_URL\"; }"
	fake alice left=20m provider=openai-codex email=alice@example.com
	fake bob left=20m email=bob@example.com
	fake carol left=20m provider=anthropic email=carol@example.com
	fake dave left=2h provider=kimi email=dave@example.com
	write_store "main coder writer reviewer" openai-codex:alice@example.com=alice xai:default=bob anthropic:claude=carol kimi:work=dave
	answers "{\"body\": $(tokens 1 '{"expires_in": 864000}')}" "{\"body\": $(tokens 2)}" \
		"{\"body\": $(tokens 3 '{"expires_in": 28800}')}" "{\"body\": $(tokens 4 '{"expires_in": 900}')}"
	OAUTH_KEEPALIVE_RUN=timer keeper refresh
	TEST_AHEAD=$((2 * hour - 300))
	answers '{"status": 400, "body": {"error": "invalid_grant"}}'
	OAUTH_KEEPALIVE_RUN=timer keeper refresh
	jq '.profiles["xai:default"] += {access: "", refresh: "", expires: 0}' "$(store reviewer)" >"$T/new"
	cat "$T/new" >"$(store reviewer)"
	TEST_AHEAD=$((3 * hour + 47 * 60))
	OAUTH_KEEPALIVE_RUN=timer keeper refresh
	TEST_AHEAD=$((TEST_AHEAD + 130))
}
