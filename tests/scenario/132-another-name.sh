#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Who changed an e-mail address, a plan or a workspace is asked once, and goes on by one command; another user is never taken
# for him.
. "$(dirname "$0")/lib.sh" || exit 1

start_scripted
whose() { jq -nc --arg u "$1" --arg e "$2" '{account: {uuid: $u, email_address: $e}}'; }

# The store knows an address only, and the answer comes for another one: one token is spent, and what came is kept.
for _ in once again; do
	fresh
	fake alice left=1h provider=anthropic email=alice@old.example
	write_store "main a" anthropic:default=alice
	answers "{\"body\": $(tokens a2 "$(whose user-1 alice@new.example)")}"
	keeper refresh -j
	expect_status 3
	expect_field '.accounts[0] | "\(.outcome) \(.error.code)"' "held identity_mismatch"
	said='.problems[] | select(.code == "identity_mismatch")'
	expect_field "$said | .message | test(\"alice@old.example's.* for alice@new.example\")" true
	fix=$(field "$said | .fix")
	expect_eq "the command" "${fix%% #*}" "oauth-keepalive sync --adopt main --force anthropic/anthropic:default@alice@old.example"
	# Without --force it is a slip of the pen.
	keeper sync --adopt main anthropic:default -j
	expect_status 3
	expect_posts 1
	# shellcheck disable=SC2046
	keeper $(sed 's/^oauth-keepalive //; s/ #.*//' <<<"$fix") -j
	expect_status 0
	expect_posts 1
	for agent in main a; do
		expect_eq "$agent's token" "$(store_token $agent anthropic:default)" "$(printf FAKE-REFRESH-a2 | sha256sum | cut -c1-12)"
	done
	# From now on it is the user's id that decides, whatever the address.
	change_records '.live.expires_ms = ((now + 3600) * 1000 | floor)'
	answers "{\"body\": $(tokens a3 "$(whose user-1 alice@third.example)")}"
	keeper refresh -j
	expect_status 0
	expect_posts 2
	# … and another user is nobody that can be vouched for.
	change_records '.live.expires_ms = ((now + 3600) * 1000 | floor)'
	answers "{\"body\": $(tokens m2 "$(whose user-9 alice@third.example)")}"
	keeper refresh -j
	expect_status 3
	expect_field "$said | .fix" "openclaw models auth login --provider anthropic"
	before=$(sum "$(store main)")
	keeper sync --adopt main --force anthropic:default
	expect_status 3
	expect_untouched "$(store main)" "$before"
done

follow() { # PROFILE: the fix of identity_split, pasted: agent a has main's login then
	local fix
	fix=$(field '.problems[] | select(.code == "identity_split") | .fix')
	eval "set -- $1 ${fix%% #*}"
	keeper "${@:3}" -j
	expect_status 0
	expect_eq "the agent follows" "$(store_token a "$1")" "$(store_token main "$1")"
	keeper status -j
	expect_field '.accounts | map(select(.outcome != "skipped")) | length' 1
}

# A new login of the same user with another address is simply adopted, and every copy follows. In another workspace it is
# another account, with a plan of its own, and the copies of the old one are kept alive until a person says that they follow.
jwt() { echo "e30.$(base64 -w0 <<<"$1" | tr '/+' '_-' | tr -d =).e30"; }
login() { # NUMBER USER WORKSPACE EMAIL
	local claims
	claims="{\"iat\":$(($(date +%s) + $1)),\"exp\":$(($(date +%s) + 864000 + $1)),\"email\":\"$4\",
		\"https://api.openai.com/auth\":{\"chatgpt_user_id\":\"$2\",\"chatgpt_account_id\":\"$3\"}}"
	jq -nc --arg a "$(jwt "$claims")" --arg r "FAKE-REFRESH-$1" --arg w "$3" \
		'{type: "oauth", provider: "openai-codex", access: $a, refresh: $r, accountId: $w, expires: ((now + 864000) * 1000 | floor)}'
}
fresh
write_store "main a" openai-codex:default="$(login 1 user-1 personal me@old.example)"
keeper refresh
expect_status 0
write_store main openai-codex:default="$(login 2 user-1 personal me@new.example)"
keeper refresh -j
expect_status 0
expect_field '.accounts | length' 1
expect_eq "the agent follows" "$(store_token a openai-codex:default)" "$(store_token main openai-codex:default)"
write_store main openai-codex:default="$(login 3 user-1 team me@new.example)"
keeper refresh -j
expect_field '.accounts | length' 2
follow openai-codex:default

# Where nothing shows that it is the same person, the other copies stay an account of their own, and one command ends that.
fresh
fake bob left=5h email=bob@old.example
fake newbob left=5h email=bob@new.example
write_store "main a b" xai:default=bob
keeper refresh
write_store main xai:default=newbob
keeper refresh -j
expect_field '.accounts | length' 2
follow xai:default
expect_eq "b follows, too" "$(store_token b)" "$(login_token newbob)"
expect_no_secrets
