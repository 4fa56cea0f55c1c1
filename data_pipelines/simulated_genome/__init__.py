"""A small genome with planted motifs, generated from a seed, needing no download."""
