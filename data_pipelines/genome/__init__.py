"""Genomes in FASTA -> windows for pretraining."""
