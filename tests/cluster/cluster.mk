# SPDX-License-Identifier: MIT
#
# Several hosts, in network namespaces, with one login: make cluster-race ROUNDS=20.

cluster-race: all
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/cluster/race.py $(if $(ROUNDS),--rounds $(ROUNDS))

.PHONY: cluster-race
