# `make demo` and `make test` are all that a new machine needs: Python 3.11 or newer, and a network that reaches PyPI.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# What the demo makes stays in this folder; root's database is in /var/lib/recsys, see `recsys db url`.
export RECSYS_HOME ?= $(CURDIR)/.demo
DEMO_TITLE ?= late night drum and bass
DEMO_TRACK ?= Digital - Deadline
DEMO_DJ ?= Adam Beyer

.PHONY: demo docs test lint install install-test clean

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "recsys needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[offline]"
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[offline,test]"
	touch $@

install: $(VENV)/installed

install-test: $(VENV)/installed-test

# The embedded server, whatever DATABASE_URL says: a demo does not write into somebody's database.
demo: export DATABASE_URL =
demo: install
	$(BIN)/recsys db upgrade
	$(BIN)/recsys ingest djmix
	$(BIN)/recsys titles embed
	$(BIN)/recsys recommend "$(DEMO_TITLE)" --explain
	$(BIN)/recsys similar track "$(DEMO_TRACK)"
	$(BIN)/recsys tracklists prepare $(RECSYS_HOME)/graphs
	$(BIN)/recsys tracklists train --snapshot $(RECSYS_HOME)/graphs --output $(RECSYS_HOME)/trained
	$(BIN)/recsys model import $(RECSYS_HOME)/trained --name demo
	$(BIN)/recsys recommend --dj "$(DEMO_DJ)" --new
	$(BIN)/recsys tracklists train --snapshot $(RECSYS_HOME)/graphs --model next --output $(RECSYS_HOME)/next
	$(BIN)/recsys model import $(RECSYS_HOME)/next --name demo
	echo '{"id": 1, "dj": "$(DEMO_DJ)", "tracks": [{"title": "Energy Flash", "artists": ["Joey Beltram"]}]}' \
	  | $(BIN)/recsys tracklists next --prefixes - --k 5
	@echo
	@echo "Ask for more:  export RECSYS_HOME=$(RECSYS_HOME)"
	@echo "               $(BIN)/recsys recommend \"sunset deep house\" --max-per-artist 1"
	@echo "Done with it:  $(BIN)/recsys db stop"

# A worker a core, each with a server of its own and the files that are left, the slowest ones first; threads in them
# would only get into each other's way.
test: export OMP_NUM_THREADS = 1
test: install-test
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# What of docs/ is made from the code; a test compares it.
docs: install
	$(BIN)/python -m docs.making

lint: install-test
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: export DATABASE_URL =
clean:
	-$(BIN)/recsys db remove --yes
	rm -rf $(VENV) .demo
