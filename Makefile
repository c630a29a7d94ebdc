# One target per thing a person would want; each is a few lines they could type.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check format clean

demo: $(VENV)/.ready
	$(BIN)/oca demo

test: $(VENV)/.ready-dev
	sh configs/setup/system-packages.sh
	$(BIN)/pytest

check: $(VENV)/.ready-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.ready: pyproject.toml configs/constraints.txt configs/setup/environment.sh
	PYTHON="$(PYTHON)" sh configs/setup/environment.sh $(VENV) .
	touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	PYTHON="$(PYTHON)" sh configs/setup/environment.sh $(VENV) .[dev]
	touch $@

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
