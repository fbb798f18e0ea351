# The model of the protocol: model-fast takes half a minute and is part of every CI run; model takes minutes. Without the
# two rules named, what is forgotten is adopted and sent again: they are proved necessary every time.

model-fast:
	$(Q)python3 tests/model/protocol.py --fast
	$(Q)python3 tests/model/protocol.py --fast --mutants --only forgotten, \
		--without 'later than what was rotated away' --without 'the age bound never falls'

model:
	$(Q)python3 tests/model/protocol.py
	$(Q)python3 tests/model/protocol.py --mutants

.PHONY: model model-fast
