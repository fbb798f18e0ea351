# Years of refreshing on a moved clock: every lifetime, kind of token and format, DAYS long (365 take hours for tokens of
# 15 minutes); ONLY="360 min, jwt" chooses.

DAYS ?= 365

years: all
	$(Q)$(CC) -shared -fPIC -o $(BUILD)/clock.so tests/scenario/clock.c -ldl
	$(Q)tests/years/years.py --days $(DAYS) --only "$(ONLY)" $(BUILD)/oauth-keepalive $(abspath $(BUILD))/clock.so

.PHONY: years
