# Real OpenClaw beside us: `make interop` takes all versions and 100 rounds (ROUNDS=…, ONLY=part of a name),
# `make interop-fast` two versions and 10 rounds. Packages: tests/interop/install.
interop: all
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/interop/run $(ONLY)

interop-fast: all
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive VERSIONS="2026.6.1 2026.4.20" ROUNDS=$(or $(ROUNDS),10) \
		tests/interop/run $(ONLY)

.PHONY: interop interop-fast
