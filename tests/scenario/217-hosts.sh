#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two hosts with one login in etcd: one of them refreshes, the other takes it from there, whoever is first; what stands in
# etcd shows neither token nor e-mail; and who is already ahead, or behind, finds his place.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/cluster.sh"

start_etcd
start_oidc
mint alice left=30m email=alice@example.org
new_host a
write_store "main work" xai:default=alice
new_host b
write_store main xai:default=alice

on_host a
keeper refresh -j
expect_status 0
expect_field '.accounts[0].outcome' refreshed
expect_generation alice main work
expect_posts 1

# b is due by what it has; it adopts, and sends nothing.
on_host b
keeper refresh -j
expect_status 0
expect_field '.accounts[0].outcome' adopted
expect_generation alice main
expect_posts 1
keeper refresh -j
expect_field '.accounts[0].outcome' unchanged

# And the other way round.
keeper refresh --force
expect_status 0
expect_posts 2
on_host a
keeper refresh
expect_status 0
expect_generation alice main work
expect_posts 2

# They are no rivals of each other.
keeper refresh --force
on_host b
keeper refresh
on_host a
keeper refresh --force
on_host b
keeper refresh
keeper doctor -j
expect_no_match "$out" foreign_refreshes

# Nothing is left behind, and nothing can be read.
expect_eq "intents, holds, locks" "$(etcd_keys | grep -cE 'intents|holds|locks')" 0
ETCDCTL_API=3 etcdctl --endpoints "${ETCD_URLS[0]}" get --prefix / >"$T/runs/etcd.out"
expect_no_match "$T/runs/etcd.out" 'alice|example|xai'
expect_no_secrets
