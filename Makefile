# make setup | run | test | check. GPU=1: torch with CUDA (remembered). PORT= and DATA= belong to `make run`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3.11
GPU ?= $(if $(wildcard .venv/.torch-cuda),1,0)
PORT ?= 8000
DATA ?= data
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
TORCH := .venv/.torch-$(if $(filter 1,$(GPU)),cuda,cpu)
# The index of torch's CPU builds. Where it cannot be reached, what the ordinary index has is taken, with the libraries that it needs.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH_HERE := import torch; print("torch==" + torch.__version__.split("+")[0], torch.version.cuda)
.PHONY: help setup run image test quick durations soak film test-web test-python check check-dockerfile check-lint check-format check-types check-imports check-web check-client format clean docs docs-site web licences sbom scan
help: ## What can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/.runtime .venv/.dev web ## Python packages, web packages, web build (GPU=1: torch with CUDA)

run: .venv/.runtime web ## Set up and serve (PORT=8000 DATA=data)
	@AUTODUBBER_LOG_FORMAT=$${AUTODUBBER_LOG_FORMAT:-console} exec $(BIN)/autodubber serve --port $(PORT) --data $(DATA)

IMAGE ?= autodubber
image: ## Build the image (IMAGE=NAME; for CUDA: TORCH_INDEX=https://download.pytorch.org/whl/cu126)
	@docker build --tag $(IMAGE) --build-arg TORCH_INDEX=$(TORCH_INDEX) --build-arg VERSION=$$(sed -nE 's/^__version__ = "(.*)"/\1/p' app/__init__.py) \
	   --build-arg REVISION=$$(git rev-parse HEAD 2>/dev/null || echo unknown) --build-arg CREATED=$$(date -u +%Y-%m-%dT%H:%M:%SZ) .

test: test-web test-python ## Set up and run every test, Python and web

test-web: web
	@cd web && npm run --silent test

# Tests wait for servers and browsers more than they compute: there are more workers than processors.
WORKERS ?= 3
PYTEST := $(BIN)/python -m pytest --durations=10
PARALLEL := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder
test-python: setup
	@$(PYTEST) $(PARALLEL)

quick: .venv/.dev ## What needs no server, no browser and no media, in less than a minute
	@$(PYTEST) $(PARALLEL) --numprocesses $$(nproc) --quick tests/unit # nothing waits in them: more workers would only collect more

durations: setup ## Run the Python tests and write down how long each file takes; the longest go first next time
	@$(PYTEST) $(PARALLEL) --write-durations

soak: .venv/.dev ## Twenty minutes of kills, full disks, locked databases and floods (SOAK_S=1200, SOAK_SEED= of an earlier run)
	@$(BIN)/python -m tests.soak

film: .venv/.dev ## Whole dubs with real models (WEIGHTS=their folder): three minutes, Spanish to English, English to Spanish and French, left in build/film
	@AUTODUBBER_TEST_WEIGHTS=$(WEIGHTS) AUTODUBBER_TEST_FILM=$(CURDIR)/build/film AUTODUBBER_TEST_FILM_S=180 \
	   $(BIN)/python -m pytest -q -s tests/unit/cli/test_film.py

check: check-dockerfile check-lint check-format check-types check-imports check-web check-client docs-site ## Linters, formats, types, the one-directional rule

check-dockerfile: .venv/.dev
	@$(BIN)/hadolint Dockerfile

check-lint: .venv/.dev
	@$(BIN)/ruff check .

check-format: .venv/.dev
	@$(BIN)/ruff format --check .

check-types: .venv/.dev
	@$(BIN)/mypy

check-imports: .venv/.dev
	@$(BIN)/lint-imports

check-web: web
	@cd web && npm run --silent check

check-client: web .venv/.dev
	@cd web && sh scripts/api.sh --check

format: .venv/.dev ## Put every Python file into its format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: .venv/.runtime ## Write the generated pages of docs/ again
	@$(BIN)/python docs/generate.py

