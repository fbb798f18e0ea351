#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# However odd another program's file is, it is read as that program reads it and written with nothing else changed, or it is
# left alone byte for byte and that is said; whatever was sent for is in main; nothing crashes, nothing secret is shown.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/programs.sh" || exit 1

start_oidc

# odd.py make FORMAT LOGIN ODDITY FILE: as the program writes it, made odd. False: it has nothing that could be so odd.
# odd.py read FORMAT FILE: fingerprints of the access and the refresh token as JSON.parse finds them there.
cat >"$T/odd.py" <<'END'
import hashlib, json, sys, time

CLIENT = "b1a00492-073a-47ea-816f-4c329264a828"
PLACES = {  # the entry; access, refresh, expiry and how it is spelled
    "codex-cli": (["tokens"], "access_token", "refresh_token", None, None),
    "claude-code": (["claudeAiOauth"], "accessToken", "refreshToken", "expiresAt", "ms"),
    "gemini-cli": ([], "access_token", "refresh_token", "expiry_date", "ms"),
    "qwen-code": ([], "access_token", "refresh_token", "expiry_date", "ms"),
    "kimi-code": ([], "access_token", "refresh_token", "expires_at", "s"),
    "grok-cli": (["https://auth.x.ai::" + CLIENT], "key", "refresh_token", "expires_at", "iso"),
    "opencode": (["openai"], "access", "refresh", "expires", "ms"),
    "pi": (["openai-codex"], "access", "refresh", "expires", "ms"),
    "hermes-agent": (["providers", "openai-codex", "tokens"], "access_token", "refresh_token", None, None),
    "cliproxyapi": ([], "access_token", "refresh_token", "expired", "iso"),
}

def spelled(ms, how):
    return {"ms": ms, "s": ms // 1000, "float": ms / 1000 + 0.5,
            "iso": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms // 1000)),
            "offset": time.strftime("%Y-%m-%dT%H:%M:%S.5+05:30", time.gmtime(ms // 1000 + 19800)),
            "text": str(ms), "null": None, "negative": -ms, "huge": 1e300}[how]

def document(format, login):
    entry, access, refresh, expiry, how = PLACES[format]
    tokens = {access: login["access"], refresh: login["refresh"]}
    if expiry:
        tokens[expiry] = spelled(login["expires"], how)
    if format == "codex-cli":
        tokens = {"id_token": login["access"], **tokens, "account_id": login.get("accountId")}
    if format == "claude-code":
        tokens["scopes"] = ["user:inference"]
    if format == "grok-cli":
        tokens.update(oidc_issuer="https://auth.x.ai", oidc_client_id=CLIENT, email=login.get("email"))
    if format in ("opencode", "pi"):
        tokens["type"] = "oauth"
    if format == "kimi-code":
        tokens["expires_in"] = 21600
    for key in reversed(entry):
        tokens = {key: tokens}
    if format == "codex-cli":
        tokens = {"auth_mode": "chatgpt", **tokens, "last_refresh": "2026-11-28T17:38:13.785827238Z"}
    return tokens

def make(format, login, odd):
    entry, access, refresh, expiry, _ = PLACES[format]
    whole = document(format, login)
    tokens = whole
    for key in entry:
        tokens = tokens[key]
    if odd.startswith("expiry "):
        if not expiry:
            sys.exit(1)
        tokens[expiry] = spelled(login["expires"], odd[7:])
    if odd == "unicode":
        whole["\u043a\u043b\u044e\u0447 \U0001f511\u0000\ud800"] = {"\u200b": "\u202e"}
    if odd == "large":
        whole["other"] = ["x" * 1000] * 3000
    if odd == "huge":
        whole["other"] = ["x" * 1000] * 20000
    if odd in ("array", "object", "number"):
        tokens[refresh] = {"array": [login["refresh"]], "object": {"a": login["refresh"]}, "number": 12345678901234567890}[odd]
    text = json.dumps(whole, indent=2)
    if odd == "BOM": text = "\ufeff" + text
    if odd == "CRLF": text = text.replace("\n", "\r\n") + "\r\n"
    if odd == "deep": text = text[:-2] + ', "deep": ' + "[" * 30 + "]" * 30 + "}"
    if odd == "very deep": text = text[:-2] + ', "deep": ' + "[" * 100000 + "]" * 100000 + "}"
    if odd == "garbage": text += "\n}{"
    if odd == "NUL": text += "\0"
    if odd == "blank": text = " \n\t" + text + "\n \n"
    if odd == "empty": text = ""
    if odd == "space": text = "\n"
    if odd == "cut": text = text[: len(text) // 2]
    if odd == "twice first": text = text.replace('"%s": "' % refresh, '"%s": "FAKE-REFRESH-FIRST-OF-TWO", "%s": "' % (refresh, refresh), 1)
    if odd == "twice last": text = text.replace('"%s": "%s"' % (refresh, login["refresh"]), '"%s": "%s", "%s": "FAKE-REFRESH-LAST-OF-TWO"' % (refresh, login["refresh"], refresh), 1)
    if odd == "twice access": text = text.replace('"%s": "' % access, '"%s": "FAKE-ACCESS-FIRST-OF-TWO", "%s": "' % (access, access), 1)
    if odd == "escaped": text = text.replace('"%s"' % refresh, '"\\u%04x%s"' % (ord(refresh[0]), refresh[1:]), 1)
    if odd == "escaped token": text = text.replace(login["refresh"], "\\u%04x%s" % (ord(login["refresh"][0]), login["refresh"][1:]), 1)
    if odd == "utf16": return text.encode("utf-16")
    if odd == "latin1": return (text[:-2] + ', "x": "\xe9"}').encode("latin1")
    if odd == "comment": text = "// mine\n" + text
    return text.encode("utf-8", "surrogatepass")

def main():
    verb, format, *args = sys.argv[1:]
    if verb == "make":
        data = make(format, json.load(open(args[0])), args[1])
        open(args[2], "wb").write(data)
        return
    try:
        value = json.loads(open(args[0], "rb").read().decode("utf-8", "surrogatepass").lstrip("\ufeff"))
        entry, access, refresh, *_ = PLACES[format]
        for key in entry:
            value = value[key]
        print(*(hashlib.sha256(value[name].encode()).hexdigest()[:12] for name in (access, refresh)))
    except Exception:
        print("-", "-")
sys.setrecursionlimit(1000000)
main()
END

FORMATS=(codex-cli claude-code gemini-cli qwen-code kimi-code grok-cli opencode pi hermes-agent cliproxyapi)
provider_of() {
	case $1 in
	claude-code | cliproxyapi) echo anthropic ;;
	grok-cli) echo xai ;;
	gemini-cli | qwen-code | kimi-code) echo corp ;;
	*) echo openai-codex ;;
	esac
}

