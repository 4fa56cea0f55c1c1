"""Names a config may use -> 'module:Class'. Adding a part is one line here."""

import difflib
import importlib

from dnajax.shell import errors


class Registry:
  """One kind of part; call it with a name to get the class."""

  def __init__(self, kind, entries):
    self.kind, self.entries = kind, dict(entries)

  @property
  def names(self):
    """Known names, sorted."""
    return sorted(self.entries)

  def __call__(self, name, where=None):
    """The class of a name; UserError with the nearest known ones if there is none.

    Args:
      name: in the table.
      where: the key that holds it, for the message.
    """
    if not isinstance(name, str) or name not in self.entries:
      near = difflib.get_close_matches(str(name), self.names, 1)
      raise errors.UserError(
          f"Unknown {self.kind} {name!r}" + (f" in config.{where}.name" if where else "")
          + (f"; did you mean {near[0]!r}?" if near else ".")
          + f" Known: {', '.join(self.names)}.")
    module, _, attribute = self.entries[name].partition(":")
    return getattr(importlib.import_module(module), attribute)

  def name_of(self, cls):
    """The name of a class in the table."""
    path = f"{cls.__module__}:{cls.__qualname__}"
    return next(name for name, entry in self.entries.items() if entry == path)


REGISTRIES = {kind: Registry(kind, entries) for kind, entries in {
    "selection": {
        "uniform": "dnajax.masking.uniform:Uniform",
        "kmer_span": "dnajax.masking.kmer_span:KmerSpan",
        "random_window": "dnajax.masking.random_window:RandomWindow",
        "gene_mask": "dnajax.masking.gene_mask:GeneMask",
        "global_pmi": "dnajax.masking.global_pmi:GlobalPmi",
    },
    "corruption": {
        "replace": "dnajax.masking.corrupt:Replace",
        "drop": "dnajax.masking.corrupt:Drop",
        "hide": "dnajax.masking.corrupt:Hide",
    },
    "curriculum": {
        "none": "dnajax.masking.curricula:NoCurriculum",
        "cm_step": "dnajax.masking.cm_step:CmStep",
        "cm_gems": "dnajax.masking.cm_gems:CmGems",
    },
    "encoder": {
        "transformer": "dnajax.models.encoders.transformer:Transformer",
        "conv": "dnajax.models.encoders.conv:Conv",
        "kmer_bag": "dnajax.models.encoders.kmer_bag:KmerBag",
        "profile": "dnajax.models.encoders.profile:Profile",
    },
    "objective": {
        "masked_lm": "dnajax.training.objectives.masked_lm:MaskedLM",
        "mae": "dnajax.training.objectives.mae:MaskedAutoencoder",
        "causal_lm": "dnajax.training.objectives.causal_lm:CausalLM",
        "classifier": "dnajax.training.objectives.classifier:Classifier",
    },
    "loss": {
        "masked_prediction": "dnajax.training.losses.token_prediction:MaskedPrediction",
        "visible_prediction": "dnajax.training.losses.token_prediction:VisiblePrediction",
        "next_token": "dnajax.training.losses.token_prediction:NextToken",
        "cross_entropy": "dnajax.training.losses.cross_entropy:CrossEntropy",
        "pairs": "dnajax.training.losses.pairs:Pairs",
        "triplet": "dnajax.training.losses.triplet:Triplet",
        "supervised_contrastive":
            "dnajax.training.losses.supervised_contrastive:SupervisedContrastive",
        "identity": "dnajax.training.losses.identity:Identity",
        "vicreg": "dnajax.training.losses.vicreg:Vicreg",
    },
    "schedule": {
        "one_cycle": "dnajax.training.schedules:OneCycle",
        "linear": "dnajax.training.schedules:Linear",
        "cosine": "dnajax.training.schedules:Cosine",
        "constant": "dnajax.training.schedules:Constant",
    },
    "evaluator": {
        "mean_loss": "dnajax.evaluators.mean_loss:MeanLoss",
        "knn": "dnajax.evaluators.knn:Knn",
        "linear_probe": "dnajax.evaluators.linear_probe:LinearProbe",
        "zero_shot_clustering": "dnajax.evaluators.clustering:ZeroShotClustering",
        "harmonic_mean": "dnajax.evaluators.harmonic_mean:HarmonicMean",
        "robustness": "dnajax.evaluators.robustness:Robustness",
        "crop_curve": "dnajax.evaluators.crop_curve:CropCurve",
        "embedding_map": "dnajax.evaluators.embedding_map:EmbeddingMap",
        "token_map": "dnajax.evaluators.token_map:TokenMap",
        "attention_map": "dnajax.evaluators.attention_map:AttentionMap",
        "classification": "dnajax.evaluators.classification:Classification",
        "identification": "dnajax.evaluators.identification:Identification",
    },
    "writer": {
        "json_lines": "dnajax.workdir.metrics:JsonLines",
        "console": "dnajax.workdir.metrics:Console",
    },
    "dashboard": {
        "tensorboard": "dnajax.workdir.dashboards.tensorboard:TensorBoard",
        "wandb": "dnajax.workdir.dashboards.wandb:WeightsAndBiases",
        "trackio": "dnajax.workdir.dashboards.trackio:Trackio",
    },
}.items()}


def of(kind):
  """The registry of one kind of part."""
  return REGISTRIES[kind]
