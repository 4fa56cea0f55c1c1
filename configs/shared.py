"""Plain tables that several configs use: evaluators, and what is the same on purpose.

Evaluators: every_steps=0 runs at the end of training, -1 only by dnajax.evaluate.
"""

_KNN = dict(name="knn", every_steps=0, key_split="train", query_split="unseen",
            label="genus")
_CROPS = dict(name="crop_curve", every_steps=-1, key_split="train", query_split="unseen",
              label="genus", max_queries=500)
_PROBE = dict(name="linear_probe", every_steps=-1, label="species",
              train_split="train", valid_split="valid", test_split="test",
              recipe="logistic",  # logistic | sgd (published; for thousands of species)
              C=(0.1, 1.0, 10.0), k=4)
_CLUSTERS = dict(name="zero_shot_clustering", every_steps=-1, label="species",
                 splits=("test", "unseen"))

# What encoders of barcodes are judged by.
BARCODE_EVALS = dict(
    masked_loss=dict(name="mean_loss", every_steps=100, split="valid", max_records=1_024),
    knn_genus=dict(_KNN, every_steps=100, features="encoder"),
    knn_genus_kmers5=dict(_KNN, every_steps=-1, features="kmer_counts", k=5),
    knn_genus_kmers=dict(_KNN, features="kmer_counts"),
    knn_genus_kmers7=dict(_KNN, every_steps=-1, features="kmer_counts", k=7),
    # The same less the mean of the keys; what k-mers can do at their best.
    knn_genus_centred=dict(_KNN, features="encoder", centre=True),
    knn_genus_centred_kmers5=dict(_KNN, every_steps=-1, features="kmer_counts", k=5,
                                  square_root=True, centre=True),
    knn_genus_centred_kmers=dict(_KNN, features="kmer_counts", square_root=True, centre=True),
    knn_genus_centred_kmers7=dict(_KNN, every_steps=-1, features="kmer_counts", k=7,
                                  square_root=True, centre=True),
    knn_genus_majority=dict(_KNN, every_steps=-1, features="majority"),
    knn_genus_best_hit=dict(_KNN, every_steps=-1, features="best_hit",
                            program="vsearch"),  # or megablast, blastn, if installed
    probe_species=dict(_PROBE, features="encoder"),
    probe_species_kmers=dict(_PROBE, features="kmer_counts"),
    clusters_species=dict(_CLUSTERS, features="encoder"),
    clusters_species_kmers=dict(_CLUSTERS, features="kmer_counts"),
    harmonic_mean=dict(name="harmonic_mean", every_steps=-1,
                       closed="probe_species/accuracy", open="knn_genus/accuracy"),
    robustness=dict(name="robustness", every_steps=-1, key_split="train",
                    query_split="unseen", label="genus", max_queries=500),
    crop_curve=dict(_CROPS, features="encoder", reference="crop_curve_kmers"),
    crop_curve_kmers=dict(_CROPS, features="kmer_counts", square_root=True),
    genera_map=dict(name="embedding_map", every_steps=-1, split="unseen", label="genus",
                    num_labels=20, min_per_label=5, max_per_label=50),
    token_map=dict(name="token_map", every_steps=-1, method="pca"),
    attention_map=dict(name="attention_map", every_steps=-1, split="valid"))

# The same at the size of a test.
TINY_BARCODE_EVALS = dict(
    masked_loss=dict(every_steps=4, batch_size=16),
    knn_genus=dict(every_steps=4, batch_size=16),
    knn_genus_kmers=dict(batch_size=16, k=3),
    knn_genus_kmers5=dict(k=2), knn_genus_kmers7=dict(k=4),
    knn_genus_centred=dict(batch_size=16), knn_genus_centred_kmers=dict(k=3),
    knn_genus_centred_kmers5=dict(k=2), knn_genus_centred_kmers7=dict(k=4),
    probe_species=dict(batch_size=16), probe_species_kmers=dict(k=3),
    # UMAP takes 20 s to be compiled.
    clusters_species=dict(batch_size=16, reduction="none"),
    clusters_species_kmers=dict(k=3, reduction="none"),
    robustness=dict(batch_size=16, rates=(0.0, 0.5)),
    crop_curve=dict(batch_size=16, lengths=(40, 0)),
    crop_curve_kmers=dict(k=3, lengths=(40, 0)),
    genera_map=dict(batch_size=16, min_per_label=2, method="pca"),
    attention_map=dict(num_records=16))

