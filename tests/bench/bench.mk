# SPDX-License-Identifier: MIT
#
# What a run costs, beside what it would cost if nothing but its work were done (tests/bench/run).

BENCH_TOOLS := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(wildcard tests/bench/*.c))

$(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 -pthread -D_GNU_SOURCE -o $@ $<

# The steps of a refresh at etcd, by the program's own code.
$(BUILD)/bench/steps: tests/cluster/steps.c $(call objects,$(KEEPER_SOURCES))
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(CPPFLAGS) $(DEFINES) -Isrc $(LDFLAGS) -o $@ $^ $(call pkg,--libs,$(KEEPER_PACKAGES))
	$(Q)ln -sf ../oauth-keepalive-courier $(@D)/

bench: all $(BENCH_TOOLS) $(BUILD)/bench/steps
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/bench/run $(ONLY)

# In CI: what a run costs in instructions must not creep up. Written anew, it is a decision.
budgets: all $(BENCH_TOOLS)
	$(Q)tests/static/tools.sh valgrind
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/bench/budget

budgets-write: all $(BENCH_TOOLS)
	$(Q)tests/static/tools.sh valgrind
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/bench/budget --write

# Time and memory against size, into docs/cost.png: some minutes, and 2 GB in $TMPDIR. SIZES="10 100" for a look.
bench-plot: all $(BENCH_TOOLS)
	$(Q)tests/static/tools.sh plot
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/bench/plot docs/cost.png

.PHONY: bench bench-plot budgets budgets-write
