"""A library is searched against itself: what is a similarity worth, how likely is a name?

For the call of a rank, references play queries whose own taxon of the next lower rank is
left out: species for the genus, genera for the family, families for the order; and others
whose whole genus (family, order) is left out, which no name can be right for. How many of
those there are among true queries is estimated from them, see `Identifier.expecting`.
"""

import contextlib
import dataclasses

import numpy as np

from dnajax.identification import (
  by_length,
  calibration,
  calibrator,
  centroids,
  choice,
  columns,
  held_out,
  identifier,
  learned,
  shortlist,
)
from dnajax.identification import features as features_lib
from dnajax.workdir import meta as meta_lib

PRECISION = 0.95           # share of right ones among the calls that are made by default
_MOST_QUERIES = 3_000      # references that play queries, of each rank
_FEWEST = 20               # references from which nothing is learned
_SHORTEST = 100            # base pairs of a piece of a query


def fit(references, choices, *, is_novel=None, adapt=True, strand="forward", seed=0, say=print):
  """An Identifier.

  Args:
    references: references.References.
    choices: list of features, of features.py; of two the first one is taken unless the
      other finds more held-out taxa.
    is_novel: [N] bool, references of species that the encoder was not trained to name; if
      they are enough, only these play queries.
    adapt: whether features may be made over for these references, see `adaptation`; they
      are where that finds more taxa of species that were kept out of it.
    strand: see Identifier.
    seed: of what plays queries.
    say: called with a line about each step.
  """
  with contextlib.ExitStack() as meanwhile:
    for one in choices:
      if isinstance(one, features_lib.Encoder):
        meanwhile.enter_context(one.remembering())
    return _fit(references, choices, is_novel, adapt, strand, seed, say)


def _fit(references, choices, is_novel, adapt, strand, seed, say):
  report = {"features": {}, "adapt": adapt}
  pool = _players(references, is_novel, report, say)
  main = held_out.main_rank(references)
  best = None
  for features in choices:
    found = choice.compare(references, features, pool, main, seed)
    report["features"][features.name] = found.report()
    if best is None or found.accuracy > best.accuracy + found.error:
      best = found
  if adapt:
    best, pool = _adapt(references, best, pool, main, seed, report, say)
  features = best.features
  say(f"searched by {features.name}, score = {best.weights}"
      + (f"; {main} of held-out references right: {best.accuracy:.1%}"
         if len(best.is_right) else ""))
  read = features.read(references.sequences)
  rows = features.of(read)
  centre = features.mean(rows)
  keys = features.less(rows, centre)
  made = identifier.Identifier(
      references, features, keys, centre, centroids.of_references(references, keys),
      best.weights, {}, {}, report, strand,
      learned=learned.bind(features.classes, references, read))
  report.update(rank=main, chosen=features.name, ranks={})
  if made.learned is not None:
    report["learned"] = made.learned.report()
    say("the encoder has learned {num_names:,} genera; the references have "
        "{num_here:,} of them".format(**report["learned"]))
  # What is left out for one rank is asked for the next one: many pairs are met again.
  known = {}
  played = {rank: _play(made, rank, pool, seed, known) for rank in reversed(references.ranks)}
  played = {rank: one for rank, one in played.items() if one is not None}
  lengths = [len(text) for text in references.sequences]
  for rank, one in played.items():
    made.calibrators[rank] = by_length.fit(
        one.evidence, one.lengths, one.is_whole, one.is_right, one.is_known,
        references.names[rank][one.ids], lengths)
  silent = [rank for rank in references.ranks if rank not in played]
  if silent:
    say(f"Too few references to learn probabilities of {', '.join(silent)} from (fewer than "
        f"{_FEWEST} have another one of the same taxon): they get 0, and no call by default.")
  for rank in made.calibrators:
    # What is said of a rank is for queries whose species the references lack.
    judged = played[main if rank != "species" and main in played else rank]
    report["ranks"][rank] = _judge(made, rank, judged, made.unknown(judged.rank))
    made.thresholds[rank] = report["ranks"][rank]["threshold"]
  return made


def novel(references, meta):
  """[N] bool, references of species whose labels an encoder has not learned; None: all.

  Args:
    references: references.References.
    meta: of the encoder's checkpoint, see `workdir.meta`.
  """
  column = references.names.get("species", np.full(len(references.ids), -1))
  is_learned = meta_lib.is_learned(meta, [references.name("species", n) for n in column])
  return None if is_learned is None else ~is_learned


def _players(references, is_novel, report, say):
  """Which references may play queries, [N] bool."""
  everything = np.ones(len(references.ids), bool)
  if is_novel is None:
    return everything
  report["num_novel"] = int(is_novel.sum())
  report["is_trained_on"] = bool(is_novel.sum() < held_out.ENOUGH)
  if not report["is_trained_on"]:
    return is_novel
  say("The encoder has learned the labels of " + (
      f"all but {report['num_novel']:,} of" if report["num_novel"] else "all") + " these "
      "references: probabilities will be too high for species it does not know. Hold species "
      "out of its training (at best some of them for good), or take an encoder of others.")
  return everything


