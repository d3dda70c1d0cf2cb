# The few commands a person types. The environment lies in .venv, and is made again when a pyproject.toml changes.

PYTHON ?= python3
SPEC = spec/voice-call-signaling.yaml

py = .venv/bin/python
install = $(py) -m pip install --quiet --disable-pip-version-check
projects = pyproject.toml runtime/pyproject.toml
# One more than there are processors: tests that wait for a server or a browser leave theirs to others.
workers = $(shell expr $$(nproc 2>/dev/null || echo 2) + 1)

.DEFAULT_GOAL := help
.PHONY: help demo test check generate fuzz bench clean
.NOTPARALLEL:

help:
	@echo "make demo      generate the Aoba client into out/ and hold a call with it"
	@echo "make test      run every test"
	@echo "make check     mypy, pyright and the import contracts, without the tests"
	@echo "make generate  write generated/ anew from $(SPEC)"
	@echo "make fuzz      mutate documents: COUNT=2000, and SEED to repeat a run"
	@echo "make bench     time aoba-gen against datamodel-codegen"
	@echo "make clean     remove everything that these commands made, .venv too"
	@echo
	@echo "PYTHON=... chooses the Python that .venv is made from: 3.11 or newer, default python3."

demo: .venv/demo
	@$(py) -m aoba_gen $(SPEC) -o out/
	@echo
	@PYTHONPATH=out PYTHONUTF8=1 $(py) examples/call_flow.py
	@echo
	@echo "Next:"
	@echo "  read   examples/call_flow.py, which held this call, and out/aoba_voice_call_signaling/client.py"
	@echo "  try    $(py) -m aoba_gen your-asyncapi.yaml -o out/"
	@echo "  run    make test"

test: .venv/test
	@$(py) -m pytest --numprocesses $(workers) --dist loadfile --no-loadscope-reorder

check: .venv/test
	$(py) -m mypy --exclude '^tests/cases/' benchmarks deploy examples generated generator runtime tests
	$(py) -m pyright -p . --pythonpath $(py)
	.venv/bin/lint-imports

generate: .venv/demo
	@$(py) -m aoba_gen $(SPEC) -o generated/

fuzz: .venv/test
	@$(py) tests/fuzz.py $(or $(COUNT),2000) $(SEED)

bench: .venv/demo
	@$(py) benchmarks/generate.py

clean:
	rm -rf .venv out build dist .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps: `made` is an environment with pip, `demo` has the two distributions in it, `test` has what tests need.

.venv/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "aoba-gen needs Python 3.11 or newer; choose one with: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Making .venv with $$($(PYTHON) --version) ..."
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
	  $(PYTHON) -m venv --clear .venv; \
	elif $(PYTHON) -m pip --version >/dev/null 2>&1; then \
	  $(PYTHON) -m venv --clear --without-pip .venv && \
	  $(PYTHON) -m pip --python $(py) install --quiet --disable-pip-version-check pip; \
	else \
	  echo "$(PYTHON) has neither ensurepip nor pip; on Debian: apt-get install python3-venv" >&2; exit 1; \
	fi
	@touch $@

.venv/demo: $(projects) | .venv/made
	@echo "Installing aoba-gen and aoba-runtime into .venv ..."
	@$(install) -e . -e runtime
	@touch $@

.venv/test: $(projects) | .venv/made
	@echo "Installing aoba-gen, aoba-runtime and what the tests need into .venv ..."
	@$(install) -e runtime -e '.[test]'
	@touch .venv/demo $@
