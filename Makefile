# `make` lists the targets. Everything lives in .venv; the locks decide every version.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.locked

.DEFAULT_GOAL := help
.PHONY: help setup demo up test check lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(STAMP) ## make the virtual environment with the locked dependencies

$(STAMP): requirements-dev.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11, 3.12 or 3.13, or say make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "Duebell needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is another: say make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing (Debian and Ubuntu: apt install python3-venv)"; exit 1; }
	@echo "making $(VENV) with the locked dependencies (a minute or two, the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(STAMP) ## play the whole road on this machine, against the built-in sandbox
	@exec $(BIN)/duebell demo

up: $(STAMP) ## run Duebell with the credentials in .env
	@exec $(BIN)/duebell up

test: $(STAMP) ## run the tests
	@$(BIN)/python -m pytest $(ARGS)

check: $(STAMP) ## lint, types and layout
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright

lock: $(STAMP) ## resolve the dependencies anew
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group pyproject.toml:dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## throw the virtual environment away
	rm -rf $(VENV)
