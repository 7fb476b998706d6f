# make demo   talking demo corpus -> features -> 240 runs as lanes -> tables
# make test   the tests            make lint   style and types
# make test-fast      what one runs while working: the tests that compile nothing
# make test-portable  as on other people's machines: older processors, and a single core
# make test-gpu       the numerical tests, on a GPU; DEVICE=cpu runs the same ones on the processor
# make docs   the documentation, in site/
# make docs-check     follows README and documents, and holds their numbers against what comes
# make paper  every table and figure of the paper: make paper DATA=a-prepared-data-set
# make weightings-demo  which weighting of the three losses? on the demo corpus
# make bench  what two cores can measure of docs/speed.md; EXTRA=bench compares with PyTorch, too
# make bench-gpu  all that a GPU has a part in, the most important first, e.g. with EXTRA=cuda13,bench;
#                 what has not ended in MINUTES=8 is named, and taken by the same command again
# EXTRA=cuda12 or EXTRA=cuda13 uses a GPU, in any of them
# EXTRA=encoders tests frozen encoders, too: it installs PyTorch, which may be gigabytes
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
EXTRA ?=
CONSTRAINTS ?= constraints.txt
DEMO ?= demo
BIN := $(VENV)/bin
comma := ,
extras = $(1)$(if $(EXTRA),$(comma)$(EXTRA))
pip = $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	$(if $(CONSTRAINTS),-c $(CONSTRAINTS)) -e ".[$(call extras,$(1))]"
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

OUT ?= runs/paper
FEATURES ?= paa_hsf
VECTORS ?= glove
PROTOCOL ?= paper
SIZE ?= paper
FLAGS ?=
GRID_FLAGS ?=
DEVICE ?= gpu
MINUTES ?= 8
ONLY ?=

.PHONY: demo paper paper-demo weightings-demo test test-fast test-portable test-gpu lint format docs docs-check bench bench-gpu clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo$(EXTRA): pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(call pip,demo)
	@touch $@

$(VENV)/.test$(EXTRA): pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(call pip,demo$(comma)test)
	@touch $@

$(VENV)/.docs: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(call pip,docs)
	@touch $@

demo: $(VENV)/.demo$(EXTRA)
	@echo "A corpus, its features, 240 runs and three reports: six minutes of processor time."
	$(BIN)/dser prepare --corpus demo $(DEMO)/corpus --features gemaps_hsf --out $(DEMO)/prepared
	$(BIN)/python experiments/modalities.py --data $(DEMO)/prepared --out $(DEMO)/modalities --size small
	$(BIN)/python experiments/table6.py --data $(DEMO)/prepared --out $(DEMO)/table6 --size small --lanes 60
	$(BIN)/python experiments/beyond.py --data $(DEMO)/prepared --out $(DEMO)/beyond --size small

# The whole results section: make paper DATA=a-prepared-data-set
paper: $(VENV)/.demo$(EXTRA)
	@test -n "$(DATA)" || { echo "make paper DATA=DIR: which prepared data set?"; exit 2; }
	$(BIN)/python experiments/paper.py --data $(DATA) --out $(OUT) --features $(FEATURES) \
		--vectors $(VECTORS) --protocol $(PROTOCOL) --size $(SIZE) $(FLAGS) \
		--grid-flags="$(GRID_FLAGS)"

# The same on the demo corpus at a size for two cores, to see that all of it runs.
paper-demo: $(VENV)/.demo$(EXTRA)
	$(BIN)/dser prepare --corpus demo $(DEMO)/corpus --features gemaps_hsf --out $(DEMO)/prepared
	$(MAKE) paper DATA=$(DEMO)/prepared OUT=$(DEMO)/paper FEATURES=gemaps_hsf VECTORS=we \
		PROTOCOL=strict SIZE=small FLAGS="--seeds 3 --max-epochs 8" \
		GRID_FLAGS="--points 0 0.25 0.5 0.75 --seeds 2"

# Which weighting? All arms on the demo corpus with dense networks; minutes.
weightings-demo: $(VENV)/.demo$(EXTRA)
	$(BIN)/dser prepare --corpus demo $(DEMO)/corpus --features gemaps_hsf --out $(DEMO)/prepared
	$(BIN)/python experiments/weightings.py --data $(DEMO)/prepared --out $(DEMO)/weightings \
		--size small --acoustic mlp --text mlp $(FLAGS)

test: $(VENV)/.test$(EXTRA)
	$(PYTEST)

test-fast: $(VENV)/.test$(EXTRA)
	$(PYTEST) -m "not compiles"

# Sums come in another order under each; no test may depend on it. The others see no difference.
test-portable: $(VENV)/.test$(EXTRA)
	XLA_FLAGS=--xla_cpu_max_isa=AVX2 $(PYTEST) -m compiles
	XLA_FLAGS=--xla_cpu_max_isa=SSE4_2 $(PYTEST) -m compiles
	taskset -c 0 $(PYTEST)

# BENCH_PYTHON=python3 takes an environment that is there, of which only pytest-xdist and the core's
# dependencies are needed: types are checked elsewhere, and other frameworks where they are installed.
test-gpu: $(if $(BENCH_PYTHON),,$(VENV)/.test$(EXTRA))
	$(or $(BENCH_PYTHON),$(BIN)/python) -m pytest -o addopts=-ra -m device --device $(DEVICE) -n 4 --dist loadfile

lint: $(VENV)/.test$(EXTRA)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyrefly check

format: $(VENV)/.test$(EXTRA)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Nothing is fetched; each link is checked.
docs: $(VENV)/.docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# As a reader would who pastes each block, in a temporary folder; about a quarter of an hour on two cores.
docs-check: $(VENV)/.test$(EXTRA)
	$(BIN)/python docs/check.py

bench: $(VENV)/.test$(EXTRA)
	$(BIN)/python benchmarks/all.py

# BENCH_PYTHON=python3 takes an environment that is there, with JAX, Flax, Optax and Orbax in it.
bench-gpu: $(if $(BENCH_PYTHON),,$(VENV)/.test$(EXTRA))
	$(or $(BENCH_PYTHON),$(BIN)/python) benchmarks/all.py --size gpu \
		--minutes $(MINUTES) $(if $(ONLY),--only $(ONLY))

clean:
	rm -rf $(DEMO) site build dist .pytest_cache .ruff_cache .hypothesis
