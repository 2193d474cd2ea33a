# Every target sets up what it needs: make and python3 are all that must be there.
PYTHON := .venv/bin/python
SAM := SAM_CLI_TELEMETRY=0 .local/sam/bin/sam
# For the layers, which `sam build` makes with layers/build.py.
export LAYER_UV = $(CURDIR)/.local/uv/bin/uv
export LAYER_PYTHON = $(shell sed -n 's/.*"python": "\(.*\)",/\1/p' .local/tools.json 2>/dev/null)
export PYTHONPATH := layers/twilio_plugin:local/speech

.PHONY: help run demo test test-unit check format generate bench doctor live logs replay forget deploy agent clean dev stack
.DEFAULT_GOAL := help

help: ## This list.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: stack ## The local stack and a first conversation; stays up until Ctrl-C.
	@$(PYTHON) -m local run

demo: stack ## The same, then exits: 0 only if every step was as expected.
	@$(PYTHON) -m local demo

test: stack ## All tests, the deployed local stack's too.
	$(PYTHON) -m pytest -n 2 --dist loadfile --no-loadscope-reorder

test-unit: dev ## The fast tests: no network, no engine.
	$(PYTHON) -m pytest tests/unit tests/template

check: stack ## Format, lint, types, generated files, template, build.
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy .
	$(PYTHON) -m tools.generate --check
	$(SAM) validate --lint --region us-east-1
	$(SAM) validate --lint --region us-east-1 --template extras/replay/template.yaml
	$(SAM) build

format: dev ## Format the code and fix what can be fixed.
	$(PYTHON) -m ruff check --fix --quiet . || true
	$(PYTHON) -m ruff format .

generate: stack ## Write what follows from the code: schemas, samples, docs/events.md, the layer's requirements.
	$(PYTHON) -m tools.generate

doctor: dev ## What is wrong with the local stack, or with the deployed one STACK=name, and what to do about it.
	@$(PYTHON) -m tools.doctor $(if $(STACK),--stack-name $(STACK)) $(if $(JSON),--json) $(if $(HOURS),--since $(HOURS))

live: stack ## Text and call TWILIO_TEST_PHONE_NUMBER from the deployed stack STACK=name, and tell what happens.
	$(PYTHON) -m pytest tests/live -m live -s -q --no-header

bench: stack ## Measure imports, memory, CPU, DynamoDB requests, throughput, layers and calls.
	@$(PYTHON) -m tests.bench

logs: dev ## A stack's logs in one order: make logs [ID=SM…] [SINCE=2h] [LEVEL=ERROR] [FOLLOW=1] [STACK=…].
	@$(PYTHON) -m tools.logs --stack-name "$(STACK)" --since "$(SINCE)" --id "$(ID)" --level "$(LEVEL)" --region "$(REGION)" --follow "$(FOLLOW)"

replay: dev ## Feed a new agent what was: make replay RULE=… [FROM=24h] [TO=now] [STACK=…]. Needs extras/replay.
	@$(PYTHON) -m tools.replay --stack-name "$(STACK)" --from "$(FROM)" --to "$(TO)" --rule "$(RULE)" --all "$(ALL)" --region "$(REGION)"

deploy: stack ## Build and deploy to your AWS account: asks what it must know, then shows the change set.
	@$(PYTHON) -m tools.deploy $(if $(STACK),--stack-name $(STACK)) $(if $(SET),--set $(SET))

agent: stack ## Deploy examples/echo_agent beside the plugin STACK=name.
	$(SAM) deploy --template-file examples/echo_agent/template.yaml --stack-name $(or $(STACK),twilio-plugin)-echo-agent \
	  --parameter-overrides PluginStackName=$(or $(STACK),twilio-plugin) --capabilities CAPABILITY_IAM --resolve-s3

forget: dev ## Delete all that is kept of a person: NUMBER=+1…, STACK=twilio-plugin, FLAGS="--dry-run --at-twilio".
	@$(PYTHON) -m tools.forget --stack $(or $(STACK),twilio-plugin) $(FLAGS) "$(NUMBER)"

clean: ## Remove everything that the other targets made.
	rm -rf .aws-sam .local .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

dev:
	@python3 local/bootstrap.py dev

stack:
	@python3 local/bootstrap.py dev engine sam
