"""GeneMask (arXiv 2307.15933): spans, widened around their best PMI.

Variants default, human, paper and tiny as configs/dnabert.py, which this changes.
paper is the setting of Script-A: 10,000 steps of 250 rows.
"""

from configs import dnabert

VARIANTS = tuple(dnabert.VARIANTS)


def get_config(variant="default"):
  """The experiment as a ConfigDict."""
  config = dnabert.get_config(variant)
  config.masking.selection = "gene_mask"
  config.masking.probability = 0.0176  # .15 / 8.5
  if variant == "paper":
    script_a(config)
  return config


def script_a(config):
  """Steps, batch and optimizer of GeneMask's and CM-GEMS' pretraining."""
  config.total_steps, config.batch_size = 10_000, 250
  config.optimizer.learning_rate, config.optimizer.warmup_steps = 8e-4, 500
