# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# lib.sh, and OpenClaw's SQLite stores:
#
#	write_database "shared|AGENT…" PROFILE=LOGIN…   the row, in a database of OpenClaw's shape, made if it is not there
#	ERA=2026.6.5|2026.8.1 (default 2026.9.6)        whose DDL and user_version
#	database AGENT|shared                           its file
#	document AGENT|shared                           the text in its row
#	sql FILE STATEMENT…
#	fence LOGIN pending|failed [CLAIM [PROFILE [PROVIDER]]]   the login as OpenClaw fences it off, as a LOGIN of write_…
#	hold_database FILE [STATEMENT]                  another process has it open, with that done; release_databases
#
# `store_token`, and with it `expect_generation`, take `shared` and agents that have a database, too.

# shellcheck source=lib.sh
declare -F keeper >/dev/null || . "$(dirname "${BASH_SOURCE[0]}")/lib.sh" || exit 1
ERA=2026.9.6
HELD=()

database() {
	case $1 in
	/*) echo "$1" ;;
	shared) echo "$STATE/state/openclaw.sqlite" ;;
	*) echo "$STATE/agents/$1/agent/openclaw-agent.sqlite" ;;
	esac
}

sql() { sqlite3 -batch -cmd ".timeout 120000" "$@" || die "sqlite3 $*"; }

# Unix milliseconds, as OpenClaw writes them.
now_ms() { echo $(($(date +%s%N) / 1000000)); }

schema() { # shared|AGENT
	local strict=" STRICT" version=23
	case $ERA in 2026.6.* | 2026.7.*) strict= version=1 ;; 2026.8.*) version=19 ;; esac
	echo "PRAGMA journal_mode=WAL; PRAGMA auto_vacuum=INCREMENTAL;"
	if [ "$1" = shared ]; then
		[ $version = 23 ] && version=18
		[ $version = 19 ] && version=15
		echo "CREATE TABLE IF NOT EXISTS agent_databases (agent_id TEXT NOT NULL, path TEXT NOT NULL,
			schema_version INTEGER NOT NULL, last_seen_at INTEGER NOT NULL, size_bytes INTEGER,
			PRIMARY KEY (agent_id, path))$strict;"
		[ "$strict" ] && echo "CREATE TABLE IF NOT EXISTS config_machine_state (state_key TEXT NOT NULL PRIMARY KEY,
			value_json TEXT NOT NULL, updated_at_ms INTEGER NOT NULL)$strict;"
	else
		echo "CREATE TABLE IF NOT EXISTS auth_profile_store (store_key TEXT NOT NULL PRIMARY KEY,
			store_json TEXT NOT NULL, updated_at INTEGER NOT NULL)$strict;
			CREATE TABLE IF NOT EXISTS auth_profile_state (state_key TEXT NOT NULL PRIMARY KEY,
			state_json TEXT NOT NULL, updated_at INTEGER NOT NULL)$strict;"
	fi
	echo "CREATE TABLE IF NOT EXISTS schema_meta (meta_key TEXT NOT NULL PRIMARY KEY, role TEXT NOT NULL,
		schema_version INTEGER NOT NULL, agent_id TEXT, updated_at INTEGER NOT NULL)$strict;
		PRAGMA user_version=$version;"
}

# put_document AGENT|shared <TEXT: into the row, with `updated_at` 1, so that a write shows.
put_document() {
	local file
	file=$(database "$1")
	mkdir -p "$(dirname "$file")"
	[ -e "$file" ] || schema "$1" | sql "$file" >/dev/null
	cat >"$T/document"
	if [ "$1" = shared ]; then
		sql "$file" "INSERT INTO config_machine_state VALUES ('auth.sharedStore', '{\"location\":\"state-db\"}', 1)
			ON CONFLICT DO NOTHING;
			INSERT INTO config_machine_state VALUES ('authProfiles.state', '{\"version\":1}', 1) ON CONFLICT DO NOTHING;
			INSERT INTO config_machine_state VALUES ('authProfiles.store', CAST(readfile('$T/document') AS TEXT), 1)
			ON CONFLICT DO UPDATE SET value_json = excluded.value_json, updated_at_ms = 1;"
	else
		sql "$file" "INSERT INTO auth_profile_store VALUES ('primary', CAST(readfile('$T/document') AS TEXT), 1)
			ON CONFLICT DO UPDATE SET store_json = excluded.store_json, updated_at = 1;"
	fi
	rm -f "$T/document"
	chmod 600 "$file"*
}

write_database() {
	local stores=$1 store
	shift
	for store in $stores; do
		write_store "$T/blob.json" "$@"
		jq -jc . "$T/blob.json" | put_document "$store"
	done
	rm -f "$T/blob.json"
}

document() {
	case $1 in
	shared) sql "$(database shared)" "SELECT value_json FROM config_machine_state WHERE state_key = 'authProfiles.store'" ;;
	*) sql "$(database "$1")" "SELECT store_json FROM auth_profile_store" ;;
	esac
}

updated_at() {
	case $1 in
	shared) sql "$(database shared)" "SELECT updated_at_ms FROM config_machine_state WHERE state_key = 'authProfiles.store'" ;;
	*) sql "$(database "$1")" "SELECT updated_at FROM auth_profile_store" ;;
	esac
}

store_token() {
	if [[ $1 != *.json ]] && [ -e "$(database "$1")" ]; then
		document "$1" | fingerprint_of --arg p "${2:-xai:default}" '.profiles[$p] | .refresh'
	else
		fingerprint_of <"$(store "$1")" --arg p "${2:-xai:default}" '.profiles[$p] | .refresh // .refresh_token'
	fi
}

fence() {
	"$PYTHON" - "$T/logins/$1.json" "$2" "${3:-0123456789abcdef0123456789abcdef}" "${4:-xai:default}" "${5:-}" <<-'END' || die "fence $*"
		import hashlib, json, sys
		login, (state, claim, profile, provider) = json.load(open(sys.argv[1])), sys.argv[2:]
		login["provider"] = provider or login["provider"]
		def half(kind):
		    parts = ["openclaw.oauth-refresh-generation", 1, profile, login["provider"], kind, login[kind]]
		    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=False)
		    failed = "failed:" if state == "failed" else ""
		    return f"openclaw-oauth-refresh-fence:v1:{claim}:{failed}{kind}:{hashlib.sha256(text.encode()).hexdigest()}"
		login.pop("idToken", None)
		print(json.dumps(login | {"access": half("access"), "refresh": half("refresh"), "expires": 1}))
	END
}

hold_database() {
	local done=$T/holding${#HELD[@]}
	"$PYTHON" - "$1" "${2:-}" "$done" <<-'END' &
		import os, sqlite3, sys, time
		file, statements, done = sys.argv[1:]
		database = sqlite3.connect(file, isolation_level=None)
		database.execute("PRAGMA wal_autocheckpoint=0")
		database.execute("SELECT count(*) FROM sqlite_master").fetchone()
		for statement in filter(None, (s.strip() for s in statements.split(";"))):
		    database.execute(statement)
		open(done, "w").close()
		while os.getppid() > 1:
		    time.sleep(0.1)
	END
	HELD+=($!)
	SERVERS+=($!)
	wait_until test -e "$done"
}

# As a kill leaves it: nothing closed, nothing checkpointed.
release_databases() {
	local pid
	for pid in "${HELD[@]}"; do
		kill -9 "$pid"
		wait "$pid" 2>/dev/null
	done
	HELD=()
	rm -f "$T"/holding*
}

# expect_sound FILE…: and still a WAL database
expect_sound() {
	local file
	for file; do
		expect_eq "integrity of $file" "$(sql "$file" 'PRAGMA integrity_check; PRAGMA journal_mode')" "ok
wal"
	done
}

# Paths, sizes, inodes, modes and times of everything.
everything() { find "$HOME" -printf '%p %y %m %s %i %T@\n' | sort; }
