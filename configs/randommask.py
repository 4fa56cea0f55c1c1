"""RandomMask (arXiv 2310.07644): windows that grow in five phases.

Variants default, human, paper and tiny as configs/dnabert.py, which this changes.

No code, weights or configs were published. Probability, windows and phases below
are from memory of the paper's text and not verified: papers.md 4. The paper's
boundaries are given for 480,000 steps; other variants scale them.
"""

from configs import dnabert

VARIANTS = tuple(dnabert.VARIANTS)


def get_config(variant="default"):
  """The experiment as a ConfigDict."""
  config = dnabert.get_config(variant)
  if variant == "paper":
    config.total_steps, config.batch_size = 480_000, 512
    config.optimizer.learning_rate = 5e-4
  config.masking.selection = "random_window"
  config.masking.window_sizes = (6, 8, 10, 12, 14)
  config.masking.phases.boundaries = tuple(
      config.total_steps * step // 480_000
      for step in (30_000, 60_000, 100_000, 200_000)) if variant != "tiny" else (2, 4)
  config.masking.phases.counts = (1, 2, 3, 4, 5) if variant != "tiny" else (1, 3, 5)
  return config
