# One target per thing a person would want; each is a few lines they could type.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check format environment environment-dev clean

demo: environment
	$(BIN)/oca demo

test: environment-dev
	sh configs/setup/system-packages.sh
	$(BIN)/pytest

check: environment-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: environment-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Both return at once when nothing has changed.
environment:
	PYTHON="$(PYTHON)" sh configs/setup/environment.sh $(VENV) .

environment-dev:
	PYTHON="$(PYTHON)" sh configs/setup/environment.sh $(VENV) .[dev]

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
