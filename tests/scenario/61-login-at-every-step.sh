#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A login saved at any step of keeper or courier, in main or in an agent, under the store's lock or without it, is what
# that store holds in the end; no token is spent twice. EVERY=1 takes each step, not a sample. (With SQLite stores:
# 85-sqlite-login-at-every-step.)
# Long: a login at each step of a run.
. "$(dirname "$0")/lib.sh" || exit 1
strace -qq -e inject=getpid:signal=SIGCONT:when=1 -o /dev/null true 2>/dev/null || skip "strace may not inject here"

start_oidc
control delay '{"answers": 999, "ms": 20}' >/dev/null # so that it waits for the answer in poll
mint template
write_store "main a b" xai:default=template
mv "$STATE" "$T/template"
STATE=@HOME@/.openclaw
write_config
mv "$T/keeper.conf" "$T/keeper.conf.template"
"$PYTHON" "$TESTS/scenario/login-steps.py" "$T" "$CONTROL" "$OAUTH_KEEPALIVE" json || FAILED=1
