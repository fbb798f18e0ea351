# SPDX-License-Identifier: MIT
#
# Hundreds of logins in dozens of stores, all due at once (see tests/scale/run).

scale: all
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/scale/run

.PHONY: scale
