# oauth-keepalive. `make demo` shows it at work, `make check` tests it, `make install` installs it.
#
# Both of the first two install what they need (apt, with sudo where you are not root); `make` alone says what is missing.
# Variables worth knowing: PREFIX (~/.local installs for one user), DESTDIR, CC, CFLAGS, V=1 (show commands), BUILD (where objects go), SANITIZE=address,undefined,
# WERROR=1 (a warning is an error: for us, not for whose compiler is another).

PREFIX     ?= /usr/local
ifneq ($(filter ~/%,$(PREFIX)),) # dash leaves it so
override PREFIX := $(patsubst ~/%,$(HOME)/%,$(PREFIX))
endif
$(if $(filter /%,$(firstword $(PREFIX))),,$(error PREFIX=$(PREFIX): units need an absolute path))
# One user's own installation: no units for the system's manager, and the user's where his manager looks.
IN_HOME    := $(if $(HOME),$(findstring ^$(HOME)/,^$(PREFIX)/))
BINDIR     ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec/oauth-keepalive
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/oauth-keepalive
DATADIR    ?= $(PREFIX)/share/oauth-keepalive
# Where the shells look for completions.
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/site-functions
FISHDIR    ?= $(PREFIX)/share/fish/vendor_completions.d
SYSCONFDIR ?= /etc
UNITDIR    ?= $(PREFIX)/$(if $(IN_HOME),share,lib)/systemd
INSTALL    ?= install
BUILD      ?= build
SANITIZE   ?=

VERSION     := 0.1.0
BUILD_EPOCH := $(or $(SOURCE_DATE_EPOCH),$(shell date +%s))

CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra $(if $(WERROR),-Werror) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith \
            -Wwrite-strings -Wformat=2 -Wundef -Wno-missing-field-initializers
# What a distribution says of fortifying stays as it says it; what its compiler does unasked is replaced.
FORTIFY  := $(if $(SANITIZE)$(findstring _FORTIFY_SOURCE,$(CFLAGS) $(CPPFLAGS)),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
HARDEN   := -fstack-protector-strong -fPIE $(FORTIFY)
# 64 bits for inodes, sizes and the time, also where a long has 32.
DEFINES  := -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -DVERSION='"$(VERSION)"'
KEEPER_PACKAGES  := libcjson libconfig libsodium sqlite3
COURIER_PACKAGES := libcurl libcjson libsodium libseccomp

# What a build on the command line gives stays, ours is added to it.
override CFLAGS  += -std=gnu17 -pthread $(WARNINGS) $(HARDEN) $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
override LDFLAGS += -pie -pthread -Wl,-z,relro,-z,now,--as-needed $(if $(SANITIZE),-fsanitize=$(SANITIZE))
pkg = $(shell pkg-config $(1) $(2) 2>/dev/null)

# The courier is a program of its own: the only one that links libcurl.
COURIER_SOURCES := $(filter-out src/courier/client.c,$(wildcard src/courier/*.c src/json/*.c src/base/*.c))
KEEPER_SOURCES  := $(filter-out src/courier/%,$(wildcard src/*/*.c)) \
                   src/courier/client.c src/courier/message.c src/courier/answer.c
objects          = $(patsubst src/%.c,$(BUILD)/%.o,$(1))
UNIT_TESTS      := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/test_*.c))

ifneq ($(V),1)
Q := @
say = @printf '  %-7s %s\n' '$(1)' '$(2)'
endif

all: $(BUILD)/oauth-keepalive $(BUILD)/oauth-keepalive-courier

$(BUILD)/oauth-keepalive: $(call objects,src/main.c $(KEEPER_SOURCES))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg,--libs,$(KEEPER_PACKAGES))

$(BUILD)/oauth-keepalive-courier: $(call objects,$(COURIER_SOURCES))
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(call pkg,--libs,$(COURIER_PACKAGES))

$(BUILD)/%.o: src/%.c Makefile | libraries
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(CPPFLAGS) $(DEFINES) -Isrc -MMD -MP -c -o $@ $<

# The only object that knows when it was built (a clock before that is wrong).
$(BUILD)/base/clock.o: DEFINES += -DBUILD_EPOCH=$(BUILD_EPOCH)

# The only one that knows where the courier will be installed, and where that is from our own program's directory: so it
# is the same for every PREFIX, and a tree may be moved.
PLACES = -DLIBEXECDIR='"$(LIBEXECDIR)"' \
	 -DLIBEXEC_FROM_BIN='"$(shell realpath -ms --relative-to="$(BINDIR)" "$(LIBEXECDIR)")"'
$(BUILD)/courier/client.o: DEFINES += $(PLACES)
$(BUILD)/courier/client.o: $(BUILD)/places
$(BUILD)/places: FORCE
	@mkdir -p $(@D)
	@echo '$(BINDIR) $(LIBEXECDIR)' | cmp -s - $@ || echo '$(BINDIR) $(LIBEXECDIR)' >$@

