"""Features made over for a library: white within its taxa, used where they find more."""

import libraries
import numpy as np
import pytest

from dnajax.identification import adaptation, choice, features, fitting, held_out
from dnajax.identification import index as index_lib


class Noisy(features.Encoder):
  """Some k-mers, hidden behind four numbers in which members of a genus differ at random."""

  def __init__(self):
    pass

  def rows(self, sequences):
    kmers = np.asarray(features.Kmers().rows(sequences)[0:len(sequences)])[:, ::8] * 20
    noise = [np.random.default_rng(sum(text.encode()[::7])).normal(size=4) * 10
             for text in sequences]
    return np.concatenate([kmers, np.reshape(noise, (-1, 4))], axis=1).astype(np.float32)


class Rows(features.Encoder):
  """Numbers that are given."""

  def __init__(self, rows):
    self._rows = rows

  def rows(self, sequences):
    return self._rows[[int(text) for text in sequences]]


def test_products_are_half_white_within_taxa_and_half_what_they_were():
  rng = np.random.default_rng(0)
  labels = np.repeat(np.arange(40), 5)
  labels[7] = -1                                   # without a name: not used
  rows = (rng.normal(size=(40, 6))[np.maximum(labels, 0)]
          + rng.normal(size=(200, 6)) @ rng.normal(size=(6, 6))).astype(np.float32)
  texts = [str(i) for i in range(200)]
  out = adaptation.adapt(Rows(rows), texts, labels).rows(texts)
  used = labels >= 0
  rows = rows - rows[used].mean(axis=0)
  within = np.concatenate([
      rows[labels == n] - rows[labels == n].mean(axis=0) for n in range(40)])
  covariance = within.T @ within / len(within)
  shrunk = .9 * covariance + .1 * np.trace(covariance) / 6 * np.eye(6)
  white, plain = rows @ np.linalg.inv(shrunk) @ rows.T, rows @ rows.T
  mean = lambda products: np.diag(products)[used].mean()
  np.testing.assert_allclose(out @ out.T, white / mean(white) + plain / mean(plain), atol=1e-4)


def test_of_long_rows_the_directions_of_most_variance_are_kept(monkeypatch):
  monkeypatch.setattr(adaptation, "WIDTH", 2)
  rng = np.random.default_rng(1)
  labels = np.repeat(np.arange(30), 4)
  rows = rng.normal(size=(120, 5)) * .1
  rows[:, [1, 3]] += rng.normal(size=(30, 2))[labels] * 5   # what tells the taxa apart
  texts = list(map(str, range(120)))
  out = adaptation.adapt(Rows(rows.astype(np.float32)), texts, labels).rows(texts)
  fitted = rows - rows.mean(axis=0)
  explained, *_ = np.linalg.lstsq(out, fitted[:, [1, 3]], rcond=None)
  assert out.shape == (120, 2)
  assert np.abs(out @ explained - fitted[:, [1, 3]]).max() < .5


def test_taxa_whose_sequences_do_not_differ_teach_nothing():
  rows = np.eye(4, dtype=np.float32)
  assert adaptation.adapt(Rows(rows), list("0123"), np.array([0, 1, 2, -1])) is None
  assert adaptation.adapt(Rows(rows), list("01230123"), np.array([0, 1, 2, 3] * 2)) is None


def test_fewer_sequences_than_numbers_in_a_row_teach_nothing():
  rows = np.random.default_rng(0).normal(size=(6, 7)).astype(np.float32)
  assert adaptation.adapt(Rows(rows), list("012345"), np.array([0, 0, 0, 1, 1, 1])) is None
  assert adaptation.adapt(Rows(rows[:, :6]), list("012345"), np.array([0, 0, 0, 1, 1, 1]))


@pytest.fixture(scope="module")
def library():
  return libraries.split(libraries.rows(genera=4, individuals=5), libraries.is_last_species)


