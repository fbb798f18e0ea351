# Real OpenClaw beside us: `make interop` takes all versions and 100 rounds (ROUNDS=…, ONLY=part of a name),
# `make interop-fast` all versions and 10 rounds, `make interop-ci` one version with JSON and one with SQLite, 10 rounds, without the
# dense races.
# Packages: tests/interop/install.
interop: all
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/interop/run $(ONLY)

interop-fast: all
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive ROUNDS=$(or $(ROUNDS),10) tests/interop/run $(ONLY)

interop-ci: all
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive VERSIONS="2026.6.1 2026.9.6" ROUNDS=$(or $(ROUNDS),10) \
		tests/interop/run $(or $(ONLY),10- 20- 30- 40- 41- 50- 60- 61- 62- 63- 64- 65- 66-)

.PHONY: interop interop-fast interop-ci

# Other programs that keep logins in files of their own, beside us, at the versions of tests/interop/clis/locks:
# PROGRAMS="codex-cli pi" takes some, ONLY=part of a test's name, ROUNDS=12 fewer races than 50.
interop-clis: all
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/interop/clis/run $(ONLY)

.PHONY: interop-clis