# Without them the compiler would say so, in its own way.
libraries:
	@pkg-config --exists $(sort $(KEEPER_PACKAGES) $(COURIER_PACKAGES)) 2>/dev/null || tests/install-packages.sh check

# A unit test sees the whole program but for main.
$(BUILD)/unit/%: tests/unit/%.c $(call objects,$(KEEPER_SOURCES))
	$(call say,TEST,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(CPPFLAGS) $(DEFINES) -Isrc -Itests/unit -MMD -MP $(LDFLAGS) -o $@ $(filter %.c %.o,$^) \
		$(call pkg,--libs,$(KEEPER_PACKAGES)) -lcmocka

# (What lies deeper is another build's, of the package or of an old version.)
-include $(shell find $(BUILD) -maxdepth 2 -type f -name '*.d' 2>/dev/null)

# ---- demo and tests: the README's two commands install what they need first

demo: packages
	$(Q)$(MAKE) --no-print-directory all
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/demo.sh

# Ten minutes at most on two cores, of which the scenarios (tests/scenario/run) are most. What each of the others says is
# shown when it is done.
PARALLEL = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))
check: packages
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) all built
	$(Q)$(MAKE) --no-print-directory $(PARALLEL) --output-sync=target unit model-fast model-cluster torture-sample
	$(Q)$(MAKE) --no-print-directory scenario

packages:
	$(Q)tests/install-packages.sh test

built: $(UNIT_TESTS) $(BUILD)/torture/stepper

# A unit test that drives the courier finds it through $COURIER.
unit: all $(UNIT_TESTS)
	$(Q)set -e; export COURIER=$(BUILD)/oauth-keepalive-courier; \
	for t in $(UNIT_TESTS); do echo "# $$(basename $$t)"; $$t; done

# make scenario ONLY=race runs those whose name contains it.
scenario: all $(BUILD)/torture/stepper
	$(Q)OAUTH_KEEPALIVE=$(BUILD)/oauth-keepalive tests/scenario/run $(ONLY)

# By their places, for a tarball has no git.
C_FILES := $(wildcard src/*.c src/*/*.c tests/*/*.c)

lint:
	$(Q)clang-format --dry-run --Werror $(C_FILES)
	$(Q)twice=$$(ls tests/scenario | grep -o '^[0-9]*-' | sort | uniq -d); [ -z "$$twice" ] || { echo "two scenarios begin with $$twice" && exit 1; }
	$(Q)shellcheck -x -P SCRIPTDIR -S warning -e SC2119,SC2178,SC1007 tests/*.sh tests/scenario/*.sh tests/scenario/run tests/scale/run .ci/run \
		tests/interop/*.sh tests/interop/clis/*.sh tests/interop/clis/run tests/interop/run tests/interop/install tests/distro/run tests/distro/foreign \
		tests/picture/run tests/picture/dashboard tests/picture/scene.sh tests/packages/check tests/packages/distro tests/packages/life \
		etc/debian/build $(wildcard etc/debian/*.p*) etc/debian/tests/demo etc/debian/tests/scripted \
		etc/hooks/* etc/completion/*.bash \
		$(filter-out %.c %.mk %.py %/budgets,$(wildcard tests/bench/*))

format:
	clang-format -i $(C_FILES)

include $(wildcard tests/*/*.mk)

# ---- installation

