"""Global-PMI (arXiv 2408.07180): around the tokens of highest PMI of the row.

Variants default, human, paper and tiny as configs/dnabert.py, which this changes.
"""

from configs import dnabert, genemask

VARIANTS = tuple(dnabert.VARIANTS)


def get_config(variant="default"):
  """The experiment as a ConfigDict."""
  config = dnabert.get_config(variant)
  config.masking.selection = "global_pmi"
  config.masking.probability = 0.0136  # .15 / 11; spans overlap: about 12 % selected
  if variant == "paper":
    genemask.script_a(config)
  return config
