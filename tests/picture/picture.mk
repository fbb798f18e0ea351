# SPDX-License-Identifier: MIT
#
# The pictures in the README of `status --watch` (needs tmux) and of the dashboard's panels (needs prometheus), both of real
# runs on a moved clock.

picture: all
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/picture/run docs/status.svg
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/picture/dashboard docs/dashboard.svg

.PHONY: picture
