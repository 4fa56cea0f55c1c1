"""Barcodes generated from a seed: the default data set, needing no download."""
