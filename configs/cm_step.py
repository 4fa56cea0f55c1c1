"""CM-Step (arXiv 2408.07180): more and more updates with Global-PMI, in blocks.

Variants default, human, paper and tiny as configs/dnabert.py, which this changes,
and public_code: paper with what the public code does, 100 blocks that move from
DNABERT's spans to Global-PMI. The talk, and every other variant, has 10 blocks
that move from GeneMask to Global-PMI.
"""

from configs import dnabert, genemask

VARIANTS = (*dnabert.VARIANTS, "public_code")


def get_config(variant="default"):
  """The experiment as a ConfigDict."""
  is_public = variant == "public_code"
  config = dnabert.get_config("paper" if is_public else variant)
  config.masking.curriculum.name = "cm_step"
  if variant in ("paper", "public_code"):
    genemask.script_a(config)
  if is_public:
    config.masking.curriculum.num_blocks = 100
  else:
    config.masking.selection = "gene_mask"
    config.masking.probability = 0.0176
  return config
