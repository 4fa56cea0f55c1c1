"""BarcodeBERT (arXiv 2311.02401): masked language model on DNA barcodes.

Variants, chosen with --config=configs/barcodebert.py:NAME
  default  small model on simulated barcodes that are generated on first use
  bold     small model on a prepared table of barcodes (data.name=barcodes/NAME)
  paper    the release model k=4, 4 layers, 4 heads, on CANADA-1.5M
  tiny     for tests

default, bold and tiny differ from configs/barcodemae.py in the objective and the
corruption only, so that runs of the two can be compared.

Left out of the published form, because no output depends on it: the second
token-type row.
"""

import ml_collections

from configs import shared


def get_config(variant="default"):
  """The experiment as a ConfigDict; the variants are listed above."""
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.total_steps = 400
  config.batch_size = 32

  config.data = dict(
      name="simulated_barcodes", split="pretrain", max_length=660, is_generated=True)
  config.tokens = dict(
      k=6, stride=6,
      random_offset=False)  # published: True; a short run then learns the frame, no taxon
  config.masking = dict(
      selection=dict(name="uniform", ratio=0.5),
      corruption=dict(name="replace"),  # replace | hide
      pmi_table="",                     # .npz, or a file that lies beside the records
      capacity_sds=1.5)                 # scored slots beyond the mean, standard deviations
  config.encoder = dict(
      name="transformer", width=128, depth=3, num_heads=2, mlp_width=512,
      max_positions=128, dropout=0.1, norm="pre",
      scan_unroll=3)  # no loop over layers: faster on a CPU, slower to compile
  config.objective = dict(name="masked_lm", head="linear")
  config.losses = dict(masked=dict(name="masked_prediction", weight=1.0))
  config.optimizer = dict(
      schedule=dict(name="cosine", warmup_steps=100, final_fraction=0.01),
      learning_rate=5e-4, b2=0.98, weight_decay=0.05, clip_norm=1.0,
      no_decay=("bias", "norm", "word|position|token_type|mask_embedding"))
  config.log = dict(every_steps=20)
  config.checkpoint = dict(every_steps=100, keep=3)
  config.evals = shared.BARCODE_EVALS
  config.update(VARIANTS[variant])
  return config


VARIANTS = {
    "default": dict(evals=dict(genera_map=dict(max_per_label=200))),  # no genus is rare
    "bold": dict(
        data=dict(name="barcodes/coi_small", split="train", is_generated=False),
        total_steps=800,
        # As in barcodemae.py: keeps what visible tokens were in the features.
        losses=dict(masked=dict(weight=0.5),
                    visible=dict(name="visible_prediction", weight=0.5))),
    "paper": dict(
        data=dict(name="barcodes/canada1.5m", is_generated=False),
        # 35 epochs of about 1.5 M barcodes; README of the public code
        total_steps=410_000, batch_size=128,
        tokens=dict(k=4, stride=4, random_offset=True), masking=dict(capacity_sds=3.0),
        encoder=dict(width=768, depth=4, num_heads=4, mlp_width=3072, max_positions=512,
                     norm="post", dtype="bfloat16", scan_unroll=1),
        optimizer=dict(shared.ONE_CYCLE, weight_decay=0.0),
        log=dict(every_steps=100), checkpoint=dict(every_steps=2_000),
        evals=dict(
            masked_loss=dict(split="test", every_steps=5_000, max_records=0),
            knn_genus=dict(every_steps=20_000),
            probe_species=dict(recipe="sgd", valid_split="test"),
            probe_species_kmers=dict(recipe="sgd", valid_split="test"),
            attention_map=dict(split="test"))),
    "tiny": dict(
        total_steps=8, batch_size=16, data=dict(max_length=72),
        tokens=dict(k=3, stride=3, random_offset=True),
        encoder=dict(width=16, depth=2, num_heads=2, mlp_width=32, max_positions=32,
                     dropout=0.0, scan_unroll=1),
        optimizer=dict(schedule=dict(warmup_steps=2)),
        log=dict(every_steps=1), checkpoint=dict(every_steps=3),
        evals=shared.TINY_BARCODE_EVALS),
}