n=0
# a_case FORMAT ODDITY read|unread
a_case() {
	local format=$1 odd=$2 provider login before access refresh
	provider=$(provider_of "$format")
	n=$((n + 1))
	fresh_programs
	login=who$n
	mint $login provider="$provider" lifetime=6h left=1h jwt=yes
	PROVIDERS="{ name = \"corp\"; token_url = \"$TOKEN_URL\"; client_id = \"agents\"; lifetime = \"6h\"; }"
	write_store main "$provider:default=$login"
	file=$HOME/file.json
	"$PYTHON" "$T/odd.py" make "$format" "$T/logins/$login.json" "$odd" "$file" || return
	before=$(sum "$file")
	follow "$format" "$file" "$provider:default" 'refresh_token = "share";'
	keeper refresh -j
	expect_posts 1
	expect_eq "$format, $odd: main" "$(store_token main "$provider:default")" "$(server_token $login)"
	read -r access refresh < <("$PYTHON" "$T/odd.py" read "$format" "$file")
	if [ "$3" = read ]; then
		expect_status 0
		expect_eq "$format, $odd: its tokens" "$access $refresh" "$(main_access "$provider:default") $(server_token $login)"
	else
		expect_status 3
		expect_match "$out" 'store_unreadable|credential_unreadable'
		expect_untouched "$file" "$before"
	fi
	keeper refresh -j
	expect_posts 1
}

# Each of them in another format, by turns; ALL=1: in all.
try() {
	local odd format

	while read -r odd; do
		if [ -n "${ALL:-}" ]; then
			for format in "${FORMATS[@]}"; do a_case "$format" "$odd" "$1"; done
		else
			a_case "${FORMATS[n % ${#FORMATS[@]}]}" "$odd" "$1"
		fi
	done
}
try read <<-'END'
	CRLF
	deep
	blank
	escaped
	escaped token
	unicode
	large
END
try unread <<-'END'
	BOM
	very deep
	garbage
	NUL
	empty
	space
	cut
	twice first
	twice last
	twice access
	utf16
	latin1
	comment
	huge
	array
	object
	number
END
# How an expiry is spelled is no matter, whatever the format says.
for format in claude-code kimi-code grok-cli; do
	for spelling in ms s float iso offset text null negative huge; do a_case $format "expiry $spelling" read; done
	[ -n "${ALL:-}" ] || break
done
expect_no_secrets