# Of encoders that predict no token and have no attention.
_OF_TOKENS = ("masked_loss", "token_map", "attention_map")
LIBRARY_EVALS = {name: entry for name, entry in BARCODE_EVALS.items()
                 if name not in _OF_TOKENS}
# dnajax.identify beside VSEARCH and SINTAX; BLAST+: methods, it takes minutes.
LIBRARY_EVALS |= dict(
    identification=dict(name="identification", every_steps=-1, key_split="train",
                        query_split="unseen"),
    identification_novelty=dict(name="identification", every_steps=-1, key_split="train",
                                hold_out=True))
TINY_LIBRARY_EVALS = {name: entry for name, entry in TINY_BARCODE_EVALS.items()
                      if name not in _OF_TOKENS}
TINY_LIBRARY_EVALS |= {name: dict(batch_size=16, max_queries=50, methods=("identify", "kmers"))
                       for name in ("identification", "identification_novelty")}

# Where the held-out splits of BIOSCAN-5M have other names, and its size.
BIOSCAN_EVALS = dict(
    masked_loss=dict(split="val", every_steps=5_000, max_records=0),
    knn_genus=dict(every_steps=20_000, query_split="test_unseen"),
    **{f"knn_genus_{entry}": dict(query_split="test_unseen")
       for entry in ("kmers", "kmers5", "kmers7", "centred", "centred_kmers",
                     "centred_kmers5", "centred_kmers7")},
    knn_genus_majority=dict(query_split="test_unseen"),
    knn_genus_best_hit=dict(query_split="test_unseen"),
    probe_species=dict(recipe="sgd", valid_split="val"),
    probe_species_kmers=dict(recipe="sgd", valid_split="val"),
    clusters_species=dict(splits=("test", "test_unseen")),
    clusters_species_kmers=dict(splits=("test", "test_unseen")),
    robustness=dict(query_split="test_unseen"),
    crop_curve=dict(query_split="test_unseen"), crop_curve_kmers=dict(query_split="test_unseen"),
    genera_map=dict(split="test_unseen"), attention_map=dict(split="val"))

# PyTorch's OneCycleLR and AdamW as BarcodeBERT and BarcodeMAE use them (papers.md 1.3).
ONE_CYCLE = dict(
    schedule=dict(name="one_cycle", warmup_steps=0, warmup_fraction=0.3,
                  final_fraction=4e-6,  # 1 / (25 · 1e4)
                  b1_at_peak=0.85),
    learning_rate=1e-4, learning_rate_scaling="per_64_sequences", b1=0.95, b2=0.999,
    no_decay=(), clip_norm=0.0)

# What models of genomes are judged by; span_loss: the same masking for every config, so
# that their losses can be compared.
GENOME_EVALS = dict(
    masked_loss=dict(name="mean_loss", every_steps=50, split="valid", max_records=512),
    span_loss=dict(name="mean_loss", every_steps=0, split="valid", max_records=512,
                   masking=dict(selection=dict(name="kmer_span", probability=0.025),
                                corruption=dict(mask_share=0.8, random_share=0.1))))

# DNABERT's tokens (papers.md 7.1): the same in every config of genomes, so that runs of
# any two can be compared.
GENOME_TOKENS = dict(vocabulary="dnabert", k=6, stride=1, add_cls=True, add_sep=True)

# A small model and its training, the same in every config of genomes.
GENOME_ENCODER = dict(
    name="transformer", width=128, depth=2, num_heads=2, mlp_width=512, max_positions=512,
    dropout=0.0, norm="pre", scan_unroll=2)
