"""DNABERT (Ji et al. 2021): masked language model on overlapping k-mers.

Variants, chosen with --config=configs/dnabert.py:NAME
  default  small model on a simulated genome that is generated on first use
  human    small model on prepared FASTA (data.name=genome/NAME)
  paper    the README run of the public code: k=6, 12 layers of 768, 200,000 steps
  tiny     for tests

The other configs of masked language models on genomes (randommask, genemask,
global_pmi, cm_step, cm_gems, logo_cm_gems) change this one and say only what
they change, so that runs of any two can be compared.

Left out of the published form, because no output depends on it: the pooler, the
second token-type row and the output bias of special tokens. Random tokens are
k-mers; the public code also draws special tokens. [UNK] and padding are neither
selected nor attended; in the public code they are.
"""

import ml_collections


def get_config(variant="default"):
  """The experiment as a ConfigDict; the variants are listed above."""
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.total_steps = 600
  config.batch_size = 32
  config.accumulate_steps = 1
  config.init_from = ""  # workdir whose parameters a new run starts from

  config.data = dict(
      dir="data", name="simulated_genome", split="pretrain", max_length=133,
      is_generated=True)  # make the data set if it is absent
  config.tokens = dict(
      vocabulary="dnabert", k=6, stride=1, n_policy="unk", add_cls=True,
      add_sep=True, random_offset=False,
      reverse_complement=0.0)  # chance that a row is read from the other strand
  config.masking = dict(
      selection="kmer_span",  # uniform | random_window | gene_mask | global_pmi
      probability=0.025,      # of a centre; 0: found at the start for the ratio
      ratio=0.15, count="bernoulli",
      rank_by="token",            # token | position (what the public code does)
      gene_mask_order="sorted",   # sorted | public
      pmi_table="npmi_k6.npz",    # file, or one that lies beside the records
      window_sizes=(6,), window_draw="per_row",  # random_window: per_row | per_batch
      # random_window: the first counts[j] of window_sizes are in use in phase j.
      phases=dict(boundaries=(), counts=(1,), probabilities=()),
      # From boundaries[j] on the probability is multiplied by factors[j].
      rate=dict(boundaries=(), factors=()),
      curriculum=dict(
          name="none",  # none | cm_step | cm_gems
          hard="global_pmi", hard_probability=0.0136,  # .15 / 11
          num_blocks=10,            # cm_step
          evaluator="masked_loss",  # cm_gems: whose perplexity decides
          threshold=1.0, change="drop", relative=False),
      corruption="replace",            # replace | hide
      mask_share=0.8, random_share=0.1,  # of the selected; the rest is kept
      num_scored=0, num_kept=0, slot_quantile=0.999,  # 0: found at the start
      capacity_sds=3.0, round_to=8)
  config.loss = dict(masked_loss_weight=1.0)
  config.model = dict(
      name="masked_lm", width=128, depth=2, num_heads=2, mlp_width=512,
      max_positions=512, dropout=0.0, norm="pre", dtype="float32",
      attention="explicit", remat="none", scan_unroll=2,
      head="transform", tie_embeddings=True)
  config.optimizer = dict(
      schedule="linear", learning_rate=3e-3, learning_rate_scaling="absolute",
      warmup_steps=50, final_fraction=0.0, b1=0.9, b1_at_peak=0.9, b2=0.98,
      eps=1e-6, weight_decay=0.01,
      no_decay=("bias", "norm"),  # parts of parameter paths
      clip_norm=1.0)
  config.mesh = dict(data=-1, fsdp=1, tensor=1)
  config.log = dict(every_steps=20)
  config.checkpoint = dict(every_steps=200, keep=3)
  config.evals = dict(
      masked_loss=dict(type="mean_loss", every_steps=50, split="valid",
                       batch_size=128, max_records=512),
      # The same masking for every config: what their losses are compared by.
      span_loss=dict(type="mean_loss", every_steps=0, split="valid",
                     batch_size=128, max_records=512,
                     masking=dict(selection="kmer_span", probability=0.025)))
  config.update_from_flattened_dict(VARIANTS[variant])
  return config


VARIANTS = {
    "default": {},
    "human": {
        "data.name": "genome/human", "data.is_generated": False,
        "masking.pmi_table": "human_k6.npz", "total_steps": 3_000,
        "evals.masked_loss.every_steps": 250,
        "evals.masked_loss.max_records": 2_048,
        "evals.span_loss.max_records": 2_048,
    },
    "paper": {
        # papers.md 7.1, README run: 10 rows x 25 accumulation steps x 8 GPUs
        "data.name": "genome/human", "data.is_generated": False,
        "data.max_length": 511, "total_steps": 200_000, "batch_size": 2_000,
        "masking.pmi_table": "human_k6.npz",
        "model.width": 768, "model.depth": 12, "model.num_heads": 12,
        "model.mlp_width": 3072, "model.dropout": 0.1, "model.norm": "post",
        "model.dtype": "bfloat16", "model.scan_unroll": 1,
        "optimizer.learning_rate": 4e-4, "optimizer.warmup_steps": 10_000,
        "log.every_steps": 100, "checkpoint.every_steps": 1_000,
        "evals.masked_loss.every_steps": 500,
        "evals.masked_loss.max_records": 10_000,
        "evals.span_loss.max_records": 10_000,
    },
    "tiny": {
        "total_steps": 8, "batch_size": 16, "data.max_length": 42,
        "tokens.k": 3, "masking.pmi_table": "npmi_k3.npz",
        "model.width": 16, "model.mlp_width": 32, "model.max_positions": 64,
        "model.scan_unroll": 1, "optimizer.warmup_steps": 2,
        "optimizer.learning_rate": 1e-3,
        "log.every_steps": 1, "checkpoint.every_steps": 3,
        "evals.masked_loss.every_steps": 2, "evals.masked_loss.batch_size": 16,
        "evals.masked_loss.max_records": 64,
        "evals.span_loss.batch_size": 16, "evals.span_loss.max_records": 64,
    },
}
