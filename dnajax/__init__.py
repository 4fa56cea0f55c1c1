"""dnajax: pretraining DNA encoders with masking strategies made for DNA."""

__version__ = "0.1.0"
