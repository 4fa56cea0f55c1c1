"""Simulated barcodes: reading frame, biology, splits, reproducible from the seed."""

import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds

from data_pipelines import prepare
from data_pipelines.simulated_barcodes import codon_model, settings, simulate
from dnajax.shell import errors

SMALL = dict(orders=2, families=2, genera=2, species=5, unseen_species=2, individuals=8)


class Collected:
  """Stands in for a spool."""

  def __init__(self):
    self.rows = []

  def add(self, split, record_id, bases, labels):
    self.rows.append((split, record_id, bases, tuple(labels)))


def simulated(**changes):
  collected = Collected()
  simulate.fill(collected, settings.Settings(**{**SMALL, **changes}))
  return collected.rows


def test_the_seed_decides_everything():
  assert simulated(seed=3) == simulated(seed=3) != simulated(seed=4)


def test_unseen_species_are_in_no_other_split_and_their_genera_are_in_train():
  rows = simulated()
  species = {split: {labels[3] for s, _, _, labels in rows if s == split} - {""}
             for split in simulate.SPLITS}
  for split in simulate.SPLITS[:-1]:
    assert species[split] and not species[split] & species["unseen"]
  genera = {split: {labels[2] for s, _, _, labels in rows if s == split}
            for split in simulate.SPLITS}
  assert genera["unseen"] == genera["train"] and len(genera["train"]) == 8
  assert species["train"] == species["valid"] == species["test"]
  assert len(species["unseen"]) == 8 * SMALL["unseen_species"]


def test_pretrain_records_of_unseen_species_do_not_hide_behind_an_absent_name():
  st = settings.Settings(**SMALL)
  parent, split = simulate.individuals(np.random.default_rng(0), st)
  is_unseen = split == simulate.SPLITS.index("unseen")
  assert not set(parent[is_unseen]) & set(parent[~is_unseen])
  absent = [labels[3] == "" for s, _, _, labels in simulated() if s == "pretrain"]
  assert .1 < np.mean(absent) < .5
  assert all(labels[3] for s, _, _, labels in simulated() if s != "pretrain")


def aligned(**changes):
  """Base codes [n, bp] without noise, and the species they come from."""
  st = settings.Settings(**{**SMALL, **changes})
  species = simulate.tree(np.random.default_rng(0), st)
  return codon_model.to_bases(species["codons"], st.length), species["names"], st


@pytest.mark.parametrize("length", [658, 657, 60])
def test_every_sequence_is_an_open_reading_frame(length):
  bases, _, _ = aligned(length=length)
  assert bases.shape == (40, length)
  codons = bases[:, length % 3:].reshape(len(bases), -1, 3) @ [16, 4, 1]
  for row in codons:
    protein = "".join(codon_model.AMINO_ACIDS[c] for c in row)
    assert "*" not in protein


def test_third_positions_vary_most_and_second_ones_least():
  bases, _, st = aligned()
  differs = (bases[:, None] != bases[None]).mean((0, 1))
  first, second, third = (differs[(st.length % 3 + i)::3].mean() for i in range(3))
  assert third > 1.5 * first and first > second  # third ones are saturated


def test_sequences_are_rich_in_a_and_t_and_third_positions_most():
  bases, _, st = aligned()
  is_at = (bases == 0) | (bases == 3)
  assert .6 < is_at.mean() < .75
  assert is_at[:, st.length % 3 + 2::3].mean() > .8


def test_relatives_differ_less_at_every_level():
  bases, names, _ = aligned(orders=3, families=3)
  distance = (bases[:, None] != bases[None]).mean(-1)
  same = [np.array(level)[:, None] == np.array(level)[None] for level in names]
  genus = distance[same[2] & ~same[3]].mean()
  order = distance[same[0] & ~same[1]].mean()
  beyond = distance[~same[0]].mean()
  assert .05 < genus < .15 and genus < order < beyond


def test_the_genetic_code_is_the_invertebrate_mitochondrial_one():
  def amino_acid(codon):
    a, b, c = ("ACGT".index(base) for base in codon)
    return codon_model.AMINO_ACIDS[16 * a + 4 * b + c]
  assert len(codon_model.AMINO_ACIDS) == 64
  assert [amino_acid(c) for c in ("ATG", "ATA", "TGA", "TGG", "AGA", "AGG", "TTT")] == [
      "M", "M", "W", "W", "S", "S", "F"]
  assert [amino_acid(c) for c in ("TAA", "TAG")] == ["*", "*"]


def slow_rate(i, j, kappa, omega):
  """The sentence in the module docstring, for one pair of codons."""
  a, b = ("".join("ACGT"[x] for x in codon_model.CODONS[k]) for k in (i, j))
  changes = [(x, y) for x, y in zip(a, b, strict=True) if x != y]
  code = codon_model.AMINO_ACIDS
  if len(changes) != 1 or "*" in (code[i], code[j]):
    return 0
  rate = codon_model.codon_frequencies()[j]
  rate *= kappa if set(changes[0]) in ({"A", "G"}, {"C", "T"}) else 1
  return rate * (1 if code[i] == code[j] else omega)


