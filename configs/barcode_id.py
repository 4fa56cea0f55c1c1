"""An encoder for a reference library: your barcodes with names, minutes on a laptop.

  python -m dnajax.main --config=configs/barcode_id.py --config.data.name=barcodes/NAME \
      --workdir=runs/mine

Rows are aligned to the consensus of the library, a profile adds up a learned vector for
each letter at each place, and the vectors are learned so that genera lie apart (cosine
head with a margin) and sequences of one genus together (supervised contrastive). This
project's own; what else was tried stands in configs/README.md.

Variants, chosen with --config=configs/barcode_id.py:NAME
  default    a prepared table of barcodes of one marker (data.name=barcodes/NAME)
  quick      half of the width, a third of the updates
  unlabelled  no names are needed: features as similar as the aligned sequences are
  broad      hundreds of thousands of barcodes, split pretrain: an encoder for libraries
             that it has not seen (dnajax.identify); 2 epochs
  bag        k-mers instead of letters at places: sequences of any length, any marker
  simulated  the simulated barcodes that are generated on first use
  tiny       for tests
"""

import ml_collections

from configs import shared


def get_config(variant="default"):
  """The experiment as a ConfigDict; the variants are listed above."""
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.num_epochs = 20
  config.total_steps = 1_000  # found from num_epochs unless that is 0
  config.batch_size = 128
  config.balance = dict(label="")  # "genus": rows of 16 genera × 4 in every batch

  config.data = dict(name="barcodes/coi_small", split="train", max_length=660)
  config.tokens = dict(k=6, stride=6, frames="all", align_to="train")
  config.encoder = dict(name="profile", width=512, dropout=0.5)
  config.objective = dict(name="classifier")
  config.losses = dict(
      genus=dict(name="cross_entropy", ranks=("genus",), head="cosine", scale=16.0,
                 margin=0.2, head_dropout=0.0),
      together=dict(name="supervised_contrastive", rank="genus", temperature=0.1))
  config.optimizer = dict(
      schedule=dict(name="cosine", warmup_fraction=0.05, final_fraction=0.01),
      learning_rate=3e-3, b2=0.99, weight_decay=1e-4, clip_norm=0.0, no_decay=("bias",))
  config.log = dict(every_steps=20)
  config.checkpoint = dict(every_steps=200, keep=3)
  config.evals = shared.LIBRARY_EVALS
  if "losses" in VARIANTS[variant]:  # instead of those above, not beside them
    config.losses = {}
  config.update(VARIANTS[variant])
  return config


VARIANTS = {
    "default": {},
    "quick": dict(num_epochs=7, encoder=dict(width=256)),
    # Nothing is left out: what is to be learned is in the row itself.
    "unlabelled": dict(
        encoder=dict(dropout=0.0), optimizer=dict(no_decay=()),
        losses=dict(alike=dict(name="identity"))),
    "broad": dict(
        num_epochs=2, batch_size=256,
        data=dict(name="barcodes/animals", split="pretrain"),
        checkpoint=dict(every_steps=1_000),
        # Only on demand: what the names of its own species say would flatter it.
        evals={name: dict(every_steps=-1) for name in shared.LIBRARY_EVALS}),
    "bag": dict(tokens=dict(align_to=""), encoder=dict(name="kmer_bag")),
    "simulated": dict(
        num_epochs=10,
        data=dict(name="simulated_barcodes", is_generated=True)),
    "tiny": dict(
        num_epochs=0, total_steps=8, batch_size=16,
        balance=dict(label="genus", num_classes=3, rows_per_class=2),
        data=dict(
            name="simulated_barcodes", is_generated=True, max_length=72),
        tokens=dict(k=3, stride=3), encoder=dict(width=16),
        log=dict(every_steps=1), checkpoint=dict(every_steps=3),
        evals=shared.TINY_LIBRARY_EVALS),
}
