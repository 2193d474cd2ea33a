# Every target sets up what it needs: make and python3 are all that must be there.
PYTHON := .venv/bin/python
UV := .local/uv/bin/uv
SAM := SAM_CLI_TELEMETRY=0 .local/sam/bin/sam
# Layers are built with the tools that bootstrap.py found, for Lambda's Python.
TOOL = $(shell $(PYTHON) -c 'import json; print(json.load(open(".local/tools.json"))["$(1)"])')

.PHONY: run demo test test-unit check format bench generate deploy clean dev stack

run: stack ## The local stack and a first conversation, until Ctrl-C.
	@$(PYTHON) -m local run

demo: stack ## The same, then exit: 0 only if every step was as expected.
	@$(PYTHON) -m local demo

test: stack ## All tests.
	$(PYTHON) -m pytest

test-unit: dev ## The fast ones: no network, no engine.
	$(PYTHON) -m pytest tests/unit tests/template

dev:
	@python3 local/bootstrap.py dev

stack:
	@python3 local/bootstrap.py dev engine sam
