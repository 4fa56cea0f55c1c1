"""BarcodeMAE+ (bioscan-ml/BarcodeMAE ebb7138; papers.md section 2): labels beside masked tokens.

BarcodeMAE with a [CLS] that reads the genus, in batches of 16 genera × 4 rows and as many
rows from all records (here 8 × 4).

Variants, chosen with --config=configs/barcodemae_plus.py:NAME
  default  small model with every frame on simulated barcodes that are generated on first use
  bold     the same on a prepared table of barcodes (data.name=barcodes/NAME)
  paper    the published setting, on BIOSCAN-5M: the best there, masked autoencoder, [CLS],
           cross-entropy
  tiny     for tests

The ten published configurations are overrides of :paper. Of the model
  maelm          nothing
  transformer    --config.objective.name=masked_lm --config.masking.corruption.name=replace
and of the label loss
  cross-entropy  nothing
  triplet        --config.losses.labels.name=triplet --config.losses.labels.rank=genus
  binary         --config.losses.labels.name=pairs --config.losses.labels.rank=genus
                 --config.losses.labels.ramp_steps=0
  none           --config.losses.labels=None
  no [CLS]       --config.losses.labels=None --config.tokens.add_cls=False
                 --config.evals.knn_genus_cls=None
"""

from configs import barcodemae


def get_config(variant="default"):
  """The experiment as a ConfigDict; the variants are listed above."""
  config = barcodemae.get_config(variant)
  config.total_steps = 400
  config.batch_size = 64
  config.balance = dict(label="genus", num_classes=8, rows_per_class=4)
  config.tokens.update(add_cls=True, frames="all")
  config.losses = dict(
      masked=dict(name="masked_prediction", weight=0.999),
      labels=dict(name="cross_entropy", ranks=("genus",), weight=0.1, pooling="cls",
                  head="norm_linear", head_dropout=0.1, ramp_steps=100))
  config.optimizer.learning_rate = 2e-3
  config.evals.knn_genus_cls = config.evals.knn_genus.copy_and_resolve_references()
  config.evals.knn_genus_cls.pooling = "cls"  # published: what is compared
  config.update(VARIANTS[variant])
  return config


VARIANTS = {
    "default": {},
    "bold": {},
    "paper": dict(
        tokens=dict(frames="one"),
        # 35 epochs, each until 2.33 M barcodes are drawn at random, 64 of 128 rows of a
        # batch; the weight of the labels rises over 5 of them.
        total_steps=1_274_000, batch_size=128, balance=dict(num_classes=16),
        losses=dict(
            visible=dict(name="visible_prediction", weight=0.001),
            labels=dict(ramp_steps=182_000)),
        optimizer=dict(
            learning_rate=7e-5, learning_rate_scaling="absolute", clip_norm=0.5)),
    "tiny": dict(
        total_steps=8, batch_size=16, balance=dict(num_classes=3, rows_per_class=2),
        losses=dict(labels=dict(ramp_steps=4))),
}
