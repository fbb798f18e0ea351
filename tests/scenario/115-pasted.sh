#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What a problem shows as its fix is a command line: pasted into a shell it does what it says, and the problem is gone.
# (More of them: 101-restore, 103-follow, 114-follow-main-again; what is for an editor or for an administrator is not here.)
. "$(dirname "$0")/sqlite.sh" || exit 1

start_oidc
mkdir "$T/bin"
PATH=$T/bin:$PATH
keeper_command status
printf '#!/bin/sh\nexec %q --config "$KEEPER_CONFIG" --ledger-dir "$KEEPER_LEDGER" "$@"\n' "${COMMAND[0]}" >"$T/bin/oauth-keepalive"
printf '#!/bin/sh\nexec "$@"\n' >"$T/bin/sudo"
chmod 755 "$T"/bin/*
# login STORE PROFILE NAME: what `openclaw models auth login` is to do, when the command that is shown is run.
login() {
	mint "$3" left=5h "${@:4}"
	cat >"$T/bin/openclaw" <<-END
		#!/bin/sh
		[ "\$1 \$2 \$3" = "models auth login" ] || exit 1
		jq --slurpfile login "$T/logins/$3.json" '.profiles["$2"] = \$login[0]' "$(store "$1")" >"$T/new" && cat "$T/new" >"$(store "$1")"
	END
	chmod 755 "$T/bin/openclaw"
}
codes() { field '[.problems[].code] | unique | join(" ")'; }
# pasted WHAT CODE COMMAND…: the problem is there, its fix is run as it is shown, and the problem is there no more.
pasted() {
	local fix
	keeper sync -j
	fix=$(field "[.problems[] | select(.code == \"$2\")][0].fix | sub(\"^.*; only if there is none: \"; \"\")")
	case $fix in oauth-keepalive\ * | chmod\ * | mv\ * | rm\ * | sudo\ * | openclaw\ *) ;; *) fail "$1: a command is shown for $2" "$fix" "$(codes)" ;; esac
	(cd / && KEEPER_CONFIG=$T/keeper.conf KEEPER_LEDGER=$LEDGER bash -c "$fix") >"$T/runs/pasted" 2>&1 || fail "$1: $fix" "$(cat "$T/runs/pasted")"
	keeper sync -j
	expect_eq "$1, after: $fix" "$(codes)" "${3:-}"
}
begin() {
	fresh
	mint alice left=5h
	write_store "main a" xai:default=alice
	keeper sync -j
	expect_status 0
}
works() {
	keeper refresh --force -j
	expect_status 0
	expect_generation alice main a
}

# The ledger: its directory, its files, its place.
begin
chmod 755 "$LEDGER"
pasted "open to others" ledger_unreadable
for file in ledger.json "accounts/*.json"; do
	# shellcheck disable=SC2086
	chmod 644 "$LEDGER"/$file
	pasted "$file open to others" ledger_unreadable
done
works
if [ "$(id -u)" = 0 ]; then
	chown 65534 "$LEDGER/ledger.json"
	pasted "another user's file" ledger_unreadable
	chown 65534 "$LEDGER"
	pasted "another user's directory" ledger_unreadable
	works
fi
receipt=$LEDGER/receipts/$(printf token | sha256sum | cut -c1-64)
echo '{}' >"$receipt"
chmod 644 "$receipt"
keeper sync -j
expect_match "$out" "do not remove it, it may hold an answer"
fix=$(field '[.problems[] | select(.code == "ledger_unreadable")][0].fix')
bash -c "$fix" || fail "$fix"
expect_eq "mode of the receipt" "$(stat -c %a "$receipt")" 600
rm "$receipt"
lock=$(echo "$LEDGER"/accounts/*.lock)
chmod 644 "$lock"
keeper refresh --force -j
fix=$(field '.accounts[0].error.message | sub("^.*: "; "")')
bash -c "$fix" || fail "$fix"
works
printf '{' | tee "$LEDGER"/accounts/*.json >/dev/null
pasted "a damaged record" ledger_unreadable
works
printf '{' >"$LEDGER/ledger.json"
pasted "a damaged ledger" ledger_unreadable ledger_conflict
pasted "… which was another one" ledger_conflict
works
rm -r "$LEDGER/displaced"
pasted "not whole" ledger_unreadable ledger_conflict
pasted "… which was another one" ledger_conflict
works
begin
mv "$LEDGER" "$HOME/moved"
echo >"$LEDGER"
pasted "no directory" ledger_unreadable ledger_conflict
rm -f "$LEDGER".old
mv "$HOME/moved" "$LEDGER"
keeper sync -j
expect_status 0

# With accounts named, what bars them is shown all the same; what is another's is not.
begin
mint bob left=5h
write_store b xai:bob=bob
keeper sync -j
write_store b xai:bob='{"type": "oauth", "provider": "xai", "access": 7, "refresh": 7}'
chmod 666 "$(store a)"
chmod 644 "$LEDGER/ledger.json"
keeper sync xai:default
expect_match "$err" "fix: chmod 600 .*/ledger.json$"
chmod 600 "$LEDGER/ledger.json"
keeper sync xai:default
expect_match "$err" "fix: chmod go-w .*/a/agent/auth-profiles.json$"
expect_no_match "$err" "xai:bob"
begin

# Two ledgers, and the other one is there.
mv "$LEDGER" "$HOME/first"
sed -i "s| .*| $HOME/first|" "$STATE/locks/oauth-keepalive"
pasted "another ledger" ledger_conflict ledger_conflict
expect_match "$T/runs/pasted" "^xai:default .* fresh "

# The directories of the locks.
for directory in locks locks/oauth-refresh; do
	begin
	works
	chmod 777 "$STATE/$directory"
	pasted "$directory for all" lock_directory
	mv "$STATE/$directory" "$STATE/elsewhere"
	ln -s "$STATE/elsewhere" "$STATE/$directory"
	pasted "$directory is a link" lock_directory
	works
done

# Stores that others can write.
begin
chmod 666 "$(store a)"
pasted "a store" store_unsafe
chmod 777 "$STATE/agents/a"
pasted "above a store" store_unsafe
chmod 777 "$STATE"
pasted "the state directory" state_dir_unsafe
works

# … and that cannot be read.
if [ "$(id -u)" != 0 ]; then
	begin
	for closed in "$(store a)" "$STATE/agents/a/agent" "$STATE/agents" "$STATE"; do
		chmod 000 "$closed"
		for _ in 1 2 3; do # to pass, then to read
			keeper sync -j
			fix=$(field '.problems[0].fix // ""')
			case $fix in chmod\ u+*) bash -c "$fix" ;; esac
		done
		keeper sync -j
		expect_eq "$closed" "$status $(codes)" "0 "
		chmod u+rwx "$closed"
	done
	works
else
	not_shown "stores that cannot be read: root reads all"
fi

# Where a login helps, it is what is shown, and it does.
begin
jq '.profiles["xai:third"] = .profiles["xai:default"] | .profiles["xai:third"].email = "bob@example.com"' "$(store main)" >"$T/new"
cat "$T/new" >"$(store main)"
login main xai:third bob
pasted "two people's, one token" identity_conflict
begin
jq '.profiles["anthropic:x"] = .profiles["xai:default"] | .profiles["anthropic:x"].provider = "anthropic"' "$(store main)" >"$T/new"
cat "$T/new" >"$(store main)"
login main anthropic:x carol provider=anthropic
pasted "two providers', one token" shared_token
begin
jq '.profiles["xai:default"].refresh = 7' "$(store main)" >"$T/new"
cat "$T/new" >"$(store main)"
login main xai:default alice
pasted "a bad entry" credential_unreadable
works
begin
jq -c '.refresh = "FAKE-REFRESH-NEVER-SEEN"' "$T/logins/alice.json" >"$T/logins/never.json"
write_store main xai:default="$(fence never failed)"
login main xai:default alice
pasted "a fence that nobody knows" copy_fenced
works

# Main's store is gone: which, is said; and no login is asked for, as none would help.
begin
mv "$(store main)" "$T/kept.json"
keeper sync
expect_status 3
expect_match "$out" "held +its main store is missing \($(store main)\)$"
expect_no_match "$out" "log ?in"
mv "$T/kept.json" "$(store main)"
works
# Lost from it: the way back is shown beside the login.
begin
cp "$(store main)" "$T/kept.json"
write_store main other:x='{"type": "api_key", "provider": "other", "key": "FAKE-KEY-FAKE-KEY"}'
keeper sync
expect_status 3
expect_match "$out" "put it back, then .oauth-keepalive sync --adopt main."
expect_match "$out" "log in with: openclaw"
cp "$T/kept.json" "$(store main)"
keeper sync -j
expect_status 3
(cd / && KEEPER_CONFIG=$T/keeper.conf KEEPER_LEDGER=$LEDGER bash -c "oauth-keepalive sync --adopt main") >/dev/null || fail "as it is shown"
works
expect_no_secrets