def test_noise_within_genera_is_taken_out_and_an_index_keeps_that(
    library, tmp_path, monkeypatch):
  monkeypatch.setattr(features, "K", 4)   # few numbers: covariances are quick
  references, queries = library
  said = []
  made = fitting.fit(references, [Noisy()], say=said.append)
  plain = fitting.fit(references, [Noisy()], adapt=False, say=said.append)
  assert made.features.name == "encoder, adapted" and plain.features.name == "encoder"
  assert made.report["adaptation"]["is_better"] and any("adapted" in line for line in said)
  texts = [text for _, text, _ in queries]
  true = [names["genus"] for *_, names in queries]

  def right(one):
    return np.mean([call.names["genus"] == name
                    for call, name in zip(one.identify(texts), true, strict=True)])

  assert right(made) > right(plain)
  monkeypatch.setattr(features, "K", 3)
  pool = np.ones(len(references.ids), bool)
  found = choice.compare(references, features.Kmers(), pool, "genus", 0)
  forced = choice.adapt(references, found, pool, "genus", 0)[1].features
  kmers = fitting.fit(references, [forced], adapt=False, say=said.append)
  index_lib.save(tmp_path, kmers, model="")
  again = index_lib.load(tmp_path)
  assert again.features.name == "6-mers, adapted"
  assert [call.hits for call in again.identify(texts)] == [
      call.hits for call in kmers.identify(texts)]


def test_species_kept_out_are_whole_and_are_not_seen(library, monkeypatch):
  references, _ = library
  seen = []

  def adapt(base, sequences, labels):
    seen.extend(sequences)

  monkeypatch.setattr(adaptation, "adapt", adapt)
  pool = np.ones(len(references.ids), bool)
  found = choice.compare(references, features.Kmers(), pool, "genus", 0)
  _, after, is_held = choice.adapt(references, found, pool, "genus", 0)
  species = references.names["species"]
  assert after is None and 0 < is_held.sum() < .6 * len(is_held)
  assert not np.isin(species[~is_held], species[is_held]).any()
  assert not {references.sequences[i] for i in np.flatnonzero(is_held)} & set(seen)
  few = np.zeros(len(pool), bool)
  few[:3] = True
  np.testing.assert_array_equal(held_out.unseen(references, "genus", few, 0), few)


def test_a_choice_that_is_right_more_often_is_better():
  def a_choice(*right):
    return choice.Choice(None, .3, np.array(right, bool))

  assert choice.is_better(a_choice(1, 1, 1, 0), a_choice(0, 0, 1, 0))
  assert not choice.is_better(a_choice(1, 0, 1, 0), a_choice(0, 1, 1, 0))
  assert not choice.is_better(a_choice(), a_choice())


def test_members_of_one_species_are_one_success():
  """Twenty found and three lost in a hundred: of 23 species, or of two."""
  def right(*found):
    return np.isin(np.arange(100), found)

  alone, together = np.arange(100), np.where(np.arange(100) < 20, 0, np.arange(100))
  together[20:23] = 20
  for groups, is_more in ((alone, True), (together, False)):
    assert choice.is_surely_more(right(*range(20)), right(20, 21, 22), groups) == is_more
  assert not choice.is_surely_more(right(0, 1, 2), right(3), alone)
  assert not choice.is_surely_more(right()[:0], right()[:0], alone[:0])


def test_a_reference_is_embedded_once_while_a_library_is_fitted(library):
  class Counting:
    seen = []

    def embed(self, sequences):
      self.seen.extend(sequences)
      rng = np.random.default_rng(0)
      return np.asarray(features.Kmers().rows(sequences)[0:len(sequences)]) @ rng.normal(
          size=(4**features.K, 16)).astype(np.float32)

  references, queries = library
  encoder = features.Encoder(Counting())
  made = fitting.fit(references, [encoder], say=lambda line: None)
  assert all(Counting.seen.count(text) == 1 for text in set(references.sequences))
  before = len(Counting.seen)
  made.identify([queries[0][1]] * 2)   # afterwards nothing is kept
  assert len(Counting.seen) > before
