"""What an encoder has learned to name, against loops, and what it is worth."""

import dataclasses

import jax
import libraries
import numpy as np
import pytest
import tiny
import untrained

import dnajax
from dnajax.data import records
from dnajax.identification import comparison, features, fitting, index, learned, novelty
from dnajax.identification import references as references_lib
from dnajax.tokens import bases as base_codes
from dnajax.workdir import load

RNG = np.random.default_rng(0)


def some_classes(names, width=6):
  vectors = RNG.normal(size=(width, len(names)))
  return learned.Classes(list(names), RNG.normal(size=width),
                         vectors / np.linalg.norm(vectors, axis=0))


def slow_cosine(known, row, number):
  row, vector = row + known.bias, known.vectors[:, number]
  return row @ vector / np.linalg.norm(row) / np.linalg.norm(vector)


def test_evidence_is_the_cosine_with_the_own_class_and_the_nearest_one_without_references():
  known = some_classes("abcdefgh")
  of = np.array([0, 0, 1, 2, 2, -1, 3])
  groups = np.array([10, 10, 11, 12, 13, 14, 15])
  rows, ids = RNG.normal(size=(7, 6)), np.stack([RNG.permutation(7)[:4] for _ in range(7)])
  one = learned.Learned(known, of)
  for is_blind in (None, np.arange(7) % 2 == 0):
    for asked in (None, (groups, groups)):
      own, outside = one.evidence(rows, ids, groups=asked, is_blind=is_blind)
      for q in range(7):
        left = [i for i in range(7) if asked is None or groups[i] != groups[q]]
        inside = {of[i] for i in left}
        if is_blind is not None and is_blind[q]:
          inside |= set(of.tolist())
        np.testing.assert_allclose(outside[q], max(
            slow_cosine(known, rows[q], c) for c in range(8) if c not in inside), atol=1e-6)
        np.testing.assert_allclose(own[q], [
            np.nan if of[i] < 0 else slow_cosine(known, rows[q], of[i]) for i in ids[q]],
            atol=1e-6)
  _, outside = learned.Learned(known, np.arange(8)).evidence(rows, ids % 7)
  assert (outside == -1).all()


def test_a_genus_has_the_class_of_its_name_or_else_the_one_nearest_to_most_of_it():
  references = references_lib.collect(
      (f"{i}", libraries.mutated(RNG, "ACGT" * 20, .5), {"genus": genus})
      for i, genus in enumerate(["A", "A", "B", "B", "B", "C", "C", "D"]))
  known = dataclasses.replace(
      some_classes(["D", "other", "A", "further"], 4), bias=np.zeros(4), vectors=np.eye(4))
  near = np.eye(4)[[1, 1, 1, 1, 3, 1, 3, 3]]   # B: most are near "other"; C: half and half
  found = learned.bind(known, references, near)
  assert found.of.tolist() == [2, 2, 1, 1, 1, -1, -1, 0]
  near[2:5] = np.eye(4)[2]                      # B near "A", which the library has itself
  assert learned.bind(known, references, near).of.tolist() == [2, 2, -1, -1, -1, -1, -1, 0]
  near[2:7] = np.eye(4)[1]                      # B and C are parts of one
  assert learned.bind(known, references, near).of.tolist() == [2, 2, 1, 1, 1, 1, 1, 0]
  assert learned.bind(None, references, near) is None


@pytest.fixture(scope="module")
def embedder(tiny_data, tmp_path_factory):
  """Of a tiny model with genus labels and random parameters."""
  return dnajax.load(untrained.save(
      tiny.values("barcode_id", tiny_data, has_evals=False), tmp_path_factory.mktemp("named")))


def test_classes_of_a_checkpoint_are_those_of_its_head_with_their_names(embedder, tiny_data):
  trained = embedder.trained
  known = learned.of_checkpoint(trained)
  assert known.names == list(records.open_split(
      records.find(tiny_data, "simulated_barcodes"), "train").vocabulary("genus"))
  texts = ["".join(RNG.choice(list("ACGT"), 72)) for _ in range(5)]
  tokens = trained.tokenizer(base_codes.encode_batch([text.encode() for text in texts], 72))
  logits = trained.module.apply(
      {"params": jax.device_put(trained.params)}, tokens.ids, tokens.pad_mask,
      method="label_logits")["genus"]["genus"]
  np.testing.assert_allclose(16 * known.cosines(embedder.embed(texts)), logits, atol=1e-4)


def test_an_index_keeps_what_was_learned(embedder, tmp_path):
  references, queries = libraries.split(libraries.rows(), libraries.is_last_species)
  made = fitting.fit(references, [features.encoder(embedder)], say=lambda line: None)
  index.save(tmp_path, made, model=load.fingerprint(embedder.trained))
  again = index.load(tmp_path, embedder)
  np.testing.assert_array_equal(again.learned.of, made.learned.of)
  texts = [text for _, text, _ in queries]
  assert [call.probabilities for call in again.identify(texts)] == [
      call.probabilities for call in made.identify(texts)]
  assert (made.candidates(texts[:3]).outside > -1).all()


def test_a_model_without_a_cosine_head_has_no_classes(tiny_workdir):
  assert learned.of_checkpoint(dnajax.load(tiny_workdir).trained) is None


class Learned(features.Encoder):
  """Counts of 3-mers, and as classes the means of all genera: what an encoder may know."""

  def __init__(self, rows=()):
    genera = [names["genus"] for *_, names in rows]
    means = [self.rows([text for (_, text, _), one in zip(rows, genera, strict=True)
                        if one == genus]).mean(axis=0) for genus in sorted(set(genera))]
    if rows:
      centre = np.mean(means, axis=0)
      vectors = (np.array(means) - centre).T
      self.classes = learned.Classes(sorted(set(genera)), -centre,
                                     vectors / np.linalg.norm(vectors, axis=0))

  def rows(self, sequences):
    codes = base_codes.encode_batch([text.encode() for text in sequences], libraries.LENGTH)
    words = codes[:, :-2].astype(int) * 16 + codes[:, 1:-1] * 4 + codes[:, 2:]
    return np.stack([(words == w).sum(axis=1) for w in range(64)], axis=1).astype(np.float32)


def test_what_the_encoder_knows_tells_unknown_genera_better_and_is_calibrated():
  rows = libraries.rows(families=6, genera=6, apart=.02, seed=2)
  is_lost = lambda row: row[2]["genus"][2] in "345"     # half of the genera of each family
  of_library = [row for row in rows if not is_lost(row)]
  references, queries = libraries.split(of_library, libraries.is_last_species)
  queries += [row for row in rows if is_lost(row) and libraries.is_last_species(row)]
  wanted = novelty.number(references, [names for *_, names in queries])
  made, found = [], []
  for known in ([], of_library, rows):
    made.append(fitting.fit(references, [Learned(known)], adapt=False, say=lambda line: None))
    answers, _ = comparison.answer(made[-1], [text for _, text, _ in queries], "identify")
    found.append(comparison.measure(answers, wanted)["genus"])
  nothing, library, everything = found
  assert everything["num_unknown"] == everything["num"] == 72
  assert nothing["auroc"] + .1 < library["auroc"] < everything["auroc"] - .05
  assert everything["calibration_error"] < nothing["calibration_error"]
  assert made[0].learned is None
  # An encoder of the library alone knows nothing of what the library lacks.
  assert [one.learned.told_apart() for one in made[1:]] == [False, True]
