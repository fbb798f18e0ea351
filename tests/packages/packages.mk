# The Debian package. deb-check: built twice, and lintian (minutes). deb-distro: built, installed, used, upgraded, removed and
# purged in new Debian systems (root, debootstrap, a mirror; ONLY="trixie" chooses).

deb-check:
	$(Q)tests/packages/check "$(VERSION)"

deb-distro:
	$(Q)tests/packages/distro $(or $(ONLY),bookworm trixie)

.PHONY: deb-check deb-distro
