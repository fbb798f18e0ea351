# The model of the protocol: model-fast takes half a minute and is part of every CI run; model takes minutes.

model-fast:
	$(Q)python3 tests/model/protocol.py --fast

model:
	$(Q)python3 tests/model/protocol.py
	$(Q)python3 tests/model/protocol.py --mutants

.PHONY: model model-fast