UNITS := $(filter $(if $(IN_HOME),user/%,%),$(patsubst systemd/%,%,$(wildcard systemd/*/*)))
# As a word of a unit, in sed's replacement.
empty :=
unit_word = $(subst &,\&,$(subst $(empty) ,\\x20,$(subst %,%%,$(1))))
# The README and the hooks name the places as they are here.
IN_PLACE = s|/usr/local/share/doc/oauth-keepalive|$(subst &,\&,$(DOCDIR))|g; s|/usr/local/share/oauth-keepalive|$(subst &,\&,$(DATADIR))|g
# Where systemd looks for units, by UNITDIR.
SYSTEMD_LOOKS = $(findstring |$(UNITDIR)|,|/usr/lib/systemd|/usr/local/lib/systemd|/lib/systemd|/etc/systemd|$(or \
	$(XDG_DATA_HOME),$(HOME)/.local/share)/systemd|)

install: all
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)$(INSTALL) -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(LIBEXECDIR)" "$(DESTDIR)$(MANDIR)/man1" "$(DESTDIR)$(MANDIR)/man5" \
		"$(DESTDIR)$(DOCDIR)/docs" "$(DESTDIR)$(DATADIR)/hooks" "$(DESTDIR)$(DATADIR)/prometheus" "$(DESTDIR)$(DATADIR)/grafana" "$(DESTDIR)$(DATADIR)/systemd" "$(DESTDIR)$(BASHDIR)" "$(DESTDIR)$(ZSHDIR)" "$(DESTDIR)$(FISHDIR)" $(foreach d,$(sort $(dir $(UNITS))),"$(DESTDIR)$(UNITDIR)/$(d)")
	$(Q)$(INSTALL) -m 755 "$(BUILD)/oauth-keepalive" "$(DESTDIR)$(BINDIR)/"
	$(Q)$(INSTALL) -m 755 "$(BUILD)/oauth-keepalive-courier" "$(DESTDIR)$(LIBEXECDIR)/"
	$(Q)for page in oauth-keepalive.1 oauth-keepalive.conf.5; do \
		sed 's|^\.Os$$|.Os oauth-keepalive $(VERSION)|' man/$$page | \
		$(INSTALL) -m 644 /dev/stdin "$(DESTDIR)$(MANDIR)/man$${page##*.}/$$page" || exit 1; done
	$(Q)sed '$(IN_PLACE)' README.md | $(INSTALL) -m 644 /dev/stdin "$(DESTDIR)$(DOCDIR)/README.md"
	$(Q)$(INSTALL) -m 644 CHANGELOG.md LICENSE etc/oauth-keepalive.conf docs/schema.json "$(DESTDIR)$(DOCDIR)/"
	$(Q)$(INSTALL) -m 644 $(filter-out %.json,$(wildcard docs/*)) "$(DESTDIR)$(DOCDIR)/docs/"
	$(Q)$(INSTALL) -m 644 etc/completion/oauth-keepalive.bash "$(DESTDIR)$(BASHDIR)/oauth-keepalive"
	$(Q)$(INSTALL) -m 644 etc/completion/_oauth-keepalive "$(DESTDIR)$(ZSHDIR)/"
	$(Q)$(INSTALL) -m 644 etc/completion/oauth-keepalive.fish "$(DESTDIR)$(FISHDIR)/"
	$(Q)for hook in $(notdir $(wildcard etc/hooks/*)); do \
		sed '$(IN_PLACE)' etc/hooks/$$hook | $(INSTALL) -m 755 /dev/stdin "$(DESTDIR)$(DATADIR)/hooks/$$hook" || exit 1; done
	$(Q)$(INSTALL) -m 644 etc/prometheus/* "$(DESTDIR)$(DATADIR)/prometheus/"
	$(Q)$(INSTALL) -m 644 etc/systemd/* "$(DESTDIR)$(DATADIR)/systemd/"
	$(Q)$(INSTALL) -m 644 etc/grafana/* "$(DESTDIR)$(DATADIR)/grafana/"
	$(Q)for unit in $(UNITS); do \
		sed 's|@BINDIR@|$(call unit_word,$(BINDIR))|g; s|@DATADIR@|$(call unit_word,$(DATADIR))|g' systemd/$$unit | \
		$(INSTALL) -m 644 /dev/stdin "$(DESTDIR)$(UNITDIR)/$$unit" || exit 1; done
	$(if $(DESTDIR),,$(Q)printf '%s\n' "look before it acts:  '$(BINDIR)/oauth-keepalive' preview" \
		$(if $(SYSTEMD_LOOKS),"then:  systemctl --user daemon-reload", \
		"then (systemd does not look there by itself):" \
		"       systemctl --user link '$(UNITDIR)/user/oauth-keepalive.service' '$(UNITDIR)/user/oauth-keepalive.timer'") \
		"       systemctl --user enable --now oauth-keepalive.timer")

uninstall:
	$(call say,REMOVE,$(DESTDIR)$(PREFIX))
	$(Q)rm -f "$(DESTDIR)$(BINDIR)/oauth-keepalive" "$(DESTDIR)$(MANDIR)/man1/oauth-keepalive.1" \
		"$(DESTDIR)$(MANDIR)/man5/oauth-keepalive.conf.5" "$(DESTDIR)$(BASHDIR)/oauth-keepalive" \
		"$(DESTDIR)$(ZSHDIR)/_oauth-keepalive" "$(DESTDIR)$(FISHDIR)/oauth-keepalive.fish"
	$(Q)rm -rf "$(DESTDIR)$(LIBEXECDIR)" "$(DESTDIR)$(DOCDIR)" "$(DESTDIR)$(DATADIR)"
	$(Q)for unit in $(UNITS); do rm -f "$(DESTDIR)$(UNITDIR)/$$unit"; done

# The Debian package, into $(BUILD)/deb. What `make deb-check` and `make deb-distro` do with it: tests/packages.
deb:
	$(Q)etc/debian/build "$(VERSION)" "$(BUILD)/deb"

clean:
	rm -rf $(BUILD)

.PHONY: all FORCE libraries demo check packages built unit scenario lint format install uninstall deb clean
.DELETE_ON_ERROR:
