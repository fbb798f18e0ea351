#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A write goes to a link's target and leaves the link; mode and owner stay; no file appears that was not there.
. "$(dirname "$0")/lib.sh" || exit 1

start_oidc
mint alice left=30m
write_store "main plain $HOME/elsewhere/shared.json" xai:default=alice
mkdir -p "$STATE"/agents/{inside,outside,twice,hard,empty}/agent
ln -s ../../main/agent/auth-profiles.json "$(store inside)"
ln -s "$HOME/elsewhere/shared.json" "$(store outside)"
ln -s ../../outside/agent/auth-profiles.json "$(store twice)"
ln "$(store main)" "$(store hard)"
chmod 640 "$(store plain)"
[ "$(id -u)" = 0 ] && chgrp 1234 "$(store plain)"

describe() { stat -c '%F %a %u %g' "$(store "$1")" "$(realpath "$(store "$1")")"; }
agents="main plain inside outside twice hard"
for agent in $agents; do describe "$agent"; done >"$T/before"
every_file >"$T/files"

keeper refresh -j
expect_status 0
expect_posts 1
# shellcheck disable=SC2086
expect_generation alice $agents
for agent in $agents; do describe "$agent"; done >"$T/after"
expect_eq "types, modes and owners" "$(cat "$T/after")" "$(cat "$T/before")"
expect_eq "links" "$(readlink "$(store inside)" "$(store outside)" "$(store twice)")" \
	"$(printf '%s\n' ../../main/agent/auth-profiles.json "$HOME/elsewhere/shared.json" ../../outside/agent/auth-profiles.json)"
expect_eq "the hard link is a file of its own" "$(stat -c %h "$(store main)" "$(store hard)" | xargs)" "1 1"
expect_eq "files" "$(every_file)" "$(cat "$T/files")"
expect_eq "beside the link's target" "$(ls -A "$HOME/elsewhere")" shared.json
