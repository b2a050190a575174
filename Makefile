# voiceagents. `make demo` shows a real call end to end; `make test` runs everything. Both need only python3 >= 3.11 and make.
.DEFAULT_GOAL := help
PY := .venv/bin/python
INSTALL := sh deploy/bootstrap/install.sh
export PYTHONPATH := $(CURDIR)
.PHONY: help demo run test check faults api-examples lint bench bench-peers bench-capacity bench-list bench-upload bench-readme leaks torture torture-page lock vendor words screenshots clean-local product-venv demo-venv dev-venv

help: ## Lists what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

product-venv:
	@$(INSTALL) requirements.txt requirements/local.txt
demo-venv:
	@$(INSTALL) requirements.txt requirements/local.txt requirements/models.txt
dev-venv:
	@$(INSTALL) requirements.txt requirements/local.txt requirements/models.txt requirements/dev.txt

demo: demo-venv ## One real call through everything, then the dashboard (ONCE=1: exit when the call is settled)
	@exec $(PY) -m deploy.local.demo

run: product-venv ## The product with your keys from .env
	@exec $(PY) -m deploy.local.run

test: dev-venv ## The whole suite, browser tests included
	@$(PY) -m deploy.local.test $(ARGS)

check: dev-venv lint ## All that CI runs: format, lint, types, contracts, Django's checks, tests
	@$(MAKE) --no-print-directory test

faults: dev-venv ## Six parties, fifteen faults each: nobody is left in silence (part of make test too)
	@$(PY) -m deploy.local.test tests/faults

api-examples: dev-venv ## The API against its own description: all borders, and examples for each door (SCHEMATHESIS_EXAMPLES=4)
	@SCHEMATHESIS_EXAMPLES=$${SCHEMATHESIS_EXAMPLES:-4} $(PY) -m deploy.local.test -n 0 tests/access/test_schemathesis.py

lint: dev-venv
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy .
	.venv/bin/lint-imports
	$(PY) -m deploy.local.django_checks

bench: dev-venv ## Latency, CPU and memory with N concurrent simulated calls (CALLS="1 10 50" FRAMES="20 100" RUNS=3)
	@exec $(PY) -m bench $(ARGS)

bench-peers: dev-venv ## The same calls on a bare relay and on Pipecat (its own venv), in one table
	@exec $(PY) -m bench --peers $(ARGS)

bench-capacity: dev-venv ## How many calls one core carries, by trying (FRAMES="20 100"; ARGS=--peers for the peers too)
	@exec $(PY) -m bench --capacity $(ARGS)

bench-list: dev-venv ## How quick the list of calls is with ten thousand and a million calls (ROWS="10000 1000000 10000000")
	@exec $(PY) -m bench.calls_list $(ARGS)

bench-upload: dev-venv ## What storing a recording of 1 GiB adds to a worker's memory (ARGS="--size-mb 1024")
	@exec $(PY) -m bench.upload $(ARGS)

bench-readme: dev-venv ## Puts the last measured tables into README.md
	@exec $(PY) -m bench --paste

leaks: dev-venv ## 1,000 calls, four of five unhappy, against one media process: what is left behind (LEAK_CALLS=1000)
	@LEAK_CALLS=$${LEAK_CALLS:-1000} $(PY) -m pytest tests/leaks -s -q

torture: dev-venv ## Kills, starves and poisons the running product and counts what was lost (ARGS="--only crash --trials 3", ARGS=--quick)
	@exec $(PY) -m torture $(ARGS)

torture-page: dev-venv ## Puts the last table of make torture into docs/reliability.md
	@exec $(PY) -m torture --paste

screenshots: dev-venv ## Every page at two widths in both themes, into docs/screenshots (ARGS="-k morning")
	@SCREENSHOTS=$(CURDIR)/docs/screenshots $(PY) -m deploy.local.test tests/browser -m "not processes" $(ARGS)

lock: dev-venv ## Resolves requirements*.in anew into the locked files
	@sh deploy/bootstrap/lock.sh

vendor: ## Copies the browser assets from their npm packages into static/vendor
	@sh deploy/vendor.sh

# What only programs read stays English: the API's own modules, commands, logs.
words: ## Finds the sentences of pages and admin anew and compiles the catalogue (needs GNU gettext); then translate what is empty in voiceagents/locale
	$(PY) manage.py makemessages -l hi --no-wrap --no-obsolete --add-location file --ignore .venv --ignore .local --ignore node_modules \
	  --ignore tests --ignore engine --ignore simulator --ignore bench --ignore torture --ignore client --ignore deploy --ignore static \
	  --ignore 'api*.py' --ignore '*_api.py' --ignore 'serializers.py' --ignore '*_serializers.py' --ignore management --ignore serializers --ignore problems.py --ignore described.py --ignore once.py --ignore permissions.py --ignore keys.py
	$(PY) manage.py compilemessages -l hi --ignore .venv --ignore .local

clean-local: ## Forgets the embedded databases, recordings and logs of this checkout
	rm -rf .local
