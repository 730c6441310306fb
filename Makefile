# Two commands matter: `make run` starts Tollgate on this machine, `make test` checks all of it.
# Each sets up what it needs first, which costs nothing when it is there.

PYTHON ?= python3
BIN := .venv/bin
ARGS ?=
SEEDS ?= 1000

.DEFAULT_GOAL := help
.PHONY: help setup run test check format clients simulate bench screenshots lock audit licences package clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install everything that running needs into this folder
	@$(PYTHON) -m scripts.setup --for run

run: setup ## start the local stack; options in ARGS="--port 8080 --fresh"
	@exec $(BIN)/python -m infra.local $(ARGS)

test: ## set up for the tests, then check and test everything
	@$(PYTHON) -m scripts.setup --for test
	@$(MAKE) --no-print-directory check
	$(BIN)/pytest --numprocesses 2 --dist loadfile -m "not alone" --cov --cov-report= $(ARGS) || [ $$? -eq 5 ] # 5: none was asked for
	$(BIN)/pytest -m alone $(ARGS) || [ $$? -eq 5 ]
	$(BIN)/coverage report

check: setup ## formatting, lint, types, import rules, repository rules, fresh lock files
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --quiet --no-header tests/test_tidy.py
	$(BIN)/python -m scripts.lock --check

format: setup ## format the code and mend what the linter can
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

clients: ## drive the real client packages against Tollgate, and write what came of it into docs/clients.md
	@$(PYTHON) -m scripts.setup --for test
	$(BIN)/python -m tests.clients

simulate: setup ## run the money path in so many simulated worlds: SEEDS=100000; options in ARGS="--first 5000"
	@exec $(BIN)/python -m tests.simulation --seeds $(SEEDS) $(ARGS)

bench: setup ## measure; options in ARGS
	@exec $(BIN)/python -m benchmarks $(ARGS)

screenshots: setup ## take the pictures of the dashboard in docs/images anew; needs Chromium
	$(BIN)/python -m tests.browser.screenshots

audit: setup ## look all locked packages up in a database of known vulnerabilities; needs a network
	@$(BIN)/python -m scripts.audit

licences: setup ## write the licences of all dependencies into docs/licences.md
	@$(BIN)/python -m scripts.licences

package: setup ## list what a deployment uploads; ARGS="--output FILE" makes a file of it
	@$(BIN)/python -m scripts.package $(ARGS)

lock: ## resolve the dependencies anew into the lock files
	@$(PYTHON) -m scripts.lock

clean: ## remove what set-up and tests made; the local stack's data stays in .local
	rm -rf .venv .tools .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
