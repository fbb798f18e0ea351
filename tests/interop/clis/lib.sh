# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034 # the tests use them
#
# What a test with another program needs besides tests/scenario/lib.sh. The whole test runs in a network that has nothing but
# loopback, where the providers' names lead to world.py and $PROGRAM finds what it needs; so whatever a program sends is seen,
# and nothing leaves the machine.
#
#	start_providers                the strict server, and the world that passes requests on to it
#	scene [KEY=VALUE…]             a fresh home with a login of it (mint) in main and in the program's own file, $FILE
#	shared, withheld               … which `stores` names so
#	drive [logout|force]           the program uses its login; then $says (a file), and what the world saw:
#	theirs '.token != null'        how many requests of its, of such
#	start_drive, wait_drive        the same in the background, and what it asks the kernel for, in $asks (a file)
#	bearer                         the access token that it used, as a fingerprint
#	skeleton FILE                  its bytes, without the tokens and the times
#
# What differs between the programs stands in the table below.

if [ -z "${APART:-}" ]; then
	user=()
	[ "$(id -u)" = 0 ] || user=(-r)
	if ! unshare "${user[@]}" -mn true 2>/dev/null; then
		echo "# skip: no network of its own can be had here (unshare)"
		exit 77
	fi
	APART=1 exec unshare "${user[@]}" -mn bash "$0" "$@"
fi

CLIS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=$(realpath -m "${INTEROP_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/oauth-keepalive-tests}")
DIRECTORY=$CACHE/$PROGRAM-$(sha256sum <"$CLIS/locks/$PROGRAM.json" | cut -c1-12)
# shellcheck source=../../scenario/lib.sh
. "$CLIS/../../scenario/lib.sh"
# shellcheck source=../../scenario/programs.sh
. "$CLIS/../../scenario/programs.sh"

if [ ! -x "$CACHE/node" ] || [ ! -d "$DIRECTORY" ]; then
	[ -z "${UNREACHABLE:-}" ] || skip "$UNREACHABLE"
	die "$PROGRAM is not in $CACHE: run tests/interop/install $PROGRAM"
fi

# ---- the table: whose login, where, how long it lives; at how many seconds left it refreshes by itself (-: when it has
# expired); has it a lock over its request; can its refresh token be withheld; does nothing in its file say whose it is
FORMAT=$PROGRAM TOKEN=.refresh_token ACCESS=.access_token LOCKS='' WITHHOLDS=yes NAMELESS='' JWT=yes
case $PROGRAM in
codex-cli)
	PROVIDER=openai-codex NAME=.codex/auth.json LIFETIME=10d MARGIN=300
	TOKEN=.tokens.refresh_token ACCESS=.tokens.access_token
	;;
claude-code)
	PROVIDER=anthropic NAME=.claude/.credentials.json LIFETIME=8h MARGIN=300 LOCKS=yes JWT=
	TOKEN=.claudeAiOauth.refreshToken ACCESS=.claudeAiOauth.accessToken
	;;
gemini-cli) PROVIDER=corp NAME=.gemini/oauth_creds.json LIFETIME=1h MARGIN=300 JWT= ;;
qwen-code) PROVIDER=corp NAME=.qwen/oauth_creds.json LIFETIME=6h MARGIN=30 LOCKS=yes WITHHOLDS='' NAMELESS=yes JWT= ;;
kimi-code) PROVIDER=corp NAME=.kimi-code/credentials/kimi-code.json LIFETIME=1h MARGIN=1800 LOCKS=yes NAMELESS=yes JWT= ;;
grok-cli)
	PROVIDER=xai NAME=.grok/auth.json LIFETIME=6h MARGIN=300 LOCKS=yes
	TOKEN='.[].refresh_token' ACCESS='.[].key'
	;;
opencode)
	PROVIDER=openai-codex NAME=.local/share/opencode/auth.json LIFETIME=10d MARGIN=-
	TOKEN=.openai.refresh ACCESS=.openai.access
	;;