def _adapt(references, best, pool, rank, seed, report, say):
  """(Choice, who may play queries): of features made over where that helps."""
  before, after, is_held = choice.adapt(references, best, pool, rank, seed)
  if after is None or not len(before.is_right):
    return best, pool
  is_better = choice.is_better(after, before)
  report["adaptation"] = {"before": before.report(), "after": after.report(),
                          "is_better": is_better}
  say(f"{rank} of {len(before.is_right):,} references of species kept out: "
      f"{before.accuracy:.1%}; features adapted to the others: {after.accuracy:.1%}"
      + ("" if is_better else ", not used"))
  return (after, is_held) if is_better else (best, pool)


@dataclasses.dataclass(frozen=True, eq=False)
class _Played:
  """What references said of each other at one rank, n queries."""
  rank: str
  ids: np.ndarray         # [n] numbers of the references that played
  candidates: list        # of shortlist.Candidates
  lengths: np.ndarray     # [n] base pairs
  is_whole: np.ndarray    # [n] bool, whether nothing was cut off
  evidence: calibrator.Evidence
  is_right: np.ndarray    # [n] bool
  is_known: np.ndarray    # [n] bool, whether the taxon had other references


def _play(made, rank, pool, seed, known):
  """A _Played: half of the queries have their taxon left out, and half of them, if the pool
  is small the same ones again, are cut; None where nothing can be learned.

  known: see `shortlist.align`.
  """
  references, labels = made.references, made.references.names[rank]
  group = held_out.left_out(references, rank)
  others = held_out.has_others(labels, group)
  can_know = made.learned is not None and made.learned.told_apart()
  parts = []
  for is_whole in (True, False):
    ids = held_out.draw(references, rank, pool, _MOST_QUERIES // 2, (seed, int(is_whole)))
    if others[ids].sum() < _FEWEST:
      return None
    texts = [references.sequences[i] for i in ids]
    if not is_whole:   # a reference has one piece, whatever the rank
      texts = [_piece(text, np.random.default_rng((seed, 2, i)))
               for i, text in zip(ids, texts, strict=True)]
    for chosen, out, is_known in ((np.flatnonzero(others[ids]), group, True),
                                  (np.arange(len(ids)), labels, False)):
      asked, some = ids[chosen], [texts[n] for n in chosen]
      # True queries of taxa that the references lack: the encoder may know those or not.
      is_blind = (np.arange(len(asked)) % 2 == 0) | (not can_know)
      candidates = made.candidates(some, groups=(out[asked], out), is_blind=is_blind,
                                   known=known)
      answer, clear = shortlist.lineages(
          candidates, candidates.scores(made.weights), references.names,
          groups=(out[asked], out))[rank]
      parts.append((asked, candidates, np.array([len(text) for text in some]),
                    np.full(len(asked), is_whole), clear, answer == labels[asked],
                    np.full(len(asked), is_known)))
  ids, candidates, lengths, is_whole, evidence, *answers = zip(*parts, strict=True)
  return _Played(rank, np.concatenate(ids), list(candidates), np.concatenate(lengths),
                 np.concatenate(is_whole), columns.concatenate(evidence),
                 *map(np.concatenate, answers))


def _probabilities(made, played, rank):
  """[(names, probabilities, that the taxon is known)] at a rank of what played, in parts."""
  ends = np.cumsum([len(one.ids) for one in played.candidates])
  return [[part[rank] for part in made.probabilities(
      one, played.lengths[end - len(one.ids):end])]
          for one, end in zip(played.candidates, ends, strict=True)]


def _judge(made, rank, played, unknown):
  """How good the probabilities of a rank are where they were learned.

  Of the queries whose taxon was left out there are as many as the share `unknown`.
  """
  labels, said, _ = map(np.concatenate, zip(*_probabilities(made, played, rank), strict=True))
  wanted = made.references.names[rank][played.ids]
  is_right = labels == wanted
  most = int(played.is_known.sum() * unknown / (1 - unknown))
  count = (wanted >= 0) & (played.is_known | (np.cumsum(~played.is_known) <= most))
  said, is_right = said[count], is_right[count]
  return {"num": len(said), "right": float(is_right.mean()),
          "threshold": max(0.5, calibration.threshold(said, PRECISION)),
          "calibration_error": calibration.expected_error(said, is_right),
          "bins": calibration.bins(said, is_right)}


def _piece(text, rng):
  """A piece of a sequence, 100 bp or more."""
  length = int(rng.integers(min(_SHORTEST, len(text)), len(text) + 1))
  first = int(rng.integers(0, len(text) - length + 1))
  return text[first:first + length]