docs-site: .venv/.dev ## Build docs/ as a site into build/docs; a link that leads nowhere is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict 2>&1 | sed '/^INFO/d'

licences: .venv/.dev ## Write docs/licences.md from the lock files again
	@$(BIN)/python deploy/supply/licences.py

sbom: .venv/.dev ## Bills of materials in build/sbom/ (IMAGE=NAME: the image's too)
	@$(BIN)/python deploy/supply/sbom.py build/sbom $(IMAGE)

scan: sbom ## Known vulnerabilities, with every scanner that is here (IMAGE=NAME: the image's too)
	@sh deploy/supply/scan.sh build/sbom $(IMAGE)

clean: ## Remove what setup made (not the data)
	rm -rf .venv web/node_modules web/build web/.svelte-kit build *.egg-info

# ---------------------------------------------------------------- Python
.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "AutoDubber needs Python 3.11: install it (Debian, Ubuntu: apt install python3.11-venv), or name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "making .venv"
	@$(PYTHON) -m venv .venv

.venv/.torch-cpu: requirements.lock | .venv/bin/python
	@echo "installing torch for the CPU (200 MB; GPU=1 takes CUDA's)"
	@rm -f .venv/.torch-cuda
	@$(PIP) install --no-deps $$(grep -E '^setuptools==' $<)
	@if [ "$$($(BIN)/python -c '$(TORCH_HERE)' 2>/dev/null)" != "$$(grep -oE '^torch==[^ ]+' $<) None" ]; then \
	   $(PIP) uninstall --yes torch 2>/dev/null; \
	   $(PIP) install --no-deps --retries 0 --timeout 15 --extra-index-url $(TORCH_INDEX) $$(grep -oE '^torch==[^ ]+' $<); \
	 fi
	@$(PIP) install --no-deps $$(grep -oE '^(filelock|fsspec|jinja2|markupsafe|mpmath|networkx|sympy|typing_extensions|numpy)==[^ ]+' $<)
	@$(BIN)/python -c 'import torch' 2>/dev/null || { echo "this torch needs more libraries; fetching them"; $(PIP) install $$(grep -oE '^torch==[^ ]+' $<); }
	@touch $@

.venv/.torch-cuda: requirements.lock | .venv/bin/python
	@echo "installing torch with CUDA (3 GB)"
	@rm -f .venv/.torch-cpu
	@case "$$($(BIN)/python -c '$(TORCH_HERE)' 2>/dev/null)" in *None) $(PIP) uninstall --yes torch;; esac
	@$(PIP) install $$(grep -E '^setuptools==' $<) $$(grep -oE '^torch==[^ ]+' $<)
	@touch $@

.venv/.runtime: requirements.lock pyproject.toml $(TORCH) | .venv/bin/python
	@echo "installing Python packages"
	@$(PIP) install --no-deps --no-build-isolation -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: requirements-dev.lock .venv/.runtime
	@echo "installing test tools"
	@$(PIP) install --no-deps -r requirements-dev.lock
	@touch $@

# ---------------------------------------------------------------- the page
web/node_modules/.done: web/package-lock.json
	@command -v npm >/dev/null || { echo "The page is built with Node.js 20 or newer: install it (Debian: apt install nodejs npm)" >&2; exit 1; }
	@echo "installing web packages"
	@cd web && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# Built again when anything under web/ has changed (by content: a branch switched there and back builds nothing, a removed file does).
web: web/node_modules/.done
	@now=$$(find web \( -name node_modules -o -path web/build -o -name .svelte-kit -o -name test-results \) -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum); \
	 if [ "$$now" != "$$(cat web/node_modules/.built 2>/dev/null)" ] || [ ! -f web/build/index.html ]; then \
	   echo "building the page"; (cd web && npm run --silent build -- --logLevel warn); echo "$$now" >web/node_modules/.built; \
	 fi
