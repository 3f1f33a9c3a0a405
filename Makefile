# The words of this project. `make` alone lists them.

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev setup-bench setup-fuzz setup-docs setup-node-red demo test check kernels-nojit chaos chaos-test chaos-long pipeline canaries fuzz fuzz-short restore-drill wheel-twice setup-security api-fuzz security sbom chaos-kafka soak bench bench-ingest bench-growth bench-recompute bench-scale bench-accuracy bench-metrics bench-profiles docs screenshots format lock clean

# The first Python from 3.11 to 3.13 on the PATH; `make PYTHON=/path/to/python3` names another.
in_range := -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
ifndef PYTHON
PYTHON := $(shell for name in python3 python3.13 python3.12 python3.11; do \
	if $$name $(in_range); then command -v $$name; break; fi; done)
endif
VENV := .venv/bin
# Files of tests next to each other, each with servers of its own; a file stays together because it shares fixtures.
# One more than there are cores, since tests wait for servers, but never more than four.
cores = $(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
side_by_side = --numprocesses $(shell test $(cores) -lt 4 && echo $$(($(cores) + 1)) || echo 4) --dist loadfile

help: ## list these words
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

setup: ## make .venv from the locked requirements; leaves .venv/bin/sojourn
	@$(call bootstrap,runtime)

setup-dev: ## the same with the tools of tests and checks
	@$(call bootstrap,dev)

setup-bench: setup ## make .cache/bench with what the benchmark compares with (pandas, DuckDB, bytewax, ...)
	@$(call bootstrap,bench)

setup-fuzz: setup-dev ## put the fuzzer into .cache/fuzz, beside the environment of the tests
	@$(call beside,fuzz)

setup-node-red: ## put Node-RED into .cache/node-red, for `make bench-ingest` to measure beside; needs npm
	@npm install --prefix .cache/node-red --no-audit --no-fund --silent node-red@4 pg@8

setup-docs: setup ## put what builds the documentation into .cache/docs, beside the environment
	@$(call beside,docs)

demo: setup ## one simulated store, end to end; ARGS="--for 60 --json" runs it without a person
	@$(VENV)/sojourn demo $(ARGS)

test: setup-dev ## all tests, with a real database, broker and browser; ARGS="tests/edge -k outbox" picks
	@$(VENV)/python -m servers --with-chromium
	@$(if $(ARGS),,$(VENV)/python -m tests.kernels)
	@$(VENV)/python -m pytest $(or $(ARGS),$(side_by_side))

check: setup-dev ## linting, formatting, types, floors of the house
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/lint-imports

kernels-nojit: setup-dev ## the kernels' tests once more as plain Python
	@NUMBA_DISABLE_JIT=1 $(VENV)/python -m pytest -m "kernels and not compiled" $(or $(ARGS),$(side_by_side))

chaos: setup-dev ## 65 faults against a whole store and what they must not change; SEED=2 draws another order
	@$(VENV)/python -m servers
	@$(VENV)/python -m tests.chaos --seed $(or $(SEED),1) $(ARGS)

chaos-test: setup-dev ## the run of 65 faults and the mutants that its checker has to catch, as tests
	@$(VENV)/python -m servers
	@$(VENV)/python -m pytest -m chaos tests/chaos tests/ingest $(ARGS)

chaos-long: setup-dev ## ten times that, with seeds from SEED on
	@$(VENV)/python -m servers
	@$(VENV)/python -m tests.chaos --seed $(or $(SEED),1) --runs 10 $(ARGS)

chaos-kafka: setup-dev ## owners killed and asleep, rebalance storms, growth, Kafka lost: a group of ingests and the checker; SEED=2
	@$(VENV)/python -m servers
	@$(VENV)/python -m tests.chaos.kafka --seed $(or $(SEED),1) $(ARGS)

canaries: setup-dev ## a seeded run of everything, then a search of every byte on disk for whoever has not consented
	@$(VENV)/python -m servers
	@$(VENV)/python -m pytest tests/privacy/test_canaries.py $(ARGS)

pipeline: setup-dev ## the whole way from edge to visits in one process, under faults; SEED=7 replays one run, SEEDS=10000 tries so many
	@$(VENV)/python -m tests.pipeline $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),500)) $(ARGS)

