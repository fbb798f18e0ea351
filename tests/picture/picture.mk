# SPDX-License-Identifier: MIT
#
# The picture of `status --watch` in the README, of real runs on a moved clock (tmux).

picture: all
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/picture/run docs/status.svg

.PHONY: picture
