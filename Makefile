# make run, make test   need Python 3.11 or newer and nothing before them
# make run ARGS="cell=lstm net.layers=2"
# make PYTHON=/path/to/python VENV=/path/to/environment test

VENV   ?= .venv
PYTHON ?= python3 python3.13 python3.12 python3.11

DISTRIBUTIONS = packages/core packages/cells packages/tasks cli
STAMP         = $(VENV)/.installed
TOOLS         = $(VENV)/.tools

# the first of PYTHON that is new enough and can make an environment
SUITABLE = $(firstword $(foreach python,$(PYTHON),$(shell $(python) -c \
           'import ensurepip, sys; sys.version_info >= (3, 11) and print("$(python)")' 2>/dev/null)))
# $(call GROUP,dev): the tools of a group, listed once in pyproject.toml
GROUP    = $(shell $(SUITABLE) -c \
           'import shlex, tomllib; groups = tomllib.load(open("pyproject.toml", "rb"))["dependency-groups"]; \
            print(*map(shlex.quote, groups["$(1)"]))')
PIP      = $(VENV)/bin/python -m pip --disable-pip-version-check install -qq --constraint constraints.txt

unexport PYTHONPATH PYTHONHOME

.PHONY: install tools run bench test test-slow test-browser kernels fuzz docs lint format

install: $(STAMP)

$(STAMP): constraints.txt pyproject.toml $(DISTRIBUTIONS:=/pyproject.toml)
	$(if $(SUITABLE),,$(error rnnx needs Python 3.11 or newer with its venv module, and none of "$(PYTHON)" is one; name yours: make PYTHON=/path/to/python))
	@echo "install: environment $(VENV)"
	@$(SUITABLE) -m venv $(VENV)
	@$(PIP) $(call GROUP,build)
	@echo "install: rnnx and its libraries (a minute or more)"
	@$(PIP) --no-build-isolation $(DISTRIBUTIONS:%=--editable %) --editable 'packages/core[testing]'
	@touch $@

tools: $(TOOLS)

$(TOOLS): $(STAMP)
	@echo "install: development tools"
	@$(PIP) $(call GROUP,dev)
	@touch $@

run: install
	@$(VENV)/bin/rnnx run $(ARGS)

bench: install
	@$(VENV)/bin/rnnx bench $(ARGS)

test: kernels
	@OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -n 2 --dist worksteal -m "not slow and not browser" $(ARGS)

test-slow: kernels
	@$(VENV)/bin/python -m pytest -m "slow and not browser" $(ARGS)

test-browser: tools
	@OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest -m browser $(ARGS)

# what compiles for GPUs, which torch brings with it where there is one
kernels: tools
	@$(PIP) $(call GROUP,kernels)

fuzz: tools
	@OMP_NUM_THREADS=1 $(VENV)/bin/python -m tests.fuzz $(ARGS)

docs: tools
	@$(PIP) $(call GROUP,docs)
	@NO_MKDOCS_2_WARNING=1 OMP_NUM_THREADS=1 $(VENV)/bin/python -m mkdocs build --quiet --strict --config-file docs/site/mkdocs.yml
	@echo "docs: site/index.html"

lint: tools
	@$(VENV)/bin/ruff check --quiet
	@$(VENV)/bin/ruff format --check --quiet
	@$(VENV)/bin/mypy --no-error-summary
	@$(VENV)/bin/lint-imports --no-cache --no-logo

format: tools
	@$(VENV)/bin/ruff check --quiet --fix
	@$(VENV)/bin/ruff format --quiet
