"""Fine-tuning: a classifier on a pretrained encoder, or from scratch.

  python -m dnajax.main --config=configs/finetune.py:VARIANT --workdir=DIR \\
      --config.encoder.workdir=PRETRAINED --seeds=0,1,2

With encoder.workdir the tokens and the sizes of the encoder are those of that run;
the sizes below are for training from scratch. encoder.parameters="random" trains the
same encoder from scratch.

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


def get_config(variant="default"):
  """The experiment as a ConfigDict; the variants are listed above."""
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.num_epochs = 5
  config.total_steps = 1_000  # found from num_epochs unless that is 0
  config.batch_size = 32
  config.accumulate_steps = 1
  config.init_from = ""  # workdir whose parameters, head included, a run starts from

  config.data = dict(
      dir="data", name="simulated_barcodes", is_generated=True,
      split="train",  # train_{seed}: set number seed
      label="genus", max_length=660)
  config.encoder = dict(
      workdir="",               # of a pretraining; "": from scratch
      parameters="pretrained")  # pretrained | random
  config.tokens = dict(
      vocabulary="dnabert", k=6, stride=1, n_policy="unk", add_cls=True,
      add_sep=True, random_offset=False,
      reverse_complement=0.0)  # chance that a row is read from the other strand
  config.model = dict(
      name="classifier", num_classes=0,  # 0: as many as the data set has
      pooling="cls",                     # cls | mean, over the real tokens
      width=128, depth=2, num_heads=2, mlp_width=512, max_positions=512,
      dropout=0.1, head_dropout=0.1, norm="pre", dtype="float32",
      attention="explicit", remat="none", scan_unroll=2)
  config.optimizer = dict(
      schedule="linear", learning_rate=3e-5, learning_rate_scaling="absolute",
      warmup_steps=50, warmup_fraction=0.0,  # of total_steps; 0: warmup_steps counts
      final_fraction=0.0, b1=0.9, b1_at_peak=0.9, b2=0.999, eps=1e-8,
      weight_decay=0.01,
      no_decay=("bias", "norm"),  # parts of parameter paths
      clip_norm=1.0)
  config.mesh = dict(data=-1, fsdp=1, tensor=1)
  config.log = dict(every_steps=20)
  config.checkpoint = dict(
      every_steps=200, keep=100,
      best="dev/loss")  # dnajax.evaluate takes the step with the lowest; "": the last
  config.evals = dict(
      dev=dict(type="classification", every_steps=200, split="dev",
               batch_size=128, max_records=0),
      # exclude_shared: without records whose sequence was trained on
      test=dict(type="classification", every_steps=-1,  # by dnajax.evaluate only
                split="test", batch_size=128, max_records=0, exclude_shared=False))
  config.update_from_flattened_dict(VARIANTS[variant])
  if not config.evals.dev.split:
    del config.evals["dev"]
  return config


_TABLE = {"data.is_generated": False, "data.label": "label", "data.max_length": 510}


def _gue(name, *, max_length, epochs, **more):
  """papers.md 7.3: lengths as DNABERT's overlapping k-mers need them."""
  return {**_TABLE, "data.name": f"labelled/{name}", "data.max_length": max_length,
          "num_epochs": epochs, **more}


def _few_shot(name, *, shots, num_sets, max_length):
  """papers.md 5.6 and 6.4; warm-up 10 % of the updates."""
  epochs, learning_rate, batch_size = (20, 1e-4, 5) if shots <= 100 else (5, 5e-5, 15)
  return {**_TABLE, "data.name": f"labelled/{name}", "data.max_length": max_length,
          "data.split": "train_{seed}" if num_sets > 1 else "train",
          "num_epochs": epochs, "batch_size": batch_size,
          "optimizer.learning_rate": learning_rate, "optimizer.warmup_steps": 0,
          "optimizer.warmup_fraction": 0.1, "checkpoint.best": "",
          "evals.dev.split": ""}  # none


_EMP = ("H3", "H3K14ac", "H3K36me3", "H3K4me1", "H3K4me2", "H3K4me3", "H3K79me3",
        "H3K9ac", "H4", "H4ac")
_SHOTS = {  # task: (shots, sets in a file, base pairs)
    "Prom-core": ((10, 50, 100, 500, 1000), 1, 70),
    "Prom-300": ((10, 50, 100, 500, 1000), 1, 300),
    "Cohn-enh": ((10, 50, 100, 500), 1, 500),
    "Splice-40": ((10, 50, 100, 500), 10, 40),
    "Silencer": ((10, 50), 10, 300)}

VARIANTS = {
    "default": {
        "optimizer.learning_rate": 1e-3, "num_epochs": 8,
        "tokens.vocabulary": "barcodebert", "tokens.stride": 6, "tokens.add_sep": False,
        "evals.dev.split": "valid", "evals.dev.every_steps": 50,
        "checkpoint.every_steps": 50,
    },
    "tiny": {
        "num_epochs": 6, "batch_size": 8, "data.max_length": 72, "data.label": "family",
        "model.pooling": "mean",
        "tokens.k": 3, "tokens.stride": 3, "tokens.vocabulary": "barcodebert",
        "tokens.add_sep": False, "model.width": 16, "model.mlp_width": 32,
        "model.max_positions": 32, "model.scan_unroll": 1, "model.dropout": 0.0,
        "model.head_dropout": 0.0, "optimizer.warmup_steps": 0,
        "optimizer.warmup_fraction": 0.1, "optimizer.learning_rate": 1e-2,
        "log.every_steps": 1, "checkpoint.every_steps": 4,
        "evals.dev.split": "valid", "evals.dev.every_steps": 4,
        "evals.dev.batch_size": 16, "evals.test.batch_size": 16,
    },
    "table": {**_TABLE, "data.name": "labelled/mine"},
    **{f"gue_EMP_{task}": _gue(f"gue_EMP_{task}", max_length=500, epochs=3)
       for task in _EMP},
    **{f"gue_mouse_{task}": _gue(
        f"gue_mouse_{task}", max_length=101, epochs=0)
       for task in range(5)},
    **{f"gue_tf_{task}": _gue(f"gue_tf_{task}", max_length=101, epochs=3)
       for task in range(5)},
    **{f"gue_prom_prom_{kind}_{part}": _gue(
        f"gue_prom_prom_{kind}_{part}", max_length=length,
        epochs=10 if part == "tata" else 4)
       for kind, length in (("core", 70), ("300", 300))
       for part in ("all", "notata", "tata")},
    "gue_splice_reconstructed": _gue(
        "gue_splice_reconstructed", max_length=400, epochs=5),
    # 1,000 bp do not fit into 512 positions of overlapping k-mers: cut.
    "gue_virus_covid": _gue("gue_virus_covid", max_length=510, epochs=8),
    **{f"fewshot_{task}_{n}": _few_shot(
        f"fewshot_{task}_{n}", shots=n, num_sets=num_sets, max_length=length)
       for task, (shots, num_sets, length) in _SHOTS.items() for n in shots},
}