fuzz: setup-fuzz ## feed damaged input to whatever reads from outside; MINUTES=30 in all, TARGET=batch picks one, SEED=7 the order
	@PYTHONPATH=.cache/fuzz $(VENV)/python -m tests.fuzz --minutes $(or $(MINUTES),10) $(if $(TARGET),--target $(TARGET)) $(if $(SEED),--seed $(SEED)) $(ARGS)

fuzz-short: setup-fuzz ## half a minute of the fuzzer in all targets at once, as CI runs it
	@PYTHONPATH=.cache/fuzz $(VENV)/python -m tests.fuzz --minutes 0.4 --target together

wheel-twice: setup-dev ## build the wheel twice, from two folders: the same bytes, and their SHA-256
	@rm -rf dist && mkdir -p dist/second .cache/second
	@git archive HEAD | tar -x -C .cache/second
	@git archive HEAD | (mkdir -p .cache/first && tar -x -C .cache/first)
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(VENV)/python -m build --wheel --no-isolation --outdir dist .cache/first >/dev/null
	@SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) $(VENV)/python -m build --wheel --no-isolation --outdir dist/second .cache/second >/dev/null
	@rm -rf .cache/first .cache/second
	@cmp dist/*.whl dist/second/*.whl && sha256sum dist/*.whl

restore-drill: setup-dev ## a backup into a second server: equal checksums, and ingest goes on there
	@$(VENV)/python -m servers
	@$(VENV)/python -m tests.restore

api-fuzz: setup-dev ## ask the whole API by its own description, as every role; EXAMPLES=1000 of each operation, MINUTES=60, ROLES=crm,edge, SEED=7
	@$(VENV)/python -m servers
	@SOJOURN_API_FUZZ_EXAMPLES=$(or $(EXAMPLES),1000) SOJOURN_API_FUZZ_SEED=$(SEED) SOJOURN_API_FUZZ_MINUTES=$(MINUTES) SOJOURN_API_FUZZ_ROLES=$(ROLES) $(VENV)/python -m pytest tests/api_fuzz --timeout 0 -s $(ARGS)

setup-security: setup-dev ## make .cache/security with what looks for known flaws and writes the bill of materials
	@$(call bootstrap,security)

security: setup-security ## known flaws of packages, the rules of bandit, secrets in files; ends with what was found
	@$(VENV)/python -m tests.security

sbom: setup-security ## the bill of materials of what the service needs, CycloneDX JSON, into test-artifacts/sbom.json
	@mkdir -p test-artifacts
	@.cache/security/bin/cyclonedx-py requirements --output-reproducible --of JSON -o test-artifacts/sbom.json requirements/runtime.lock
	@$(VENV)/python -m tests.security --sbom test-artifacts/sbom.json

soak: setup-dev ## a whole store at half of what this machine can take, for MINUTES=30: what grows?
	@$(VENV)/python -m servers
	@$(VENV)/python -m benchmarks soak --minutes $(or $(MINUTES),30) --out test-artifacts/soak $(ARGS)

bench: setup-bench ## speed beside C and what a user would pick; tables into benchmarks/RESULTS.md; ARGS="--seed 2"
	@$(VENV)/python -m servers
	@$(VENV)/python -m benchmarks dwell --full --results benchmarks/RESULTS.md $(ARGS)

bench-ingest: setup-dev ## signals a second through broker, ingest and database, beside plain code; ARGS="--seconds 600 --tls"
	@$(VENV)/python -m servers
	@$(VENV)/python -m benchmarks ingest --results benchmarks/RESULTS.md $(ARGS)

bench-growth: setup-dev ## 1, 10 and 100 stores on this machine, ARGS=--full with 1,000: cost, memory, restart, pages
	@$(VENV)/python -m servers
	@$(VENV)/python -m benchmarks growth --results docs/growth.md $(ARGS)

bench-recompute: setup-dev ## days of stores decoded again on one worker and on two, in turn; wants a quiet machine; some fifteen minutes
	@$(VENV)/python -m servers
	@$(VENV)/python -m benchmarks recompute --results benchmarks/RESULTS.md $(ARGS)

bench-scale: setup-dev ## ten thousand stores on paper: sizes, costs, and a simulation of bursts and outages
	@$(VENV)/python -m benchmarks scale --results docs/scale.md $(ARGS)

bench-metrics: setup-dev ## the pages' queries over 10 million zone visits, beside plain SQL; half an hour
	@$(VENV)/python -m servers
	@$(VENV)/python -m benchmarks metrics --results benchmarks/RESULTS.md $(ARGS)

bench-accuracy: setup ## the accuracy grid on simulated stores and recordings
	@$(VENV)/python -m benchmarks accuracy --results benchmarks/RESULTS.md $(ARGS)

bench-profiles: setup-dev ## a profile page with 1 million profiles and 10 million visits; half an hour
	@$(VENV)/python -m servers
	@$(VENV)/python -m benchmarks profiles --results benchmarks/RESULTS.md $(ARGS)

docs: setup-docs ## the documentation as a site in .cache/site, every link checked; ARGS=--external lists links elsewhere
	@PYTHONPATH=$(CURDIR)/.cache/docs $(VENV)/python -m docs.site $(ARGS)

screenshots: setup-dev ## photograph the chief pages of a simulated store into docs/screenshots
	@$(VENV)/python -m servers --with-chromium
	@$(VENV)/python -m tests.browser.screenshots

format: setup-dev ## put the code into the form that `make check` asks for
	@$(VENV)/ruff check --fix-only --quiet .
	@$(VENV)/ruff format --quiet .

lock: setup-dev ## resolve requirements/*.in anew into the lock files
	@$(call compile,runtime,)
	@$(call compile,dev,--constraint requirements/runtime.lock)
	@$(call compile,kafka,--constraint requirements/runtime.lock)
	@$(call compile,dask,--constraint requirements/runtime.lock)
	@$(call compile,otel,--constraint requirements/runtime.lock)
	@$(call compile,reading,--constraint requirements/runtime.lock)
	@$(call compile,bench,--constraint requirements/runtime.lock)
	@$(call compile,security,)
	@$(call compile,fuzz,--constraint requirements/runtime.lock)
	@$(call compile,docs,--constraint requirements/runtime.lock)

clean: ## remove what the words above made here (the private folder of the servers stays)
	@test -L .venv || rm -rf .venv
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .cache dist build test-artifacts
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

bootstrap = if test -z "$(PYTHON)" || ! "$(PYTHON)" $(in_range); then \
	echo "Sojourn needs Python 3.11, 3.12 or 3.13, and $(or $(PYTHON),the PATH) has none: take Debian 12, Ubuntu 24.04 or newer" \
	"with \`sudo apt install python3\`, or name another: \`make PYTHON=/path/to/python3\`." >&2; exit 1; fi; \
	"$(PYTHON)" -m servers.bootstrap $(1)

beside = test .cache/$(1)/locked -nt requirements/$(1).lock || { $(VENV)/python -m pip install --quiet --upgrade \
	--disable-pip-version-check --require-hashes --only-binary :all: --target .cache/$(1) -r requirements/$(1).lock && \
	touch .cache/$(1)/locked; }

uv = $(shell command -v uv || echo .cache/uv/bin/uv)
compile = if ! command -v $(uv) >/dev/null; then $(VENV)/python -m pip install --quiet --target .cache/uv uv; fi; \
	$(uv) pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" --quiet $(2) --output-file requirements/$(1).lock requirements/$(1).in
