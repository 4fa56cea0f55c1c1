"""BarcodeMAE (arXiv 2502.18405): masked autoencoder on DNA barcodes.

Variants, chosen with --config=configs/barcodemae.py:NAME
  default  small model on simulated barcodes that are generated on first use
  bold     small model on a prepared table of barcodes (data.name=barcodes/NAME)
  gene_mask  default with GeneMask's selection at the same masking ratio
  paper    the published setting, on BIOSCAN-5M
  tiny     for tests

Left out of the published form, because no output depends on it: the encoder's
pooler, the second token-type row, and the decoder's word table of which only
one row is used (here: its mask embedding). 92.7 of 96.5 million parameters.
"""

import ml_collections


def get_config(variant="default"):
  """The experiment as a ConfigDict; the variants are listed above."""
  config = ml_collections.ConfigDict()
  config.seed = 0
  config.total_steps = 400
  config.batch_size = 32
  config.accumulate_steps = 1
  config.init_from = ""  # workdir whose parameters a new run starts from

  config.data = dict(
      dir="data", name="simulated_barcodes", split="pretrain", max_length=660,
      is_generated=True)  # make the data set if it is absent
  config.tokens = dict(
      k=6, stride=6, n_policy="unk", add_cls=False,
      random_offset=False)  # published: True; a short run then learns the frame, no taxon
  config.masking = dict(
      selection="uniform", ratio=0.5, count="bernoulli",
      corruption="drop",               # drop | hide | replace
      mask_share=1.0, random_share=0.0,  # of the selected; the rest is kept
      probability=0.0,  # of a centre in other selections; 0: found for the ratio
      rank_by="token", gene_mask_order="sorted",
      pmi_table="",     # .npz, or a file that lies beside the records
      num_scored=0, num_kept=0, slot_quantile=0.999,  # other selections; 0: found
      capacity_sds=1.5,  # uniform: slots beyond the mean count, in standard deviations
      round_to=8)        # slots are rounded up to a multiple
  config.loss = dict(masked_loss_weight=1.0)  # BarcodeMAE+: .999
  config.model = dict(
      name="mae", width=128, depth=3, num_heads=2, mlp_width=512,
      decoder_width=128, decoder_depth=3, decoder_num_heads=2,
      decoder_mlp_width=512, max_positions=128, dropout=0.1, norm="pre",
      dtype="float32", attention="explicit", remat="none",
      scan_unroll=3)  # no loop over layers: faster on a CPU, slower to compile
  config.optimizer = dict(
      schedule="cosine", learning_rate=5e-4, learning_rate_scaling="absolute",
      warmup_steps=100, final_fraction=0.01, b1=0.9, b1_at_peak=0.9, b2=0.98,
      eps=1e-8, weight_decay=0.05,
      no_decay=("bias", "norm", "embed"),  # parts of parameter paths
      clip_norm=1.0)
  config.mesh = dict(data=-1, fsdp=1, tensor=1)
  config.log = dict(every_steps=20)
  config.checkpoint = dict(every_steps=100, keep=3)
  config.evals = get_evals()
  config.update_from_flattened_dict(VARIANTS[variant])
  return config


def get_evals():
  """What encoders of barcodes are judged by; the same in barcodebert.py.

  every_steps=0 runs at the end of training, -1 only by dnajax.evaluate.
  """
  knn = dict(type="knn", every_steps=0, key_split="train", query_split="unseen",
             label="genus", features="encoder", k=6, num_neighbors=1,
             exclude_shared=False,  # queries whose sequence is also a key; always counted
             max_keys=0, max_queries=0, batch_size=256)
  probe = dict(type="linear_probe", every_steps=-1, label="species", features="encoder",
               train_split="train", valid_split="valid", test_split="test",
               recipe="logistic",  # logistic | sgd (published; for thousands of species)
               C=(0.1, 1.0, 10.0), k=4, exclude_shared=False, max_train=0, batch_size=256)
  clusters = dict(type="zero_shot_clustering", every_steps=-1, label="species",
                  splits=("test", "unseen"), features="encoder", k=6, reduction="umap",
                  n_neighbors=15, num_clusters=0, seeds=(42,), max_records=0,
                  batch_size=256)
  return dict(
      masked_loss=dict(type="mean_loss", every_steps=100, split="valid",
                       batch_size=128, max_records=1_024),
      knn_genus=dict(knn, every_steps=100),
      knn_genus_kmers=dict(knn, features="kmer_counts"),
      knn_genus_majority=dict(knn, every_steps=-1, features="majority"),
      knn_genus_best_hit=dict(knn, every_steps=-1, features="best_hit",
                              program="vsearch"),  # vsearch | blastn, if installed
      probe_species=probe,
      probe_species_kmers=dict(probe, features="kmer_counts"),
      clusters_species=clusters,
      clusters_species_kmers=dict(clusters, features="kmer_counts"),
      harmonic_mean=dict(type="harmonic_mean", every_steps=-1,
                         closed="probe_species/accuracy", open="knn_genus/accuracy"),
      robustness=dict(type="robustness", every_steps=-1, key_split="train",
                      query_split="unseen", label="genus", features="encoder",
                      rates=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
                      modes=("mask", "drop", "delete"), seed=0, max_keys=0,
                      max_queries=500, batch_size=256),
      genera_map=dict(type="embedding_map", every_steps=-1, split="unseen",
                      label="genus", features="encoder", num_labels=20,
                      min_per_label=5, max_per_label=50, method="tsne", seed=0,
                      batch_size=256),
      token_map=dict(type="token_map", every_steps=-1, method="pca", max_tokens=4_096,
                     seed=0),
      attention_map=dict(type="attention_map", every_steps=-1, split="valid",
                         features="encoder", num_records=256, seed=0, batch_size=16))


