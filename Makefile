# make run ARGS="decoder=ssd model=llada task=gsm8k" sets up what is missing and runs one line of the benchmark.

-include .venv/torch.mk
PYTHON ?= python3
TORCH ?= torch==2.13.0
ARGS ?=
MAIN_JOB := decoder=ssd model=llada_tiny task=tiny_math runtime.limit=20
MEASURED := outputs/reference
REFERENCE := results_dir=$(MEASURED) runtime.limit=8 runtime.threads=1
TINY_TASKS := task=tiny_math,tiny_humaneval,tiny_mbpp
torch_named := $(filter-out file,$(origin TORCH))

.DEFAULT_GOAL := help
.PHONY: help setup run test bench bench-gpu results format clean FORCE

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile
	@echo
	@echo '  ARGS="..."                 what run.py or the benchmark is given'
	@echo '  PYTHON=python3.12          the Python that .venv is made with, 3.11 or newer'
	@echo '  TORCH="torch==2.12.0"      another torch than the tested one; later calls keep it'

setup: .venv/.installed ## create .venv and install everything into it

run: setup ## run the benchmark: make run ARGS="decoder=ssd model=llada task=gsm8k"
	.venv/bin/python run.py $(or $(ARGS),$(MAIN_JOB))

test: setup ## lint, check the format, run all tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	OMP_NUM_THREADS=1 .venv/bin/pytest -n 2 --dist loadscope --no-loadscope-reorder

bench: setup ## time forwards beside their floor (ARGS="..."), and stepwise decoding beside an eager one (ENGINE="...")
	.venv/bin/python -m scripts.bench_forward $(ARGS)
	.venv/bin/python -m scripts.bench_engine $(ENGINE)

results: setup ## measure what results/reference/ holds (under half an hour on two cores), and write its report
	.venv/bin/python run.py -m $(REFERENCE) experiment=decoders model=llada_tiny $(TINY_TASKS)
	.venv/bin/python run.py -m $(REFERENCE) experiment=decoders decoder=stepwise,ssd,freedave,psd,spiffy,fast_dllm,apd model=dream_tiny $(TINY_TASKS)
	.venv/bin/python run.py -m $(REFERENCE) decoder=ssd decoder.builder=best_first decoder.depth=auto model=llada_tiny,dream_tiny $(TINY_TASKS)
	.venv/bin/python run.py -m $(REFERENCE) experiment=tree_grid model=llada_tiny task=tiny_math
	.venv/bin/python run.py -m $(REFERENCE) decoder=ssd,freedave,fast_dllm model=llada_tiny task=tiny_math runtime.reference=chain runtime.traces=true
	.venv/bin/python -m scripts.report $(MEASURED) --frames results/reference --out report
	.venv/bin/python -m scripts.report results/reference --only prediction tree-speedup main trees --out results/reference

bench-gpu: setup ## all that wants a GPU, in ten minutes: JSON and a log under OUT
	OUT=$(or $(OUT),gpu_check) scripts/gpu_check.sh

format: setup ## rewrite the code in the common format
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

clean: ## remove .venv and every cache, keep results
	rm -rf .venv *.egg-info .pytest_cache .ruff_cache .hypothesis build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; ok = sys.version_info >= (3, 11); ok or sys.exit("$(PYTHON) is Python %d.%d, expected 3.11 or newer; name one: make setup PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv .venv

# The constraints' own torch would contradict another TORCH; what the first install brought satisfies the second.
.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	grep -v '^torch==' constraints.txt > .venv/constraints.txt
	.venv/bin/python -m pip install -c .venv/constraints.txt "$(TORCH)"
	.venv/bin/python -m pip install -c .venv/constraints.txt -e '.[test]'
	$(if $(torch_named),echo 'TORCH ?= $(TORCH)' > .venv/torch.mk)
	touch $@

# A torch asked for by name is installed even over a finished set-up, and remembered for the calls after it.
ifdef torch_named
.venv/.installed: FORCE
endif
