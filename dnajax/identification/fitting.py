"""A library is searched against itself: what is a similarity worth, how likely is a name?

For the call of a rank, references play queries whose own taxon of the next lower rank is
left out: species for the genus, genera for the family, families for the order. Where a
genus has one species only, its call cannot be right; so a query is taken to be as likely
of an unknown genus as a reference is without its species.
"""

import dataclasses

import numpy as np

from dnajax.data import records
from dnajax.identification import calibration, identifier, shortlist
from dnajax.workdir import meta as meta_lib

WEIGHTS = (0.3, 0.0, 0.05, 0.1, 0.2, 0.5, 1.0, np.inf)   # of the cosine; the first by default
PRECISION = 0.95           # share of right ones among the calls that are made by default
_MOST_QUERIES = 2_000      # references that play queries, of each rank
_MOST_KEYS = 20_000        # among which features are compared
ENOUGH = 300              # references of species the encoder was not trained on
_FEWEST = 20               # references from which nothing is learned
_SHORTEST = 100            # base pairs of a piece of a query


def fit(references, choices, *, is_novel=None, strand="forward", seed=0, say=print):
  """An Identifier.

  Args:
    references: references.References.
    choices: list of features, of features.py; of two the first one is taken unless the
      other finds more held-out taxa.
    is_novel: [N] bool, references of species that the encoder was not trained to name; if
      they are enough, only these play queries.
    strand: see Identifier.
    seed: of what plays queries.
    say: called with a line about each step.
  """
  report = {"features": {}}
  pool = _players(references, is_novel, report)
  if report.get("is_trained_on"):
    say(f"The encoder has learned the labels of all but {report['num_novel']:,} of these "
        "references: probabilities will be too high for species it does not know. Hold species "
        "out of its training (at best some of them for good), or take an encoder of others.")
  main = _main_rank(references)
  best = None
  for features in choices:
    found = _compare(references, features, pool, main, seed, report)
    if best is None or found["accuracy"] > best[1]["accuracy"] + found["error"]:
      best = features, found
  features, found = best
  say(f"searched by {features.name}, score = "
      + ("cosine" if np.isinf(found["weight"]) else
         f"identity + {found['weight']:g} · cosine")
      + (f"; {main} of held-out references right: {found['accuracy']:.1%}"
         if found["num"] else ""))
  rows = features.rows(references.sequences)
  centre = features.mean(rows)
  made = identifier.Identifier(
      references, features, features.less(rows, centre), centre, found["weight"], {}, {}, report,
      strand)
  report.update(rank=main, chosen=features.name, ranks={})
  played = {rank: _play(made, rank, pool, seed) for rank in reversed(references.ranks)}
  for rank, one in played.items():
    if one is not None:
      made.calibrators[rank] = calibration.fit(one.evidence, one.is_right)
  for rank in played:
    # What is known of a rank holds for queries whose species is left out.
    judged = played[rank if rank == "species" or main not in played else main]
    if rank in made.calibrators and judged is not None:
      report["ranks"][rank] = _judge(made, rank, judged)
      made.thresholds[rank] = report["ranks"][rank]["threshold"]
  return made


def novel(references, meta):
  """[N] bool, references of species whose labels an encoder has not learned; None: all.

  Args:
    references: references.References.
    meta: of the encoder's checkpoint, see `workdir.meta`.
  """
  column = references.names.get("species", np.full(len(references.ids), -1))
  learned = meta_lib.is_learned(meta, [references.name("species", n) for n in column])
  return None if learned is None else ~learned


def _players(references, is_novel, report):
  """Which references may play queries, [N] bool."""
  everything = np.ones(len(references.ids), bool)
  if is_novel is None:
    return everything
  report["num_novel"] = int(is_novel.sum())
  report["is_trained_on"] = bool(is_novel.sum() < ENOUGH)
  return everything if report["is_trained_on"] else is_novel


def _main_rank(references):
  """Genus; without genera the lowest rank that there is above the species."""
  return next((rank for rank in ("genus", *reversed(references.ranks))
               if rank in references.names), None)


def left_out(references, rank):
  """[N] numbers of what is left out with a query when its name at a rank is asked.

  The taxon of the next lower rank. Species, and where no lower rank has names: only the
  sequence itself.
  """
  lower = references.ranks[references.ranks.index(rank) + 1:]
  lower = [one for one in lower if one != "subfamily"]
  if not lower:
    return np.arange(len(references.ids))
  return references.names[lower[0]]


def _draw(references, rank, pool, most, seed):
  """Numbers of references that play queries at a rank."""
  fits = pool & (references.names[rank] >= 0) & (left_out(references, rank) >= 0)
  ids = np.flatnonzero(fits)
  return ids[np.sort(np.random.default_rng((seed, 1)).permutation(len(ids))[:most])]


