#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# For every format of another program: only the tokens and the times in its file change, shared and withheld; a link is treated
# as that program treats it; a file with two names, or one that is read-only, bars the request before anything is spent.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

start_oidc
client=b1a00492-073a-47ea-816f-4c329264a828
fields='fields = { access = "/t/a"; refresh = "/t/r"; expires = "/t/e"; expires_as = "ms"; };'

# format | provider | path | link | how no refresh token is spelled (-: removed) | what else is spelled otherwise then | its text: A, R and I are tokens; MS, S, ISO times.
# The text is as nobody writes it, and has what nobody knows: all of it must stay.
formats() {
	cat <<-END
		codex-cli|openai-codex|.codex/auth.json|follow|""|"chatgpt"="chatgptAuthTokens"|{"odd" :\t1.10,"auth_mode": "chatgpt", "tokens":{"x":"\\\\u00e9","id_token":"A","access_token":"A", "refresh_token" : "R","account_id":"acct-NAME"},"last_refresh":"ISO"}
		claude-code|anthropic|.claude/.credentials.json|replace|null||{"claudeAiOauth" :{"accessToken":"A","x":[1E2 ,{}],"refreshToken" :"R","expiresAt":MS,"scopes":[]},"mcpOAuth":{"s":{"accessToken":"FAKE-mcp"}}}\n
		gemini-cli|corp|.gemini/oauth_creds.json|follow|-||{"access_token":"A","odd":"\\\\/é",\n "refresh_token":"R","expiry_date" : MS}
		qwen-code|corp|.qwen/oauth_creds.json|replace|never||{"access_token":"A","resource_url":"x.example",\n\t"refresh_token":"R","expiry_date" : MS,"odd":-0.0}\n
		kimi-code|corp|.kimi-code/credentials/kimi-code.json|replace|""|S ,=0 ,|{"access_token":"A", "refresh_token":"R","expires_at":S ,"scope":"k","odd":[null]}\n
		grok-cli|xai|.grok/auth.json|replace|-||{"https://other.example::x":{"key":"FAKE"}, "https://auth.x.ai::$client":{"key":"A","email":"NAME@example.com","refresh_token":"R","expires_at":"ISO","oidc_issuer":"https://auth.x.ai","oidc_client_id":"$client","odd" :9007199254740993}}
		opencode|openai-codex|.local/share/opencode/auth.json|follow|""||{"groq":{"type":"api","key":"FAKE"},"openai":{"type":"oauth","refresh":"R", "access":"A","expires":MS,"odd":[ ]}}
		pi|openai-codex|.pi/agent/auth.json|follow|""||{"groq":{"type":"api_key","key":"!cmd"},"openai-codex":{"type":"oauth","access":"A", "refresh":"R","expires":MS,"odd":[ ]}}\n\n
		hermes-agent|openai-codex|.hermes/auth.json|follow|never||{"version":1,"updated_at":"ISO","providers":{"openai-codex":{"tokens":{"access_token":"A", "refresh_token":"R"},"last_refresh":"ISO","odd":1.0}},"credential_pool":{"openai-codex":[{"id":"1","access_token":"A","refresh_token":"R"},{"id":"2","access_token":"FAKE-2","refresh_token":"FAKE-3"}]}}\n
		cliproxyapi|openai-codex|.cli-proxy-api/codex.json|follow|""||{"access_token":"A","account_id":"acct-NAME","disabled":false,"expired":"ISO", "odd":"\\\\ud83d\\\\ude00","refresh_token":"R","type":"codex"}
		plain|xai|tool/login.json|follow|never||{"t":{"a":"A","odd" : 1e-7,"r":"R","e":MS}}
	END
}

