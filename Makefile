# Every command of a checkout; `make` alone lists them. Their environment is kept in .venv.

PYTHON := .venv/bin/python
BENCHMARKS := orchestration cold_and_warm throughput log_streaming web_evaluation agent_runs reevaluation
FAST := tests/domain tests/policy tests/contract tests/flow tests/sandbox

.DEFAULT_GOAL := help
.PHONY: help demo test test-full check static run fmt fresh clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## install what is missing, then play the whole loop on this machine
	@.ci/setup demo
	@$(PYTHON) app.py demo

test: ## install what is missing, then run every check and test but the long ones, and the demo
	@.ci/setup test
	@$(MAKE) --no-print-directory static
	$(PYTHON) -m pytest -q -n 2 --dist worksteal -m "not engine and not long"
	$(PYTHON) -m pytest -q -m "engine and not long"
	$(PYTHON) app.py demo

test-full: ## also the long tests; writes the tables of docs/performance.md
	@.ci/setup full
	@$(MAKE) --no-print-directory static
	$(PYTHON) -m pytest -q -n 2 --dist worksteal -m "not engine and not long"
	$(PYTHON) -m pytest -q -m "engine or long"
	$(PYTHON) app.py demo
	$(PYTHON) -m benchmarks.zoo --told .state/zoo.json
	@for name in $(BENCHMARKS); do $(PYTHON) -m benchmarks.$$name || exit; done

check: ## format, lint, types, import contracts, fast tests; under a minute
	@.ci/setup check
	@$(MAKE) --no-print-directory static
	$(PYTHON) -m pytest -q -n 2 --dist worksteal -m "not engine and not database and not slow and not long" $(FAST)

static:
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m ruff check
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

run: ## the bot: web and worker in one process (needs the App's credentials; `make demo` needs none)
	@.ci/setup demo
	@$(PYTHON) app.py serve

fmt: ## format, and mend what the linter can mend by itself
	@.ci/setup check
	$(PYTHON) -m ruff check --fix-only
	$(PYTHON) -m ruff format

fresh: ## `make demo` and `make test` in an empty Debian 12, as a newcomer would see them
	@.ci/fresh

clean: ## stop and remove what the others started; IMAGES=yes also the sandbox image
	@.ci/clean
