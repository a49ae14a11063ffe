# The first use of any target sets up .venv; pyproject.toml says with what. Needs python3 (3.11 or later) with venv, and make.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
PYTEST := $(PY) -m pytest -n auto

.PHONY: help demo test lint bench torture compat clean

help:
	@echo 'make demo     a mailbox, a sync, and what is synced when something changes'
	@echo 'make test     the tests'
	@echo 'make lint     ruff and mypy'
	@echo 'make bench    speed, against the sandbox or any server: make bench ARGS=--help'
	@echo 'make torture  the long runs: hours'
	@echo 'make compat   real mail clients against the sandbox and the Maildir'
	@echo 'make clean    remove what the above made, .venv too'

demo: $(READY)
	$(PY) -m ews_bridge demo

test: $(READY)
	$(PYTEST)

lint: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

bench: $(READY)
	$(PY) -m tests.bench $(ARGS)

torture: $(READY)
	HYPOTHESIS_PROFILE=torture $(PYTEST) -m 'not compat'
	$(PY) -m tests.torture.mutants

compat: $(READY)
	$(PYTEST) -m compat -v

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Always by `python -m`: the scripts beside it begin with the path of the interpreter, which may hold spaces.
$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