pi | pi-0.73)
	PROVIDER=openai-codex NAME=.pi/agent/auth.json LIFETIME=10d MARGIN=- LOCKS=yes FORMAT=pi
	[ "$PROGRAM" != pi ] || MARGIN=300 # its `auth` commands; it itself when the token has expired
	TOKEN='.["openai-codex"].refresh' ACCESS='.["openai-codex"].access'
	;;
*) die "no such program: $PROGRAM" ;;
esac
PROFILE=$PROVIDER:default

# write_own LOGIN: $FILE as the program writes it itself.
write_own() {
	local login=$T/logins/$1.json
	case $PROGRAM in
	codex-cli) write_codex "$1" "$FILE" ;;
	claude-code) write_claude "$1" "$FILE" ;;
	gemini-cli) jq -j '{token_type: "Bearer", access_token: .access, scope: "https://www.googleapis.com/auth/cloud-platform",
		expiry_date: .expires, refresh_token: .refresh}' "$login" >"$FILE" ;;
	qwen-code) jq -j '{access_token: .access, token_type: "Bearer", refresh_token: .refresh, resource_url: "portal.qwen.ai",
		expiry_date: .expires}' "$login" >"$FILE" ;;
	kimi-code) jq '{access_token: .access, refresh_token: .refresh, expires_at: (.expires / 1000 | floor),
		scope: "kimi-code", token_type: "Bearer", expires_in: 3600}' "$login" >"$FILE" ;;
	grok-cli) jq -j --arg user "user-$1" '"b1a00492-073a-47ea-816f-4c329264a828" as $client | {"https://auth.x.ai::\($client)": {key: .access,
		auth_mode: "oidc", create_time: "2026-11-28T18:10:44.757826985Z", user_id: $user, email,
		coding_data_retention_opt_out: true, refresh_token: .refresh,
		expires_at: (.expires / 1000 | floor | todate | sub("Z$"; ".123456789Z")), oidc_issuer: "https://auth.x.ai",
		oidc_client_id: $client}}' "$login" >"$FILE" ;;
	opencode) jq -j '{openai: {type: "oauth", refresh, access, expires, accountId}, groq: {type: "api", key: "FAKE"}}' "$login" >"$FILE" ;;
	pi*) jq -j '{"openai-codex": {type: "oauth", access, refresh, expires, accountId}, groq: {type: "api_key", key: "FAKE"}}' \
		"$login" >"$FILE" ;;
	esac
}

# ---- the network

HOSTS='auth.openai.com chatgpt.com api.openai.com platform.claude.com console.anthropic.com api.anthropic.com claude.ai
	oauth2.googleapis.com www.googleapis.com cloudcode-pa.googleapis.com accounts.google.com chat.qwen.ai portal.qwen.ai
	auth.kimi.com api.kimi.com auth.x.ai accounts.x.ai api.x.ai cli-chat-proxy.grok.com models.dev opencode.ai api.github.com'

# The interface comes up, and the names lead here.
enter_network() {
	"$PYTHON" -c 'import fcntl, socket, struct
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 1)) # SIOCSIFFLAGS, IFF_UP' || die "no loopback"
	printf '127.0.0.1 localhost %s\n' "$(echo $HOSTS)" >"$T/hosts"
	mount --make-rprivate / && mount --bind "$T/hosts" /etc/hosts || skip "no mounts of its own can be had here"
	"$TESTS/server/certificate.sh" "$T/world" "IP:127.0.0.1,DNS:localhost$(printf ',DNS:%s' $HOSTS)" || die "no certificate"
}

# start_world TOKEN_URL
start_world() {
	export WORLD=$T/world/log
	: >"$WORLD"
	mkfifo "$T/world/ready"
	"$PYTHON" "$CLIS/world.py" "$T/world" "$WORLD" "$1" >"$T/world/ready" 2>"$T/world/err" &
	SERVERS+=($!)
	read -r _ <"$T/world/ready" || die "no world: $(cat "$T/world/err")"
	rm "$T/world/ready"
}

start_providers() {
	enter_network
	start_oidc
	start_world "$TOKEN_URL"
	[ $PROVIDER != corp ] ||
		PROVIDERS="{ name = \"corp\"; token_url = \"$TOKEN_URL\"; client_id = \"agents\"; lifetime = \"$LIFETIME\"; }"
}

# ---- the program

