# Fuzzing, static analysis, valgrind, memory that runs out. Included by the Makefile; every target installs the tools
# it needs where it may (tests/static/tools.sh). Variables: FUZZ_TIME (seconds for each target), ONLY (a part of a
# fuzz target's or analyser's name), STRIDE (every how many-th allocation fails).

FUZZ_TIME   ?= 20
FUZZ_CC     ?= clang
FUZZ_BUILD   = $(BUILD)/fuzz
FUZZ_CFLAGS  = -O1 -g -fno-omit-frame-pointer -std=gnu17 $(DEFINES) -Wall -Wextra $(if $(WERROR),-Werror) \
               -Wno-missing-field-initializers \
               -fno-sanitize-recover=undefined -Isrc -Itests/fuzz
# The courier's parser of requests is fuzzed with the keeper's modules.
FUZZ_OBJECTS = $(patsubst src/%.c,$(FUZZ_BUILD)/%.o,$(KEEPER_SOURCES) src/courier/request.c)
FUZZ_TARGETS = $(patsubst tests/fuzz/%.c,$(FUZZ_BUILD)/%,$(wildcard tests/fuzz/fuzz_*.c))

$(FUZZ_BUILD)/%.o: src/%.c
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link,address,undefined -MMD -MP -c -o $@ $<

# It starts no courier.
$(FUZZ_BUILD)/courier/client.o: DEFINES += -DLIBEXECDIR='"/nonexistent"' -DLIBEXEC_FROM_BIN='"nonexistent"'

$(FUZZ_BUILD)/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/fuzz.h $(FUZZ_OBJECTS)
	$(call say,FUZZ,$@)
	$(Q)$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $< $(FUZZ_OBJECTS) \
		$(call pkg,--libs,$(KEEPER_PACKAGES))

fuzz-build: $(FUZZ_TARGETS)
.SECONDARY: $(FUZZ_OBJECTS)

fuzz:
	$(Q)tests/static/tools.sh fuzz
	$(Q)$(MAKE) --no-print-directory fuzz-build
	$(Q)tests/fuzz/run.sh $(FUZZ_TIME) $(if $(ONLY),$(foreach t,$(FUZZ_TARGETS),$(if $(findstring $(ONLY),$(t)),$(t))),$(FUZZ_TARGETS))

static:
	$(Q)tests/static/tools.sh static
	$(Q)tests/static/analyse.sh $(ONLY)

# What docs/architecture.md says of includes and calls.
layers: all
	$(Q)tests/static/layers.py src $(BUILD)

valgrind: all $(UNIT_TESTS)
	$(Q)tests/static/tools.sh valgrind
	$(Q)COURIER=$(BUILD)/oauth-keepalive-courier OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive \
		tests/static/valgrind.sh $(UNIT_TESTS)

# A library for LD_PRELOAD, for the scenarios as well.
$(BUILD)/preload.so: tests/fuzz/preload.c
	@mkdir -p $(@D)
	$(Q)$(CC) -shared -fPIC -O1 -g -Wl,-z,now -Wall -Wextra $(if $(WERROR),-Werror) -o $@ $<

# Every allocation of a refresh fails once; -fast: twenty of each scene.
torture-alloc torture-alloc-fast: all $(BUILD)/preload.so
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive PRELOAD=$(BUILD)/preload.so \
		STRIDE=$(or $(STRIDE),1) $(if $(findstring fast,$@),TRIES=20) tests/fuzz/torture-alloc.sh

.PHONY: fuzz fuzz-build static layers valgrind torture-alloc torture-alloc-fast