def _compare(references, features, pool, rank, seed, report):
  """The best weight for some features, and how many held-out taxa are found with it."""
  group = left_out(references, rank)
  ids = _draw(references, rank, pool, _MOST_QUERIES // 2, seed)
  keys = np.arange(len(references.ids))
  if len(keys) > _MOST_KEYS:
    keys = np.sort(np.union1d(ids, records.fixed_sample(len(keys), _MOST_KEYS)))
  labels = references.names[rank]
  # Queries whose taxon is nowhere else say nothing about a weight.
  known = {}
  for number in keys:
    known.setdefault(labels[number], set()).add(group[number])
  ids = ids[[len(known[labels[i]] - {group[i]}) > 0 for i in ids]]
  found = dict(weight=WEIGHTS[0], accuracy=0.0, error=0.0, num=len(ids))
  if len(ids):
    rows = features.rows([references.sequences[i] for i in keys])
    centre = features.mean(rows)
    queries = [references.sequences[i] for i in ids]
    candidates = shortlist.find(
        features.less(features.rows(queries), centre), queries, features.less(rows, centre),
        [references.sequences[i] for i in keys], groups=(group[ids], group[keys]))
    found |= _best_weight(candidates, labels[keys], labels[ids])
  report["features"][features.name] = {**found, "weight": str(found["weight"])}
  return found


def _best_weight(candidates, labels, wanted):
  """The first weight, unless another is better by more than twice the error of that."""
  right = {weight: shortlist.lineages(candidates, candidates.scores(weight), {"": labels})[""][0]
           == wanted for weight in WEIGHTS}
  best = WEIGHTS[0]
  for weight in WEIGHTS[1:]:
    difference = right[weight].astype(float) - right[WEIGHTS[0]]
    error = difference.std() / np.sqrt(len(wanted))
    if difference.mean() > 2 * error and right[weight].mean() > right[best].mean():
      best = weight
  accuracy = float(right[best].mean())
  return dict(weight=best, accuracy=accuracy, error=float(
      np.sqrt(accuracy * (1 - accuracy) / len(wanted))))


@dataclasses.dataclass(frozen=True, eq=False)
class _Played:
  """What references said of each other at one rank, n queries."""
  ids: np.ndarray         # [n] numbers of the references that play
  candidates: list        # of shortlist.Candidates
  lengths: list           # [n] base pairs
  evidence: np.ndarray    # [n, F]
  is_right: np.ndarray    # [n] bool


def _play(made, rank, pool, seed):
  """A _Played; None where nothing can be learned."""
  references, labels = made.references, made.references.names[rank]
  ids = _draw(references, rank, pool, _MOST_QUERIES, seed)
  if len(ids) < _FEWEST:
    return None
  rng = np.random.default_rng((seed, 2))
  pieces = [_piece(references.sequences[i], rng) if n % 2 else references.sequences[i]
            for n, i in enumerate(ids)]
  groups = [left_out(references, rank)]
  if rank == "species":
    groups.append(labels)   # as many whose species is unknown
  found, evidence, is_right = [], [], []
  lengths = [len(text) for text in pieces]
  for group in groups:
    candidates = made.candidates(pieces, groups=(group[ids], group))
    answer, clear = shortlist.lineages(
        candidates, candidates.scores(made.weight), references.names)[rank]
    found.append(candidates)
    evidence.append(identifier.with_length(clear, lengths))
    is_right.append(answer == labels[ids])
  return _Played(ids, found, lengths, np.concatenate(evidence), np.concatenate(is_right))


def _judge(made, rank, played):
  """How good the probabilities of a rank are where they were learned."""
  labels, said = [], []
  for candidates in played.candidates:
    names, likely = made.probabilities(candidates, played.lengths)
    labels.append(names[rank])
    said.append(likely[rank])
  labels, said = np.concatenate(labels), np.concatenate(said)
  wanted = made.references.names[rank][np.tile(played.ids, len(played.candidates))]
  # Where a species is left out on purpose, naming it is wrong, and nothing else can be.
  is_right = (played.is_right if rank == "species" else labels == wanted)[wanted >= 0]
  said = said[wanted >= 0]
  return {"num": len(said), "right": float(is_right.mean()),
          "threshold": max(0.5, calibration.threshold(said, PRECISION)),
          "calibration_error": calibration.expected_error(said, is_right),
          "bins": calibration.bins(said, is_right)}


def _piece(text, rng):
  """A piece of a sequence, 100 bp or more."""
  length = int(rng.integers(min(_SHORTEST, len(text)), len(text) + 1))
  first = int(rng.integers(0, len(text) - length + 1))
  return text[first:first + length]
