# Everything here needs only Python 3.11 or newer: the environment in .venv is made on first use, from the locks.

VENV := .venv
PACKAGES := api evidence_store recorder shilu
CHECKED := $(PACKAGES) tests $(wildcard bench)
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test lint bench lock clean FORCE

help: ## Show what can be made
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do printf '  make %-6s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.runtime ## Record from sample cameras on this machine and check what was recorded
	@$(VENV)/bin/shilu demo $(ARGS)

test: $(VENV)/.dev ## Run the tests; ARGS="-k name" picks some, SHILU_TEST_REQUIRE=all lets a missing part fail
	@$(VENV)/bin/python -m pytest $(ARGS)

lint: $(VENV)/.dev ## Check style, types and which package imports which
	$(VENV)/bin/ruff check $(CHECKED)
	$(VENV)/bin/ruff format --check $(CHECKED)
	$(VENV)/bin/mypy $(CHECKED)
	$(VENV)/bin/lint-imports

bench: $(VENV)/.dev ## Measure, side by side with other programs where they are installed
	@$(VENV)/bin/python -m bench $(ARGS)

# One resolution for every system and Python: `--universal` keeps the hashes of all files of a version, whatever they
# were built for. The second lock is held to the first, so that both install into one environment.
COMPILE = $(VENV)/bin/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-emit-index-url --custom-compile-command 'make lock' $(ARGS)

lock: $(VENV)/.dev ## Write both locks anew from pyproject.toml; ARGS=--upgrade takes the newest versions
	$(COMPILE) --extra build --output-file requirements.lock
	$(COMPILE) --extra build --extra dev --constraints requirements.lock --output-file requirements-dev.lock

clean: ## Remove the environment and everything that tools left
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache *.egg-info
	find $(CHECKED) -type d -name __pycache__ -prune -exec rm -rf {} +

# --- The environment ------------------------------------------------------------------------------------------------
# .made     it was made by this Makefile, for this folder: scripts in it hold absolute paths
# .runtime  requirements.lock and the project itself are in it
# .dev      requirements-dev.lock, which holds all of requirements.lock, and the project itself are in it

PIP = $(VENV)/bin/python -m pip --disable-pip-version-check --quiet install
PROJECT = --no-deps --no-build-isolation --editable .

$(VENV)/.runtime: $(VENV)/.made requirements.lock pyproject.toml
	@echo 'Installing what Shilu needs into $(VENV) (once; a minute or two)'
	@$(PIP) --require-hashes --requirement requirements.lock
	@$(PIP) $(PROJECT)
	@touch $@

$(VENV)/.dev: $(VENV)/.made requirements-dev.lock pyproject.toml
	@echo 'Installing what Shilu and its tests need into $(VENV) (once; a minute or two)'
	@$(PIP) --require-hashes --requirement requirements-dev.lock
	@$(PIP) $(PROJECT)
	@touch $(VENV)/.runtime $@

# An environment that something else made, that moved, or whose Python is gone, is made anew.
ifneq ($(shell $(VENV)/bin/python -c 'print(open("$(VENV)/.made").read())' 2>/dev/null),$(CURDIR))
$(VENV)/.made: FORCE
endif

$(VENV)/.made:
	@$(FIND_PYTHON); echo "Making $(VENV) with $$($$python --version)"; \
	$$python -m venv --clear $(VENV) && printf '%s' '$(CURDIR)' > $@

# Sets $python to the newest one that is new enough and can make environments, or says what to install.
FIND_PYTHON = python=; almost=; \
	for candidate in $(if $(PYTHON),$(PYTHON),python3.14 python3.13 python3.12 python3.11 python3); do \
		$$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		$$candidate -c 'import venv, ensurepip' 2>/dev/null && { python=$$candidate; break; }; \
		almost=$$candidate; \
	done; \
	if [ -z "$$python" ] && [ -n "$$almost" ]; then \
		echo "$$almost cannot make environments: install its venv module (Debian: apt-get install python3-venv)" >&2; exit 1; \
	elif [ -z "$$python" ]; then \
		echo "Shilu needs Python 3.11 or newer, found $$(python3 --version 2>&1 || true): install it, or name it with PYTHON=/path/to/python" >&2; exit 1; \
	fi
