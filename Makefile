# Each target is complete on its own in a clean clone: Python >= 3.11, make and a network are all it needs.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/installed

.PHONY: demo test lint types torture clean

demo: $(STAMP)
	$(BIN)/molvae demo --out runs/demo

test: lint types $(STAMP)
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy

# The fault tests at full count: 50 kills, 200 corruptions; the record goes to benchmarks/results/torture.json.
torture: $(STAMP)
	MOLVAE_TORTURE=1 $(BIN)/python -m pytest -m torture -n 2

# One pip call with exact versions: torch is installed by its pin before anything that would pull another build of it.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) runs build dist
