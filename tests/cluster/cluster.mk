# SPDX-License-Identifier: MIT
#
# Several hosts with one login: three of them in a demonstration; five in network namespaces (make cluster-race ROUNDS=20).

demo-cluster:
	$(Q)tests/install-packages.sh cluster
	$(Q)$(MAKE) --no-print-directory all
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/cluster/demo.sh

cluster-race: all
	$(Q)tests/install-packages.sh cluster
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/cluster/race.py $(if $(ROUNDS),--rounds $(ROUNDS))

.PHONY: cluster-race demo-cluster
