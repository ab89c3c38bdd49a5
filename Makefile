# make run ARGS="decoder=ssd model=llada task=gsm8k" installs what is missing and runs one line of the benchmark.

-include .venv/torch.mk
PYTHON ?= python3
TORCH ?= torch==2.13.0
ARGS ?=
BEST_TREE := decoder=ssd decoder.builder=best_first decoder.depth=auto
MAIN_JOB := $(BEST_TREE) model=sdar_tiny_b16 task=tiny_math runtime.limit=20 runtime.threads=1
MEASURED := outputs/reference
THRESHOLDS := outputs/thresholds
REFERENCE := results_dir=$(MEASURED) runtime.threads=1
MATH := $(REFERENCE) task=tiny_math runtime.limit=20
CODE_TASKS := $(REFERENCE) task=tiny_humaneval,tiny_mbpp runtime.limit=8
PRICE := results_dir=$(THRESHOLDS) runtime.threads=1 runtime.timing=false task=tiny_math runtime.limit=50
BLOCK_CAUSAL := sdar_tiny,sdar_tiny_b16,fast_dllm_v2_tiny
DREAM_DECODERS := decoder=stepwise,ssd,freedave,psd,spiffy,fast_dllm,apd
PYTEST := OMP_NUM_THREADS=1 .venv/bin/pytest -n 2 --dist loadscope --no-loadscope-reorder
# Files that git tracks: a user's own decoder does not fail the checks. Without git, all files.
CODE := $(or $(wildcard $(shell git ls-files '*.py' '*.ipynb' pyproject.toml 2>/dev/null)),.)
TYPED := $(filter ssd/%.py baselines/%.py scripts/%.py run.py,$(CODE))
PIP := .venv/bin/python -m pip --disable-pip-version-check
PIP_LOG := .venv/pip.log
torch_named := $(filter-out file,$(origin TORCH))

# Without byte code every process compiles all that it imports: for torch, half a minute.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup run test test-quick test-long check docs wheel bench bench-gpu results format clean FORCE

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' Makefile
	@echo
	@echo '  ARGS="..."                 what run.py or the benchmark is given'
	@echo '  PYTHON=python3.12          the Python that .venv is made with, 3.11 or newer'
	@echo '  TORCH="torch==2.12.0"      another torch than the tested one; later calls keep it'

setup: .venv/.test ## create .venv and install everything into it

run: .venv/.run ## run the benchmark: make run ARGS="decoder=ssd model=llada task=gsm8k"
	.venv/bin/python run.py $(or $(ARGS),$(MAIN_JOB))

test: check ## lint, check format and types, run all tests
	$(PYTEST) -m "not own"

test-quick: .venv/.test ## run the everyday tests
	HYPOTHESIS_PROFILE=quick $(PYTEST) -m "not slow and not own"

test-long: check ## as test, with the large numbers of examples
	HYPOTHESIS_PROFILE=long SSD_TEST_LONG=1 $(PYTEST) -m "not own"

check: .venv/.test ## lint, check format and types
	@echo 'ruff check' && .venv/bin/ruff check $(CODE)
	@echo 'ruff format --check' && .venv/bin/ruff format --check $(filter-out %.toml,$(CODE))
	@echo 'mypy' && .venv/bin/mypy $(TYPED)

docs: .venv/.test ## build the documentation's pages into site/
	.venv/bin/mkdocs build --strict

wheel: .venv/.test ## build the wheel into dist/
	$(PIP) wheel . --quiet --no-deps --no-build-isolation --wheel-dir dist

bench: .venv/.run ## time forwards beside their floor (ARGS="..."), and stepwise decoding beside an eager one (ENGINE="...")
	.venv/bin/python -m ssd bench forward $(ARGS)
	.venv/bin/python -m ssd bench engine $(ENGINE)

