"""LOGO with CM-GEMS: the small model of the ECAI 2024 paper.

Variants default, human, paper and tiny as configs/cm_gems.py, which this changes,
and original: paper with LOGO's own feed-forward width (1024, 2.83 M parameters)
instead of the 3072 (4.93 M) of GeneMask's config file.
"""

from configs import cm_gems

VARIANTS = (*cm_gems.VARIANTS, "original")


def get_config(variant="default"):
  """The experiment as a ConfigDict."""
  is_original = variant == "original"
  config = cm_gems.get_config("paper" if is_original else variant)
  if variant in ("paper", "original"):
    config.model.width, config.model.depth = 256, 2
    config.model.num_heads = 8
    config.model.mlp_width = 1024 if is_original else 3072
    config.model.dropout = 0.0
  elif variant != "tiny":
    config.model.width, config.model.num_heads = 96, 4
    config.model.mlp_width = 288
  return config
