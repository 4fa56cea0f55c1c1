"""Fine-tuning: a classifier on a pretrained encoder, or from scratch.

  python -m dnajax.main --config=configs/finetune.py:VARIANT --workdir=DIR \\
      --config.init_from.workdir=PRETRAINED --seeds=0,1,2

With init_from.workdir the tokens and the encoder are those of that run, whatever its
objective was; the sizes below are for training from scratch. init_from.take=shape trains
the same encoder from scratch.

Variants, chosen with --config=configs/finetune.py:NAME
  default  the genus of simulated barcodes, generated on first use
  tiny     for tests
  table    your own table (data.name=labelled/NAME)
  gue_*    every task of GUE: 3 to 10 epochs, lr 3e-5, batch 32, best step by the loss
           on dev (papers.md 7.3; a task without a train split cannot be trained)
  fewshot_TASK_SHOTS  accuracy on test after the last update, no dev set (papers.md 5.6):
           10, 50, 100 shots 20 epochs, lr 1e-4, batch 5; 500, 1000 shots 5 epochs,
           lr 5e-5, batch 15. Where ten sets were published, seed i trains on set i:
           --seeds=0,1,2,3,4,5,6,7,8,9.
Data sets have the variant's name: python -m data_pipelines.prepare --dataset=labelled
--preset=gue/tf/4 makes labelled/gue_tf_4, and gue_tf_4 trains on it.
"""

import ml_collections

from configs import shared


def get_config(variant="default"):
  """The experiment as a ConfigDict; the variants are listed above."""
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.num_epochs = 5
  config.total_steps = 1_000  # found from num_epochs unless that is 0
  config.batch_size = 32

  config.init_from = dict(workdir="", take="encoder")  # encoder | shape
  config.data = dict(
      name="simulated_barcodes", is_generated=True, max_length=660,
      split="train")  # train_{seed}: set number seed
  config.tokens = dict(
      vocabulary="dnabert", k=6, stride=1, add_cls=True, add_sep=True,
      reverse_complement=0.0)  # chance that a row is read from the other strand
  config.encoder = dict(
      name="transformer", width=128, depth=2, num_heads=2, mlp_width=512,
      max_positions=512, dropout=0.1, norm="pre", scan_unroll=2)
  config.objective = dict(name="classifier")
  config.losses = dict(label=dict(
      name="cross_entropy", ranks=("genus",),  # columns of the data set, the finest first
      pooling="cls",                           # cls | mean, over the real tokens
      head="linear",                           # linear | norm_linear | cosine
      head_dropout=0.1))
  config.optimizer = dict(
      schedule=dict(name="linear", warmup_steps=50), learning_rate=3e-5,
      weight_decay=0.01, no_decay=("bias", "norm"), clip_norm=1.0)
  config.log = dict(every_steps=20)
  config.checkpoint = dict(
      every_steps=200, keep=3,
      best="dev/loss")  # dnajax.evaluate takes the step with the lowest; "": the last
  config.evals = dict(
      dev=dict(name="classification", every_steps=200, split="dev"),
      # exclude_shared: without records whose sequence was trained on
      test=dict(name="classification", every_steps=-1,  # by dnajax.evaluate only
                split="test", exclude_shared=False))
  config.update(VARIANTS[variant])
  if variant.startswith("fewshot_"):
    del config.evals["dev"]
  return config


VARIANTS = {
    "default": dict(
        optimizer=dict(learning_rate=1e-3), num_epochs=8,
        tokens=dict(vocabulary="barcodebert", stride=6, add_sep=False),
        evals=dict(dev=dict(split="valid", every_steps=50)),
        checkpoint=dict(every_steps=50)),
    "tiny": dict(
        num_epochs=6, batch_size=8, data=dict(max_length=72),
        losses=dict(label=dict(ranks=("family",), pooling="mean", head_dropout=0.0)),
        tokens=dict(k=3, stride=3, vocabulary="barcodebert", add_sep=False),
        encoder=dict(width=16, mlp_width=32, max_positions=32, scan_unroll=1, dropout=0.0),
        optimizer=dict(schedule=dict(warmup_steps=0, warmup_fraction=0.1),
                       learning_rate=1e-2),
        log=dict(every_steps=1), checkpoint=dict(every_steps=4),
        evals=dict(dev=dict(split="valid", every_steps=4, batch_size=16),
                   test=dict(batch_size=16))),
    "table": dict(
        data=dict(name="labelled/mine", is_generated=False, max_length=510),
        losses=dict(label=dict(ranks=("label",)))),
    **{name: dict(
        data=dict(name=f"labelled/{name}", is_generated=False, max_length=length),
        losses=dict(label=dict(ranks=("label",))), num_epochs=epochs)
       for name, (length, epochs) in shared.GUE.items()},
    **{f"fewshot_{task}_{shots}": dict(
        data=dict(name=f"labelled/fewshot_{task}_{shots}", is_generated=False,
                  max_length=length, split="train_{seed}" if num_sets > 1 else "train"),
        losses=dict(label=dict(ranks=("label",))),
        num_epochs=shared.FEW_SHOT_RECIPE[shots][0],
        batch_size=shared.FEW_SHOT_RECIPE[shots][2],
        optimizer=dict(learning_rate=shared.FEW_SHOT_RECIPE[shots][1],
                       schedule=dict(warmup_steps=0, warmup_fraction=0.1)),
        checkpoint=dict(best=""))
       for task, (all_shots, num_sets, length) in shared.FEW_SHOT.items()
       for shots in all_shots},
}