results: setup ## measure what results/reference/ holds (about an hour on two cores), and write its report
	.venv/bin/python run.py -m $(MATH) $(BEST_TREE) decoder.lookahead=0,1 model=$(BLOCK_CAUSAL)
	.venv/bin/python run.py -m $(MATH) decoder=freedave decoder.eager=false,true model=$(BLOCK_CAUSAL)
	.venv/bin/python run.py -m $(MATH) decoder=freedave decoder.draft_steps=2,3,8 model=sdar_tiny_b16
	.venv/bin/python run.py -m $(MATH) decoder=stepwise,ssd,psd,spiffy,fast_dllm model=$(BLOCK_CAUSAL)
	.venv/bin/python run.py -m $(MATH) experiment=decoders model=llada_tiny
	.venv/bin/python run.py -m $(MATH) $(DREAM_DECODERS) model=dream_tiny
	.venv/bin/python run.py -m $(MATH) $(BEST_TREE) model=llada_tiny,dream_tiny
	.venv/bin/python run.py -m $(CODE_TASKS) experiment=decoders model=llada_tiny
	.venv/bin/python run.py -m $(CODE_TASKS) $(DREAM_DECODERS) model=dream_tiny
	.venv/bin/python run.py -m $(CODE_TASKS) $(BEST_TREE) model=llada_tiny,dream_tiny
	.venv/bin/python run.py -m $(REFERENCE) runtime.limit=8 experiment=tree_grid model=llada_tiny,sdar_tiny_b16 task=tiny_math
	.venv/bin/python run.py -m $(REFERENCE) runtime.limit=8 decoder=ssd,freedave,fast_dllm model=llada_tiny task=tiny_math runtime.reference=chain runtime.traces=true
	.venv/bin/python run.py -m $(PRICE) experiment=threshold_grid decoder.threshold=0.5,0.7,0.9,0.95 model=llada_tiny,dream_tiny,$(BLOCK_CAUSAL)
	.venv/bin/python -m ssd report $(MEASURED) $(THRESHOLDS) --frames results/reference --out report
	.venv/bin/python -m ssd report results/reference --only prediction tree-speedup main forwards trees --out results/reference

bench-gpu: .venv/.run ## every check that needs a GPU, in ten minutes: JSON and a log under OUT
	OUT=$(or $(OUT),gpu_check) scripts/gpu_check.sh

format: .venv/.test ## rewrite the code in the common format
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean: ## remove .venv, builds and every cache, keep results
	rm -rf .venv *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; ok = sys.version_info >= (3, 11); ok or sys.exit("$(PYTHON) is Python %d.%d, expected 3.11 or newer; name one: make setup PYTHON=python3.12" % sys.version_info[:2])'
	@echo 'creating .venv'
	@$(PYTHON) -m venv .venv

# One call of pip for everything. The constraints' own torch would contradict another TORCH.
# Python compiles a module at its first import; compiling all of them here would take half a minute.
define install
	@echo 'installing $(1); pip writes to $(PIP_LOG)'
	@grep -v '^torch==' constraints.txt > .venv/constraints.txt
	@$(PIP) install --no-compile --constraint .venv/constraints.txt "$(TORCH)" --editable '.[$(1)]' > $(PIP_LOG) 2>&1 \
		|| { tail -n 3 $(PIP_LOG) >&2; echo 'error: pip failed; all it printed is in $(PIP_LOG)' >&2; exit 1; }
	@$(if $(torch_named),echo 'TORCH ?= $(TORCH)' > .venv/torch.mk,:)
	@touch .venv/.$(1)
endef

.venv/.run: pyproject.toml constraints.txt | .venv/bin/python
	$(call install,run)

.venv/.test: pyproject.toml constraints.txt | .venv/bin/python
	$(call install,test)
	@touch .venv/.run

# A torch that the command line names is installed over a finished set-up, and later calls keep it.
ifdef torch_named
.venv/.run .venv/.test: FORCE
endif
