"""identify beside best hits, SINTAX and k-mers, on the splits of a data set."""

import dataclasses
from typing import Literal

import numpy as np

from dnajax.data import records
from dnajax.evaluators import base
from dnajax.identification import comparison, features, fitting, held_out, learned, novelty
from dnajax.identification import references as references_lib
from dnajax.inference import encode
from dnajax.shell import errors, metric
from dnajax.tokens import bases as base_codes

Method = Literal["identify", "features", "kmers", "vsearch", "vsearch_default", "megablast",
                 "blastn", "sintax"]


@dataclasses.dataclass(frozen=True)
class Identification(base.Evaluator):
  """Accuracy of names at each rank, and what the methods say of taxa they cannot know.

  With hold_out the queries are sequences, species, genera and families left out of
  `key_split`, otherwise the records of `query_split`.
  """
  key_split: str = "train"     # the references
  query_split: str = "unseen"  # not with hold_out
  hold_out: bool = False       # see novelty.SHARES
  methods: tuple[Method, ...] = ("identify", "features", "kmers", "vsearch", "sintax")
  ranks: tuple[str, ...] = ("family", "genus", "species")  # that are reported
  max_queries: int = 1_000     # the first n of a fixed permutation; 0: all
  seed: int = 0                # of what is left out, not that of the run
  threads: int = 0             # of other programs; 0: all cores
  batch_size: int = 256        # rows per step of the encoder

  def check(self, setup):
    """What no value may be, whatever the data."""
    del setup
    yield from base.at_least(self, max_queries=0, seed=0, threads=0, batch_size=1)
    if not self.methods or len(set(self.methods)) < len(self.methods):
      yield "methods", f"some of {', '.join(comparison.METHODS)}, each once"

  @property
  def splits(self):
    """Without that of the queries where these are left out of the references."""
    return (self.key_split,) if self.hold_out else super().splits

  @property
  def task(self):
    """What is asked."""
    return ("names, taxa left out of " + self.key_split if self.hold_out else
            f"names, {self.query_split} → {self.key_split}")

  def build(self, context):
    """A `Runner`."""
    references = library(context.split(self.key_split))
    is_novel = ~np.isin(_species(references), _species(library(
        context.split(context.train_split))))
    if self.hold_out:
      allowed = is_novel if is_novel.sum() >= held_out.ENOUGH else None
      kept, ids = novelty.hold_out(references, seed=self.seed, allowed=allowed)
      asked, lineages = references, ids
      references, is_novel = kept, ~np.isin(_species(kept), _species(references)[~is_novel])
    else:
      asked = library(context.split(self.query_split))
      lineages = np.arange(len(asked.ids))
    if not len(lineages):
      raise errors.UserError(f"config.evals.*: of split {self.key_split!r} nothing can be left "
                             "out; it has too few taxa. Set hold_out=False.")
    if self.max_queries and self.max_queries < len(lineages):
      lineages = lineages[records.fixed_sample(len(lineages), self.max_queries)]
    names = [{rank: asked.name(rank, column[i]) for rank, column in asked.names.items()}
             for i in lineages]
    wanted = novelty.number(references, names)
    wanted = {rank: np.where((column >= 0) & ~np.isin(column, references.names[rank]), -2, column)
              for rank, column in wanted.items()}
    return Runner(self, context, references, is_novel,
                  [asked.sequences[i] for i in lineages], wanted)


def library(split):
  """references.References of all records of a records.Split that have names."""
  ranks = [rank for rank in references_lib.RANKS if rank in split.ranks]
  columns = {rank: np.asarray(split.labels(rank)) for rank in ranks}
  names = {rank: split.vocabulary(rank) for rank in ranks}
  letters = np.frombuffer(b"ACGTN.", np.uint8)

  def rows():
    for first in range(0, split.num_records, 4096):
      ids = np.arange(first, min(first + 4096, split.num_records))
      for i, codes in zip(ids, split.bases(ids, _LONGEST), strict=True):
        yield (str(i), letters[codes[codes != base_codes.PAD]].tobytes().decode(),
               {rank: names[rank][columns[rank][i]] for rank in ranks if columns[rank][i] >= 0})

  return references_lib.collect(rows(), source=f"{split.directory}, split {split.name!r}")


_LONGEST = 2_000   # base pairs that are aligned


def _species(references):
  return np.array([references.name("species", i) for i in references.names.get(
      "species", np.full(len(references.ids), -1))])


class Runner:
  """Accuracy, AUROC of unknown taxa and calibration of each method at each rank."""

  def __init__(self, spec, context, references, is_novel, queries, wanted):
    """spec: Identification. references, is_novel, queries, wanted: see `fitting.fit` and
    `comparison.measure`."""
    self._spec, self._context, self._references = spec, context, references
    self._is_novel, self._queries, self._wanted = is_novel, queries, wanted
    self._report, self._silent = None, []

  @property
  def protocol(self):
    """How the values came about."""
    spec = self._spec
    return ("accuracy: of queries whose name the references have, called or not; auroc_unknown: "
            "chance that a query whose name they lack is less sure; calibration_error: 10 bins "
            f"(Guo et al. 2017), all queries; references: split {spec.key_split}"
            + (", less sequences, species, genera and families that are asked" if spec.hold_out
               else f", queries: split {spec.query_split}")
            + f"; seconds with the embedding of the queries, {comparison.threads(spec.threads)} "
            "threads" + "".join(f"; {line}" for line in self._silent))

  def run(self, params):
    """Yields Metrics."""
    context = self._context
    labelled = context.split(context.train_split)
    known = learned.classes(context.model, params, {
        column: labelled.vocabulary(column) for column in context.model.num_labels})
    made = fitting.fit(self._references, [features.Encoder(_Embed(
        context, params, self._spec.batch_size), classes=known), features.Kmers()],
        is_novel=self._is_novel, say=lambda line: None)
    self._report, self._silent = made.report, []
    for method in self._spec.methods:
      answers, reason = comparison.answer(made, self._queries, method,
                                          threads=self._spec.threads)
      if answers is None:
        self._silent.append(f"{method}: {reason}")
        continue
      found = comparison.measure(answers, self._wanted)
      for rank in self._spec.ranks:
        if rank in found:
          one = found[rank]
          values = {"accuracy": one["accuracy"], "auroc_unknown": one["auroc"],
                    "calibration_error": one["calibration_error"]}
          yield from metric.shares({f"{method}_{rank}_{name}": value
                                    for name, value in values.items() if not np.isnan(value)})
      yield metric.Metric(f"{method}_queries_per_second",
                          len(self._queries) / answers.seconds, "per_second")
    yield from metric.counts({"num_queries": len(self._queries),
                              "num_references": len(self._references.ids)})

  def figures(self):
    """{"reliability": Figure} of the last run."""
    from dnajax.identification import figures
    return {} if self._report is None else {"reliability": figures.reliability(self._report)}


@dataclasses.dataclass(frozen=True)
class _Embed:
  """What features.Encoder asks for, with the parameters that are evaluated."""
  context: object
  params: object
  batch_size: int

  def embed(self, sequences):
    codes = base_codes.encode_batch([text.encode() for text in sequences], self.context.length)
    return encode.encoder_features(
        self.context.model.module, self.params, codes, mesh=self.context.mesh,
        tokenizer=self.context.model.tokenizer, batch_size=self.batch_size)
