# Other versions, in an environment of their own:
#   make test VENV=.venv-lowest CONSTRAINTS=constraints/lowest.txt
PYTHON ?= python3
VENV ?= .venv
CONSTRAINTS ?= constraints/dev.txt
BIN := $(VENV)/bin

.PHONY: demo test lint docs venv clean

demo: $(VENV)/.plot
	$(BIN)/python -m skdistill

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/mypy

docs: $(VENV)/.dev
	$(BIN)/sphinx-build -W --keep-going docs docs/_build/html

venv: $(VENV)/.dev

# $(VENV)/.plot is the package with its `plot` extra, installed; so for every extra.
$(VENV)/.%: pyproject.toml $(CONSTRAINTS)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q -c $(CONSTRAINTS) -e ".[$*]"
	touch $@

clean:
	rm -rf .venv* docs/_build docs/generated build dist .*_cache
	find skdistill tests docs -name __pycache__ -prune -exec rm -rf {} +
