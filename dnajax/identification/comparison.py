"""identify beside best hits, SINTAX, k-mers and the encoder alone: same library, same queries."""

import dataclasses
import os
import time

import numpy as np

from dnajax.data import records
from dnajax.identification import calibration, identifier, programs
from dnajax.identification import features as features_lib
from dnajax.inference import neighbors

METHODS = ("identify", "features", "kmers", "vsearch", "vsearch_default", "megablast", "blastn",
           "sintax")


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
  """What a method says of Q queries; seconds include everything that depends on them.

  names: {rank: [Q] numbers of names, -1 = none}.
  scores: {rank: [Q]}, higher where the method is surer that the references have the taxon.
  probabilities: {rank: [Q]} that the name is right; None if it claims none.
  """
  names: dict
  scores: dict
  seconds: float
  probabilities: dict | None = None


def answer(made, queries, method, *, threads=None, others=None):
  """(Answers of a method, None), or (None, why there are none).

  Args:
    made: identifier.Identifier, fitted.
    queries: list of str, cleaned, on the strand of the references.
    method: of METHODS, or a name of `others`. "features": the nearest reference by what
      identify searches by, centred; "kmers": the same by 6-mers.
    threads: of programs; default all cores.
    others: {name: features of features.py} that are asked as "features" are.
  """
  start = time.perf_counter()
  taxa = made.references.names
  if method == "identify":
    candidates = made.candidates_of_all(queries)
    lengths = np.array([len(text) for text in queries])
    if made.shares is None:
      some = records.fixed_sample(len(queries), identifier.SAMPLE)
      made = made.expecting(candidates[some], lengths[some])
    names, likely, known = made.probabilities(candidates, lengths)
    return Answers(names, known, time.perf_counter() - start, likely), None
  if method == "sintax":
    found, reason = programs.sintax(queries, made.references.sequences, taxa, threads=threads)
    if found is None:
      return None, reason
    return Answers({rank: numbers for rank, (numbers, _) in found.items()},
                   shares := {rank: shares for rank, (_, shares) in found.items()},
                   time.perf_counter() - start, shares), None
  if method in programs.PROGRAMS:
    found, reason = programs.search(queries, made.references.sequences, method, threads=threads)
    if found is None:
      return None, reason
    ids, scores = found
  else:
    by = (others or {}).get(method) or (
        features_lib.Kmers() if method == "kmers" else made.features)
    ids, scores = _nearest(made, queries, by)
  has = ids >= 0
  return Answers({rank: np.where(has, column[ids], -1) for rank, column in taxa.items()},
                 dict.fromkeys(taxa, scores), time.perf_counter() - start), None


def _nearest(made, queries, features):
  keys, centre = made.keys, made.centre
  if features.name != made.features.name:
    rows = features.rows(made.references.sequences)
    centre = features.mean(rows)
    keys = features.less(rows, centre)
  rows = features.less(features.rows(queries), centre)
  ids, cosines = neighbors.nearest(rows, keys, 1)
  return ids[:, 0], cosines[:, 0]


def measure(answers, wanted):
  """How good the answers are at each rank.

  Args:
    answers: Answers.
    wanted: {rank: [Q] numbers of the true names; -1: nobody knows; -2: a name that the
      references do not have}.

  Returns:
    {rank: {"accuracy": of queries whose name the references have; "auroc": chance that a
    query whose name they do not have is less sure than one whose name they have;
    "calibration_error": of probabilities, of all queries, else NaN; "num", "num_unknown"}}.
  """
  out = {}
  for rank, names in answers.names.items():
    asked = wanted[rank] != -1
    truth, said, score = wanted[rank][asked], names[asked], answers.scores[rank][asked]
    known = truth >= 0
    right = (said == truth) & known
    out[rank] = {
        "accuracy": float(right[known].mean()) if known.any() else float("nan"),
        "auroc": calibration.auroc(score, known),
        "calibration_error": calibration.expected_error(
            answers.probabilities[rank][asked], right)
                             if answers.probabilities and len(right) else float("nan"),
        "num": int(known.sum()), "num_unknown": int((~known).sum())}
  return out


def how(method, made):
  """A method in words, for protocols and tables."""
  words = {"identify": f"dnajax identify ({made.features.name})",
           "features": f"nearest by {made.features.name}, centred",
           "kmers": "nearest by square roots of 6-mer shares, centred",
           "sintax": "SINTAX (VSEARCH)"}
  if method in words:
    return words[method]
  return (programs.PROGRAMS[method].name if method in programs.PROGRAMS else
          f"nearest by the encoder of {method}, centred")


def threads(number):
  """How many a program uses."""
  return number or os.cpu_count()
