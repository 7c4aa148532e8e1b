# `make` lists the targets. Everything lives in .venv; the locks decide every version.
# The first of these that Duebell runs on; without any, the one that the sentences below are about.
SUITABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(or $(shell for each in python3 python3.13 python3.12 python3.11; do \
	$$each -c '$(SUITABLE)' 2>/dev/null && echo $$each && break; done),python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.locked

.DEFAULT_GOAL := help
.PHONY: help setup demo up test prove-calls prove-simulation prove-writers prove-reminders prove-windows prove-backtest check lock clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(STAMP) ## make the virtual environment with the locked dependencies

$(STAMP): requirements-dev.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing: install Python 3.11, 3.12 or 3.13, or say make PYTHON=..."; exit 1; }
	@$(PYTHON) -c '$(SUITABLE)' || { echo "Duebell needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is another: say make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing (Debian and Ubuntu: apt install python3-venv)"; exit 1; }
	@echo "making $(VENV) with the locked dependencies (a minute or two, the first time)"
	@$(PYTHON) -m venv $(VENV) || { echo "$(VENV) cannot be made in $(CURDIR): move the checkout to a folder that this user may write to"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock || { echo "the locked dependencies could not be installed (see above): is the network there? make again goes on"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e . || { echo "Duebell itself could not be installed (see above)"; exit 1; }
	@touch $@

demo: $(STAMP) ## play the whole road on this machine, against the built-in sandbox
	@exec $(BIN)/duebell demo

up: $(STAMP) ## run Duebell with the credentials in .env
	@exec $(BIN)/duebell up

test: $(STAMP) ## run the tests
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

prove-calls: $(STAMP) ## count the calls to Xero that 1, 50, 200 and 1,000 invoices at once cost (ARGS="50" for one)
	@$(BIN)/python -m tests.prove_calls $(ARGS)

prove-simulation: $(STAMP) ## send many messages over simulated time, with all that goes wrong (ARGS="--messages 100000", "--seed 7")
	@$(BIN)/python -m tests.prove_simulation $(ARGS)

prove-writers: $(STAMP) ## a worker's 32 threads and a receiver write to one SQLite ledger (ARGS="seconds threads")
	@$(BIN)/python -m tests.prove_writers $(ARGS)

check: $(STAMP) ## lint, types and the layout's rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/pyright
	@$(BIN)/python -m pytest -q tests/test_house.py

prove-reminders: $(STAMP) ## sweep 10,000 open invoices in 4 currencies and 6 time zones, again and again (ARGS="--invoices 1000")
	@$(BIN)/python -m tests.prove_reminders $(ARGS)

prove-backtest: $(STAMP) ## play two policies over six months of 10,000 invoices (ARGS="--invoices 1000")
	@$(BIN)/python -m tests.prove_backtest $(ARGS)

prove-windows: $(STAMP) ## send to customers in 8 time zones through a Twilio that is 9 hours slow (ARGS="--customers 400 --seed 3")
	@$(BIN)/python -m tests.prove_windows $(ARGS)

lock: $(STAMP) ## resolve the dependencies anew
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras --no-header --upgrade pyproject.toml -o requirements.lock
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-strip-extras --no-header --group pyproject.toml:dev -c requirements.lock pyproject.toml -o requirements-dev.lock

.PHONY: prove-crash prove-faults prove-controls prove-ledger

prove-crash: $(STAMP) ## kill and stop senders and the worker, and let Twilio fail (ARGS="--kills 2000 --only random")
	@$(BIN)/python -m tests.prove_crash $(ARGS)

prove-ledger: $(STAMP) ## measure what a message costs behind 200,000 others (ARGS="--database postgresql")
	@$(BIN)/python -m tests.prove_ledger $(ARGS)

prove-faults: $(STAMP) ## hold the catalogue of faults against the tests that bear their numbers (ARGS="--run" runs them)
	@$(BIN)/python -m tests.prove_faults $(ARGS)

prove-controls: $(STAMP) ## make grave mistakes in a copy, and show that a test fails for each
	@$(BIN)/python -m tests.prove_controls $(ARGS)

clean: ## throw the virtual environment away
	rm -rf $(VENV)
