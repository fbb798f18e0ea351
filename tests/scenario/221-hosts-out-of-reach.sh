#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# etcd is out of reach, or loses a member in the middle of a refresh: a host sends nothing that the cluster does not know of,
# unless `partition` says so and the login is about to end; what it got then comes to the others afterwards. A token whose
# answer was lost is never sent again with `retry = "never"`, and else only when told to.
. "$(dirname "$0")/lib.sh" || exit 1
. "$(dirname "$0")/cluster.sh"

start_etcd 3
start_oidc

# A member is killed while the answer is on its way, the one that we speak to: the commit goes to another.
mint alice left=30m email=a@example.org
new_host b
write_store main xai:default=alice
new_host a
write_store main xai:default=alice
asked() { [ "$(posts)" -gt "$POSTS_BEFORE" ]; }
hold_answer
start_keeper refresh
wait_until asked
kill -KILL "${ETCD_PIDS[0]}"
release_answer
wait_keepers
expect_eq "exit status with a member killed" "$statuses" 0
expect_generation alice main
on_host b
keeper refresh
expect_status 0
expect_generation alice main
expect_posts 1

# The answer is lost with all who waited for it. As long as the hold stands, the other host says who is at it.
hold_answer
on_host a
keeper_command refresh --force
"${COMMAND[@]}" >"$out" 2>"$err" </dev/null &
killed=$!
asked() { [ "$(posts)" -gt $((POSTS_BEFORE + 1)) ]; }
wait_until asked
for pid in $(couriers); do kill -KILL "$pid"; done
kill -KILL $killed
wait $killed 2>/dev/null
release_answer
on_host b
keeper refresh --force -j
expect_match "$out" 'a is refreshing it|a is at it'
expect_posts 2

# … and when it has run out: never again, or when told to.
for kind in holds locks; do
	ETCDCTL_API=3 etcdctl --endpoints "${ETCD_URLS[1]}" del --prefix "/oauth-keepalive/$kind/" >/dev/null
done
keeper refresh --force -j
expect_status 3
expect_field '.accounts[0].error.code' unknown_outcome
expect_posts 2
CLUSTER='retry = "never";' on_host b
keeper refresh --force --last-try -j
expect_status 3
expect_field '.accounts[0].outcome' needs_login
expect_posts 2
CLUSTER='' on_host b
keeper refresh --force --last-try -j
expect_status 3
expect_posts 3

# Nobody is there: what is due waits, and says so.
CLUSTER='prefix = "/second/";'
mint bob left=2m email=b@example.org
new_host e
write_store main xai:default=bob
new_host c
write_store main xai:default=bob
mint carol left=2h email=c@example.org
new_host d
write_store main xai:other=carol
keeper refresh
expect_status 0
kill -KILL "${ETCD_PIDS[1]}" "${ETCD_PIDS[2]}"
on_host c
before=$(sum "$(store main)")
reset_posts
keeper refresh -j
expect_status 1
expect_match "$out" cluster_unreachable
expect_untouched "$(store main)" "$before"
expect_posts 0

# … unless it is to refresh alone, what is about to end; and only that.
CLUSTER='prefix = "/second/"; partition = "refresh";'
on_host d
keeper refresh --force -j
expect_status 1
expect_posts 0
on_host c
keeper refresh -j
expect_status 1
expect_field '.accounts[0].outcome' refreshed
expect_field '.accounts[0].error.code' cluster_unreachable
expect_posts 1
expect_generation bob main

# Once it is there again, the others have it.
for member in 0 1 2; do run_member "$member"; done
etcds_came_up 3 || fail "the members do not come up again"
keeper refresh
expect_status 0
on_host e
keeper refresh
expect_status 0
expect_generation bob main
expect_posts 1

# All of them are gone when the answer comes: it is kept here, and it is no success until the others are told.
CLUSTER='prefix = "/third/";'
mint dave left=30m email=d@example.org
new_host g
write_store main xai:default=dave
new_host f
write_store main xai:default=dave
asked() { [ "$(posts)" -gt "$POSTS_BEFORE" ]; }
hold_answer
start_keeper refresh -j
wait_until asked
kill -KILL "${ETCD_PIDS[@]}"
release_answer
wait_keepers
expect_eq "exit status with a commit that did not get there" "$statuses" 1
expect_field '.accounts[0].outcome' refreshed
expect_field '.accounts[0].error.code' cluster_unreachable
expect_generation dave main
keeper refresh
expect_status 1
for member in 0 1 2; do run_member "$member"; done
etcds_came_up 3 || fail "the members do not come up again"
on_host g
keeper refresh -j
expect_match "$out" 'f is (at|refreshing) it'
for host in f g; do
	on_host "$host"
	keeper refresh
	expect_status 0
	expect_generation dave main
done
expect_posts 1
expect_no_secrets
