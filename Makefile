# Everything a fresh machine needs: make, and Python 3.11 or later with venv. `make demo` or `make test` does the rest.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN_LOCK := locks/run.txt
DEV_LOCK := locks/dev.txt

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo serve test check bench chaos image image-check install-check lock translations clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/run: $(VENV)/made $(RUN_LOCK) pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(RUN_LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev: $(VENV)/made $(DEV_LOCK) pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(DEV_LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/run

setup: $(VENV)/run ## install what running needs, and build the pages
	@$(BIN)/python scripts/build_assets.py

setup-dev: $(VENV)/dev
	@$(BIN)/python scripts/build_assets.py

demo: setup ## an election morning in a sample commune, within 30 seconds (SOUND=1 to hear one pole)
	@$(BIN)/loudspeaker demo $(if $(SOUND),--sound) $(ARGS)

serve: setup ## run the server on this machine
	@$(BIN)/loudspeaker serve $(ARGS)

check: setup-dev ## style, types, arrows between packages, translations
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python scripts/translations.py check

test: check ## the checks, then every test (installs Debian packages when root)
	@scripts/test-packages
	$(BIN)/python -m pytest -m "not alone" -n 3 --dist loadfile --no-loadscope-reorder --max-worker-restart 0 $(ARGS)
	$(BIN)/python -m pytest -m alone $(ARGS)

bench: setup-dev ## speed, as ratios measured side by side in this run
	@$(BIN)/python -m benchmarks $(ARGS)

chaos: setup-dev ## every fault and attack, counted (ARGS=--mutants plants bugs; ARGS=--long the full numbers)
	@scripts/test-packages
	@$(BIN)/python -m chaos $(ARGS)

image: ## the server as a container image, with docker, podman or buildah
	@scripts/image

image-check: setup-dev image ## the image's server as its own user, over a restart, airing to poles outside it
	@$(BIN)/python -m chaos.image_check

install-check: setup-dev ## a node installs itself in a clean Debian root, enrols and airs from there (root, debootstrap)
	@$(BIN)/python -m chaos.clean_debian $(ARGS)

lock: setup-dev ## renew the hash-pinned locks
	@scripts/lock

translations: setup-dev ## renew the catalogues from the sources
	@$(BIN)/python scripts/translations.py extract

clean: ## remove what was built and installed
	rm -rf $(VENV) dist build loudspeaker/web/static loudspeaker/web/assets/node_modules
