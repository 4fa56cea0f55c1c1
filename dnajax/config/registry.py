"""Names a config may use -> 'module:attribute'. Adding a member is one line."""

import importlib

from dnajax import errors


class Registry:
  """One kind of plug-in; call it with a name to get the member."""

  def __init__(self, kind, entries):
    self._kind, self._entries = kind, dict(entries)

  @property
  def names(self):
    """Known names, sorted."""
    return sorted(self._entries)

  def __call__(self, name):
    if name not in self._entries:
      raise errors.UserError(
          f"Unknown {self._kind} {name!r} in the config. Known: "
          f"{', '.join(self.names)}. (New ones go into {__name__}.)")
    module, _, attribute = self._entries[name].partition(":")
    return getattr(importlib.import_module(module), attribute)


selection = Registry("masking.selection", {
    "uniform": "dnajax.masking.uniform:uniform",
    "kmer_span": "dnajax.masking.kmer_span:kmer_span",
    "random_window": "dnajax.masking.random_window:random_window",
    "gene_mask": "dnajax.masking.gene_mask:gene_mask",
    "global_pmi": "dnajax.masking.global_pmi:global_pmi",
})
corruption = Registry("masking.corruption", {
    "replace": "dnajax.masking.corrupt:replace",
    "drop": "dnajax.masking.corrupt:drop",
    "hide": "dnajax.masking.corrupt:hide",
})
model = Registry("model.name", {
    "masked_lm": "dnajax.models.masked_lm:MaskedLM",
    "mae": "dnajax.models.mae:MaskedAutoencoder",
    "classifier": "dnajax.models.classifier:Classifier",
})
schedule = Registry("optimizer.schedule", {
    "one_cycle": "dnajax.training.optim:one_cycle",
    "linear": "dnajax.training.optim:linear",
    "cosine": "dnajax.training.optim:cosine",
    "constant": "dnajax.training.optim:constant",
})
evaluator = Registry("evals.*.type", {
    "mean_loss": "dnajax.evaluators.mean_loss:from_config",
    "knn": "dnajax.evaluators.knn:from_config",
    "linear_probe": "dnajax.evaluators.linear_probe:from_config",
    "zero_shot_clustering": "dnajax.evaluators.clustering:from_config",
    "harmonic_mean": "dnajax.evaluators.harmonic_mean:from_config",
    "robustness": "dnajax.evaluators.robustness:from_config",
    "embedding_map": "dnajax.evaluators.embedding_map:from_config",
    "token_map": "dnajax.evaluators.token_map:from_config",
    "attention_map": "dnajax.evaluators.attention_map:from_config",
    "classification": "dnajax.evaluators.classification:from_config",
})