TINY_EVALS = {
    "evals.masked_loss.every_steps": 4, "evals.knn_genus.every_steps": 4,
    "evals.masked_loss.batch_size": 16, "evals.knn_genus.batch_size": 16,
    "evals.knn_genus_kmers.batch_size": 16, "evals.knn_genus_kmers.k": 3,
    "evals.probe_species.batch_size": 16, "evals.probe_species_kmers.k": 3,
    "evals.clusters_species.batch_size": 16, "evals.clusters_species_kmers.k": 3,
    "evals.clusters_species.reduction": "none",  # UMAP takes 20 s to be compiled
    "evals.clusters_species_kmers.reduction": "none",
    "evals.robustness.batch_size": 16, "evals.robustness.rates": (0.0, 0.5),
    "evals.genera_map.batch_size": 16, "evals.genera_map.min_per_label": 2,
    "evals.genera_map.method": "pca", "evals.attention_map.num_records": 16,
}

VARIANTS = {
    "default": {"evals.genera_map.max_per_label": 200},  # no genus is rare
    "bold": {
        "data.name": "barcodes/coi_small", "data.split": "train",
        "data.is_generated": False,
        "total_steps": 800,
        # Real barcodes do not all begin at the same base. With the published loss a
        # short run learns how rows are shifted and forgets the rest (README, Results);
        # scoring visible tokens too keeps what they were in the features.
        "loss.masked_loss_weight": 0.5,
    },
    # What nobody has combined: spans chosen by PMI, taken out of the encoder's input.
    "gene_mask": {
        "masking.selection": "gene_mask", "masking.pmi_table": "npmi_k6.npz",
    },
    "paper": {
        "data.name": "barcodes/bioscan5m", "data.is_generated": False,
        "tokens.random_offset": True,
        # 35 epochs of 2.33 M barcodes; papers.md 1.3 and 3.2
        "total_steps": 636_000, "batch_size": 128,
        "masking.capacity_sds": 3.0,
        "model.scan_unroll": 1,
        "model.width": 768, "model.depth": 6, "model.num_heads": 6,
        "model.mlp_width": 3072, "model.decoder_width": 768,
        "model.decoder_depth": 6, "model.decoder_num_heads": 6,
        "model.decoder_mlp_width": 3072, "model.max_positions": 512,
        "model.dropout": 0.1, "model.norm": "post", "model.dtype": "bfloat16",
        "optimizer.schedule": "one_cycle", "optimizer.learning_rate": 1e-4,
        "optimizer.learning_rate_scaling": "per_64_sequences",
        "optimizer.warmup_steps": 190_800,  # 30 %
        "optimizer.final_fraction": 4e-6,   # 1 / (25 · 1e4)
        "optimizer.b1": 0.95, "optimizer.b1_at_peak": 0.85,
        "optimizer.b2": 0.999, "optimizer.weight_decay": 1e-5,
        "optimizer.no_decay": (), "optimizer.clip_norm": 0.0,
        "log.every_steps": 100, "checkpoint.every_steps": 2_000,
        "evals.masked_loss.split": "val",
        "evals.masked_loss.every_steps": 5_000,
        "evals.masked_loss.max_records": 0,
        "evals.knn_genus.every_steps": 20_000,
        "evals.knn_genus.query_split": "test_unseen",
        "evals.knn_genus_kmers.query_split": "test_unseen",
        "evals.knn_genus_majority.query_split": "test_unseen",
        "evals.knn_genus_best_hit.query_split": "test_unseen",
        "evals.probe_species.recipe": "sgd", "evals.probe_species.valid_split": "val",
        "evals.probe_species_kmers.recipe": "sgd",
        "evals.probe_species_kmers.valid_split": "val",
        "evals.clusters_species.splits": ("test", "test_unseen"),
        "evals.clusters_species_kmers.splits": ("test", "test_unseen"),
        "evals.robustness.query_split": "test_unseen",
        "evals.genera_map.split": "test_unseen", "evals.attention_map.split": "val",
    },
    "tiny": {
        "total_steps": 8, "batch_size": 16, "data.max_length": 72,
        "tokens.random_offset": True, "model.dropout": 0.0,
        "model.scan_unroll": 1,
        "tokens.k": 3, "tokens.stride": 3,
        "model.width": 16, "model.depth": 2, "model.num_heads": 2,
        "model.mlp_width": 32, "model.decoder_width": 8,
        "model.decoder_depth": 1, "model.decoder_num_heads": 2,
        "model.decoder_mlp_width": 16, "model.max_positions": 32,
        "optimizer.warmup_steps": 2,
        "log.every_steps": 1, "checkpoint.every_steps": 3,
        **TINY_EVALS,
    },
}
