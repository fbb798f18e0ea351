# Other systems, each in a chroot of its own (root, debootstrap, a Debian mirror): what docs/platforms.md records.
# ONLY="trixie" chooses a release. Half an hour, and not for every change.

distro:
	$(Q)tests/distro/run $(ONLY)

aarch64 i386:
	$(Q)tests/distro/foreign $@

.PHONY: distro aarch64 i386
