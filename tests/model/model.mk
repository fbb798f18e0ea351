# The model of the protocol: model-fast takes half a minute and is part of every CI run; model takes minutes. Without the
# two rules named, what is forgotten is adopted and sent again: they are proved necessary every time.

model-fast:
	$(Q)python3 tests/model/protocol.py --fast
	$(Q)python3 tests/model/protocol.py --fast --mutants --only forgotten, \
		--without 'later than what was rotated away' --without 'the age bound never falls'

# Of several hosts: seconds, and 50 MB.
model-cluster:
	$(Q)python3 tests/model/cluster.py
	$(Q)python3 tests/model/cluster.py --never
	$(Q)python3 tests/model/cluster.py --mutants

model:
	$(Q)python3 tests/model/protocol.py
	$(Q)python3 tests/model/protocol.py --mutants

.PHONY: model model-cluster model-fast