# put FILE TEXT: with the login's tokens. bare FILE: its text, without what may change.
put() {
	printf '%b' "$2" | "$PYTHON" -c 'import json, re, sys, time
login = json.load(open(sys.argv[1]))
iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(login["expires"] // 1000))
values = {"A": login["access"], "R": login["refresh"], "MS": str(login["expires"]), "S": str(login["expires"] // 1000), "ISO": iso}
text = re.sub(r"\b(A|R|MS|S|ISO)\b", lambda m: values[m[0]], sys.stdin.read()).replace("NAME", sys.argv[2])
open(sys.argv[3], "w").write(text)' "$T/logins/$name.json" "$name" "$1" || die "no file of $format"
}
bare() {
	"$PYTHON" -c 'import re, sys
text = open(sys.argv[1]).read()
text = re.sub(r"\b20\d\d-\d\d-\d\dT[0-9:.]*Z|\b1[789]\d{8}(\d{3})?\b", "TIME", text)
print(ascii(re.sub(r"\"(?!FAKE)(eyJ[^\"]*|[\w-]{40,})\"", "\"TOKEN\"", text)))' "$1"
}

scene() {
	fresh_programs
	n=$((n + 1))
	name=login$n
	case $provider in openai-codex) jwt=yes ;; *) jwt='' ;; esac
	mint $name provider=$provider lifetime=6h left=1h ${jwt:+jwt=yes}
	PROVIDERS="{ name = \"corp\"; token_url = \"$TOKEN_URL\"; client_id = \"agents\"; lifetime = \"6h\"; }"
	write_store main $provider:default=$name
	file=$HOME/$path
	mkdir -p "$(dirname "$file")"
	put "$file" "$text"
	chmod 600 "$file"
	follow $format "$file" $provider:default "refresh_token = \"$1\";" "$([ $format = plain ] && echo "$fields")"
}

# barred WHAT: nothing is sent, nothing is written, and what it says to do helps.
barred() {
	local before

	before=$(sum "$file")
	keeper refresh -j --force
	expect_eq "$format, $1: why not" "$(field '.accounts[0].error.code')" store_not_writable
	expect_posts 0
	expect_untouched "$file" "$before"
	eval "$(field '.problems[] | select(.code == "store_not_writable") | .fix')"
}

n=0
while IFS='|' read -r format provider path link withheld also text; do
	# Two names; read-only; then a link.
	scene share
	ln "$file" "$HOME/other-name"
	barred "two names"
	rm -f "$HOME/other-name"
	chmod 400 "$file"
	barred "read-only"
	chmod 600 "$file"
	mkdir "$HOME/dotfiles"
	mv "$file" "$HOME/dotfiles/$name.json"
	ln -s "$HOME/dotfiles/$name.json" "$file"
	before=$(bare "$file")
	target=$(sum "$file")
	keeper refresh -j --force
	expect_status 0
	expect_posts 1
	expect_eq "$format: what else stands there" "$(bare "$file")" "$before"
	expect_eq "$format: our token is there" "$(grep -cF -e "$(jq -r --arg p $provider:default '.profiles[$p].refresh' "$(store main)")" "$file")" 1
	if [ $link = follow ]; then
		expect_eq "$format: the link" "$(readlink "$file")" "$HOME/dotfiles/$name.json"
	else
		[ -L "$file" ] && fail "$format: the link is still there"
		expect_untouched "$HOME/dotfiles/$name.json" "$target"
	fi
	keeper refresh -j
	expect_field '.accounts[0].outcome' unchanged

	[ $withheld = never ] && continue
	scene withhold
	want=${text/"$([ $withheld = - ] && echo '"refresh_token":"R",' || echo '"R"')"/${withheld#-}}
	put "$T/want" "${want/"${also%%=*}"/"${also#*=}"}"
	keeper refresh -j --force
	expect_status 0
	keeper refresh -j # what was shared until then
	expect_status 0
	expect_eq "$format: its state" "$(copy_state)" withheld
	expect_eq "$format: withheld" "$(bare "$file")" "$(bare "$T/want")"
done < <(formats)
expect_no_secrets
