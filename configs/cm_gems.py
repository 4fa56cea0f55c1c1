"""CM-GEMS (arXiv 2408.07180): GeneMask, then Global-PMI once perplexity settles.

Variants default, human, paper and tiny as configs/dnabert.py, which this changes.

The published threshold is a perplexity drop below 1.0 between evaluations that
are 500 steps apart. The small variants evaluate more often, start at perplexities
of thousands and use a relative one.
"""

from configs import dnabert, genemask

VARIANTS = tuple(dnabert.VARIANTS)


def get_config(variant="default"):
  """The experiment as a ConfigDict."""
  config = dnabert.get_config(variant)
  use_cm_gems(config)
  if variant == "paper":
    genemask.script_a(config)
    config.masking.curriculum.hard_probability = 0.0176  # --mlm_probability
  else:
    config.masking.curriculum.relative = True
    config.masking.curriculum.threshold = 0.02
  return config


def use_cm_gems(config):
  """From GeneMask to Global-PMI."""
  config.masking.selection = "gene_mask"
  config.masking.probability = 0.0176
  config.masking.curriculum.name = "cm_gems"
