# demo and test do all their own set-up on a machine that has Python >= 3.11 and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WORKDIR ?= runs/demo
# Clusters and robustness take longer than the training: dnajax.evaluate without --evals.
EVALS ?= knn_genus,knn_genus_kmers,knn_genus_centred,knn_genus_centred_kmers,probe_species,probe_species_kmers,genera_map

.PHONY: help demo test lint clean

help:
	@echo "make demo   install, train an encoder of simulated barcodes, evaluate, embed, plot"
	@echo "make test   install, run the whole test suite"
	@echo "make lint   install, run ruff"
	@echo "make clean  remove the virtual environment and caches (no data, no runs)"

# Reused as long as it is newer than what it was made from.
$(VENV)/installed: setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: dnajax needs Python 3.11 or newer; $(PYTHON) is older." \
	         "Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[eval,test]'
	@touch $@

demo: $(VENV)/installed
	$(BIN)/python -m dnajax.main --config=configs/barcode_id.py:simulated --workdir=$(WORKDIR)
	$(BIN)/python -m dnajax.evaluate --workdir=$(WORKDIR) --evals=$(EVALS)
	$(BIN)/python -m dnajax.embed --workdir=$(WORKDIR) --overwrite \
	  --input=tests/data/barcodes.fasta --output=$(WORKDIR)/embeddings.parquet
	@echo
	@echo "metrics     $(WORKDIR)/metrics.jsonl"
	@echo "report      $(WORKDIR)/report/report.md"
	@echo "pictures    $$(ls $(WORKDIR)/report/*.png | tr '\n' ' ')"
	@echo "embeddings  $(WORKDIR)/embeddings.parquet"

test: $(VENV)/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/installed
	$(BIN)/ruff check .

clean:
	rm -rf $(VENV) .jax_cache .pytest_cache .ruff_cache *.egg-info