def test_the_rate_matrix_is_its_definition_and_keeps_the_codon_frequencies():
  rates = codon_model.rate_matrix(kappa=3., omega=.2)
  for i in range(64):
    for j in range(64):
      if i != j:
        assert rates[i, j] == pytest.approx(slow_rate(i, j, 3., .2))
  np.testing.assert_allclose(rates.sum(1), 0, atol=1e-12)
  np.testing.assert_allclose(codon_model.codon_frequencies() @ rates, 0, atol=1e-12)


def test_a_branch_of_length_zero_changes_nothing_and_lengths_are_per_base():
  rng = np.random.default_rng(0)
  model = codon_model.CodonModel(rng, num_codons=2000, kappa=4., omega=.05, omega_shape=.5)
  parents = np.repeat(model.root(rng)[None], 20, axis=0)
  assert (model.children(rng, parents, np.zeros(20)) == parents).all()
  children = model.children(rng, parents, np.full(20, .01))
  changed = (codon_model.CODONS[children] != codon_model.CODONS[parents]).mean()
  assert changed == pytest.approx(.01, rel=.15)


def test_noise_is_n_and_ragged_ends_and_rare_wrong_calls():
  st = settings.Settings(n_share=.5, ragged_start_share=.5, ragged_end_share=.5,
                         error_rate=.01)
  bases = np.zeros((400, 658), np.uint8)
  texts = simulate.sequence_noise(np.random.default_rng(0), bases, st)
  lengths = np.array([len(text) for text in texts])
  assert lengths.min() >= 658 - 2 * 60 - 60 and lengths.max() == 658
  assert .3 < np.mean(["N" in text for text in texts]) < .6
  assert .6 < (lengths < 658).mean() < .9
  wrong = np.mean([c not in "AN" for text in texts for c in text])
  assert wrong == pytest.approx(.01, rel=.2)
  clean = dataclasses.replace(st, n_share=0, ragged_start_share=0, ragged_end_share=0,
                              error_rate=0)
  assert simulate.sequence_noise(np.random.default_rng(0), bases, clean) == ["A" * 658] * 400


def test_prepare_simulated_needs_no_flags_and_is_read_by_tfds(tmp_path):
  directory, summary = prepare.prepare_simulated(
      str(tmp_path), show_progress=False, **SMALL)
  assert directory == tmp_path / "simulated_barcodes" / "1.0.0"
  assert list(summary["splits"]) == list(simulate.SPLITS)
  assert summary["ranks"] == ["order", "family", "genus", "species"]
  assert summary["num_labels"] == {"order": 2, "family": 4, "genus": 8, "species": 40}
  unseen = tfds.builder_from_directory(str(directory)).as_data_source("unseen")
  assert len(unseen) == summary["splits"]["unseen"]["num_records"] == 64
  again = prepare.prepare_simulated(str(tmp_path), show_progress=False, overwrite=True,
                                    **SMALL)[1]
  assert again["fingerprint"] == summary["fingerprint"]


def kmer_counts(texts, k=6, stride=1):
  """Counts of k-mers without N, [n, 4**k]."""
  out = np.zeros((len(texts), 4 ** k), np.float32)
  for row, text in zip(out, texts, strict=True):
    codes = np.array(["ACGTN".index(letter) for letter in text])
    windows = np.lib.stride_tricks.sliding_window_view(codes, k)[::stride]
    windows = windows[(windows < 4).all(1)]
    row += np.bincount(windows @ 4 ** np.arange(k), minlength=4 ** k)
  return out


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_genus_of_unseen_species_is_there_to_be_found_but_not_for_the_untrained(seed):
  collected = Collected()
  simulate.fill(collected, settings.Settings(seed=seed))
  keys, queries = ([row for row in collected.rows if row[0] == split]
                   for split in ("train", "unseen"))
  genera, wanted = ([row[3][2] for row in rows] for rows in (keys, queries))

  def accuracy(features):
    keys_at, queries_at = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in features)
    nearest = (queries_at @ keys_at.T).argmax(1)
    return np.mean([genera[i] == genus for i, genus in zip(nearest, wanted, strict=True)])

  texts = [[row[2] for row in rows] for rows in (keys, queries)]
  assert len(set(genera)) == 24
  assert .85 < accuracy([kmer_counts(x) for x in texts]) < .95
  # What an untrained encoder does to tokens: a random projection, one frame.
  projection = np.random.default_rng(0).normal(size=(4 ** 6, 128))
  assert .2 < accuracy([kmer_counts(x, stride=6) @ projection for x in texts]) < .6


@pytest.mark.parametrize("changes, message", [
    (dict(species=2, unseen_species=2), "leaves none"), (dict(labelled=2), "labelled"),
    (dict(individuals=4), "individuals"), (dict(length=10), "length"),
    (dict(orders=0), "orders")])
def test_senseless_settings_are_refused(changes, message):
  with pytest.raises(errors.UserError, match=message):
    settings.Settings(**changes)


def test_settings_are_parsed_from_text():
  assert settings.parse(["seed=2", "omega=0.1"]) == {"seed": 2, "omega": .1}
  with pytest.raises(errors.UserError, match="not a int"):
    settings.parse(["seed=x"])
