"""Barcodes with taxonomy from a table or FASTA."""
