# SPDX-License-Identifier: MIT
#
# The proof by breaking (see tests/torture/run). CASES chooses: make torture CASES='refresh/kill-*'

TORTURE = OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive STEPPER=$(BUILD)/torture/stepper tests/torture/run

$(BUILD)/torture/stepper: tests/torture/stepper.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(CPPFLAGS) -D_GNU_SOURCE $(LDFLAGS) -o $@ $<

torture: all $(BUILD)/torture/stepper
	$(Q)$(TORTURE) $(CASES)

# Every thirteenth case, under two minutes.
torture-fast: all $(BUILD)/torture/stepper
	$(Q)$(TORTURE) --sample 13 $(CASES)

# A quarter of a minute, part of `make check`.
torture-sample: all $(BUILD)/torture/stepper
	$(Q)if [ "$$(id -u)" = 0 ]; then $(TORTURE) --sample 61 'refresh/kill-*' refresh/dying-disk; \
	else echo "# skipped: only root sees what the torture looks at"; fi

.PHONY: torture torture-fast torture-sample