scene() {
	fresh_programs
	FILE=$HOME/$NAME
	mkdir -p "$(dirname "$FILE")"
	LOGIN=who$ROUND
	mint $LOGIN provider=$PROVIDER lifetime=$LIFETIME ${JWT:+jwt=yes} "$@"
	write_store "main a" $PROFILE=$LOGIN
	write_own $LOGIN
	: >"$WORLD"
}
# take_over: what it has got by itself becomes everybody's. Where nobody can tell whose that is, a person says it.
take_over() {
	if [ -n "$NAMELESS" ]; then
		keeper sync -j --adopt "$FILE" $PROFILE
	else
		keeper refresh -j
	fi
	expect_status 0
	expect_field '.accounts[0].outcome' adopted
	expect_eq "main's access token" "$(main_access $PROFILE)" "$(own_access)"
	expect_eq "main's token" "$(store_token main $PROFILE)" "$(own_token)"
}

# So many seconds are left when it refreshes by itself.
within_margin() {
	case $MARGIN in
	-) echo -5 ;;
	30) echo 5 ;;
	*) echo $((MARGIN - 40)) ;;
	esac
}
shared() { follow $FORMAT "$FILE" $PROFILE 'refresh_token = "share";'; }
withheld() { follow $FORMAT "$FILE" $PROFILE 'refresh_token = "withhold";'; }

program_environment() {
	ENVIRONMENT=(env -i "HOME=$HOME" "PATH=$PATH" "TMPDIR=$T" "WORLD=$WORLD" "NODE_EXTRA_CA_CERTS=$T/world/ca.pem"
		"SSL_CERT_FILE=$T/world/ca.pem" "CODEX_CA_CERTIFICATE=$T/world/ca.pem" NO_COLOR=1 DISABLE_TELEMETRY=1 DISABLE_AUTOUPDATER=1)
}
says=$T/says asks=$T/asks
drive() {
	program_environment
	"${ENVIRONMENT[@]}" "${UNDER[@]}" "$CACHE/node" "$CLIS/drive.mjs" "$PROGRAM" "$DIRECTORY" "$@" >"$says" 2>"$says.err" </dev/null ||
		die "$PROGRAM could not be driven: $(tail -5 "$says.err")"
}
# What it does about locks is seen in its calls: that it comes to one, and is refused.
start_drive() {
	: >"$asks"
	strace -qq -e trace=execve -o /dev/null true 2>/dev/null || skip "strace may not trace here"
	UNDER=(strace -f -qq --seccomp-bpf -o "$asks" -e 'trace=/mkdir,/open,flock')
	drive "$@" &
	DRIVING=$!
	UNDER=()
}
wait_drive() { wait "$DRIVING" || die "$PROGRAM could not be driven"; }
was_refused() { grep -qE '(mkdir|open)[^ ]*\(.*lock.*EEXIST|flock\(.*(EAGAIN|LOCK_EX( |$))' "$asks"; }

theirs() { jq -s "map(select($1)) | length" "$WORLD"; }
bearer() {
	local named
	named=$(jq -r '.access // empty' "$says")
	echo "${named:-$(jq -rs 'map(select(.bearer and .token == null)) | last.bearer' "$WORLD")}"
}
own_token() { fingerprint_of <"$FILE" "$TOKEN"; }
was_sent_by_it() { [ "$(theirs '.token != null')" -gt 0 ]; }
own_access() { fingerprint_of <"$FILE" "$ACCESS"; }

skeleton() {
	"$PYTHON" - "$1" <<-'END'
		import re, sys
		text = open(sys.argv[1]).read()
		print(repr(re.sub(r'"(eyJ|FAKE|ya29)[^"]*"|"[\w-]{40,}"', '"TOKEN"', re.sub(r'\b\d{10,13}\b|"20\d\d-[^"]*"', "TIME", text))))
	END
}

# expect_accepted WHAT: it took the login, with the access token that main has.
expect_accepted() {
	expect_eq "$1: $PROGRAM accepts the login ($(jq -c .says "$says"))" "$(jq .ok "$says")" true
	expect_eq "$1: its access token" "$(bearer)" "$(main_access $PROFILE)"
}