GENOME_OPTIMIZER = dict(
    schedule=dict(name="linear", warmup_steps=50), learning_rate=3e-3, b2=0.98, eps=1e-6,
    weight_decay=0.01, no_decay=("bias", "norm"), clip_norm=1.0)

# Variants of the configs of genomes: prepared FASTA, and the size of a test.
GENOME_HUMAN = dict(
    data=dict(name="genome/human", is_generated=False),
    masking=dict(pmi_table="human_k6.npz"), total_steps=3_000,
    evals=dict(masked_loss=dict(every_steps=250, max_records=2_048),
               span_loss=dict(max_records=2_048)))
GENOME_TINY = dict(
    total_steps=8, batch_size=16, data=dict(max_length=42), tokens=dict(k=3),
    masking=dict(pmi_table="npmi_k3.npz"),
    encoder=dict(width=16, mlp_width=32, max_positions=64, scan_unroll=1),
    optimizer=dict(schedule=dict(warmup_steps=2), learning_rate=1e-3),
    log=dict(every_steps=1), checkpoint=dict(every_steps=3),
    evals=dict(masked_loss=dict(every_steps=2, batch_size=16, max_records=64),
               span_loss=dict(batch_size=16, max_records=64)))
# DNABERT's model (papers.md 7.1) on human FASTA, with 511 bp a row.
GENOME_PAPER = dict(
    data=dict(name="genome/human", is_generated=False, max_length=511),
    masking=dict(pmi_table="human_k6.npz"),
    encoder=dict(width=768, depth=12, num_heads=12, mlp_width=3072, dropout=0.1,
                 norm="post", dtype="bfloat16", scan_unroll=1),
    log=dict(every_steps=100), checkpoint=dict(every_steps=1_000),
    evals=dict(masked_loss=dict(every_steps=500, max_records=10_000),
               span_loss=dict(max_records=10_000)))
# Steps, batch and optimizer of GeneMask's and CM-GEMS' pretraining (Script-A, papers.md 5.2).
SCRIPT_A = dict(
    total_steps=10_000, batch_size=250,
    optimizer=dict(learning_rate=8e-4, schedule=dict(warmup_steps=500)))

# GUE (papers.md 7.3): name of the data set -> (base pairs, epochs). Lengths are what
# overlapping 6-mers in 512 positions hold; lr 3e-5, batch 32, best step by the loss on dev.
# A task with 0 epochs has no training split in the public files.
GUE = {
    **{f"gue_EMP_{task}": (500, 3) for task in (
        "H3", "H3K14ac", "H3K36me3", "H3K4me1", "H3K4me2", "H3K4me3", "H3K79me3", "H3K9ac",
        "H4", "H4ac")},
    **{f"gue_mouse_{task}": (101, 0) for task in range(5)},
    **{f"gue_tf_{task}": (101, 3) for task in range(5)},
    **{f"gue_prom_prom_core_{part}": (70, epochs)
       for part, epochs in (("all", 4), ("notata", 4), ("tata", 10))},
    **{f"gue_prom_prom_300_{part}": (300, epochs)
       for part, epochs in (("all", 4), ("notata", 4), ("tata", 10))},
    "gue_splice_reconstructed": (400, 5),
    "gue_virus_covid": (510, 8)}

# Few-shot sets (papers.md 5.6, 6.4): task -> (shots, sets in a file, base pairs).
FEW_SHOT = {
    "Prom-core": ((10, 50, 100, 500, 1000), 1, 70),
    "Prom-300": ((10, 50, 100, 500, 1000), 1, 300),
    "Cohn-enh": ((10, 50, 100, 500), 1, 500),
    "Splice-40": ((10, 50, 100, 500), 10, 40),
    "Silencer": ((10, 50), 10, 300)}
# Shots -> (epochs, learning rate, batch size); warm-up 10 % of the updates.
FEW_SHOT_RECIPE = {10: (20, 1e-4, 5), 50: (20, 1e-4, 5), 100: (20, 1e-4, 5),
                   500: (5, 5e-5, 15), 1000: (5, 5e-5, 15)}
