"""k-NN over prepared records: what is asked, what is left out, what is told."""

import evaluating
import jax
import numpy as np
import pytest
from sklearn import neighbors as sk_neighbors

from dnajax.data import records
from dnajax.devices import partitioning
from dnajax.evaluators import baselines
from dnajax.inference import kmer_counts, neighbors
from dnajax.shell import errors
from dnajax.tokens import kmers

NUM_DEVICES = 8
KMERS = dict(key_split="train", query_split="unseen", label="genus", features="kmer_counts",
             k=3, batch_size=16)


def make(data_dir, *, mesh=None, **changes):
  """The runner of an entry with changes, and parameters to run it on."""
  return evaluating.build_on(data_dir, "knn", mesh=mesh, **KMERS | changes)


def run_of(data_dir, **changes):
  return evaluating.values(*make(data_dir, **changes))


def named(found):
  return {one.name: one.value for one in found}


def test_labels_that_no_other_record_has_are_counted():
  counts = baselines.record_counts(labels=np.array([1, 1, 1, 7]),
                                   key_labels=np.array([1, 2, 2]))
  assert named(counts) == {"num_queries": 4, "num_keys": 3, "num_unknown_labels": 1}
  labels = np.array([3, 3, 4, 5])
  own = np.array([0, 1, 2, -1])   # the last query is no key; key 3 is another record
  assert named(baselines.record_counts(labels, labels, own))["num_unknown_labels"] == 1


def test_encoder_evaluator_is_the_same_on_one_device_and_on_a_mesh(tiny_data):
  alone = run_of(tiny_data, features="encoder")
  assert 0 <= alone["accuracy"] <= 1 and alone["num_unlabelled_keys"] == 0
  assert -1 <= alone["mean_cosine"] <= 1 and 1 < alone["effective_rank"] <= 16
  mesh = partitioning.make_mesh({"data": 4, "fsdp": 2, "tensor": 1})
  with partitioning.use(mesh):
    spread = run_of(tiny_data, features="encoder", mesh=mesh)
  assert spread == pytest.approx(alone, abs=1e-4)


def test_centred_square_roots_are_the_definition(tiny_data):
  got = run_of(tiny_data, centre=True, square_root=True)
  sides = {}
  for side in ("train", "unseen"):
    split = records.open_split(evaluating.directory(tiny_data), side)
    bases = split.bases(np.arange(split.num_records), evaluating.LENGTH)
    counts = kmer_counts.kmer_counts(bases, 3)
    sides[side] = np.sqrt(counts / counts.sum(axis=1, keepdims=True)), split.labels("genus")
  (keys, key_labels), (queries, labels) = sides["train"], sides["unseen"]
  right = 0
  for query, label in zip(queries - keys.mean(axis=0), labels, strict=True):
    cosines = [query @ key / np.linalg.norm(query) / np.linalg.norm(key)
               for key in keys - keys.mean(axis=0)]
    right += key_labels[np.argmax(cosines)] == label
  assert got["accuracy"] == pytest.approx(right / len(labels), abs=1.5 / len(labels))
  assert got["accuracy"] != run_of(tiny_data)["accuracy"]


def test_a_direction_that_all_rows_share_decides_nothing_once_centred(tiny_data):
  runner, params = make(tiny_data, features="encoder", centre=True)
  rows = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
  keys, queries = rows[:10] + 100, rows[10:] + 100
  centred_queries, centred_keys = neighbors.centred(queries, keys)
  np.testing.assert_allclose(centred_keys.mean(axis=0), 0, atol=1e-4)
  np.testing.assert_allclose(centred_queries, queries - keys.mean(axis=0), atol=1e-4)
  assert evaluating.values(runner, params)["mean_cosine"] < run_of(
      tiny_data, features="encoder")["mean_cosine"]


@pytest.mark.parametrize("features", ["kmer_counts", "encoder"])
def test_reads_of_the_other_strand_are_found_and_turned(tiny_data, monkeypatch, features):
  forward = run_of(tiny_data, features=features, strand="either")
  assert forward["num_turned"] < 0.1 * forward["num_queries"]
  real = records.Split.bases

  def reversed_queries(self, ids, length):
    bases = real(self, ids, length)
    return np.asarray(kmers.reverse_complement(bases)) if self.name == "unseen" else bases

  monkeypatch.setattr(records.Split, "bases", reversed_queries)
  got = run_of(tiny_data, features=features, strand="either")
  assert got["num_turned"] == forward["num_queries"] - forward["num_turned"]
  assert got["accuracy"] == forward["accuracy"]
  assert run_of(tiny_data, features=features)["accuracy"] < forward["accuracy"]


def test_several_frames_are_another_question(tiny_data):
  got = run_of(tiny_data, features="encoder", frames=3)
  assert got["num_queries"] == run_of(tiny_data, features="encoder")["num_queries"]
  one, three = (evaluating.part("knn", **KMERS | dict(features="encoder", frames=frames))
                for frames in (1, 3))
  assert "3 frames" in three.task and "frames" not in one.task


def test_kmer_evaluator_equals_scikit_learn_on_prepared_data(tiny_data):
  got = run_of(tiny_data)
  directory = evaluating.directory(tiny_data)
  sides = {}
  for side in ("train", "unseen"):
    split = records.open_split(directory, side)
    sides[side] = (split.bases(np.arange(split.num_records), evaluating.LENGTH),
                   split.labels("genus"))
  counts = {side: kmer_counts.kmer_counts(x, 3) for side, (x, _) in sides.items()}
  theirs = sk_neighbors.KNeighborsClassifier(1, metric="cosine", algorithm="brute")
  theirs.fit(counts["train"].astype(np.float64), sides["train"][1])
  want = theirs.predict(counts["unseen"].astype(np.float64)) == sides["unseen"][1]
  assert got["accuracy"] == pytest.approx(want.mean(), abs=1.01 / len(want))  # a tie
  assert got["num_queries"] == len(want)
  assert not {"mean_cosine", "effective_rank"} & got.keys()


def test_records_without_the_label_are_left_out_and_counted(tiny_data, monkeypatch):
  real = records.Split.labels

  def some_absent(self, rank):
    labels = np.array(real(self, rank))
    labels[::3] = -1
    return labels

  whole = run_of(tiny_data)
  monkeypatch.setattr(records.Split, "labels", some_absent)
  got = run_of(tiny_data)
  for side in ("queries", "keys"):
    n = whole[f"num_{side}"]
    assert got[f"num_unlabelled_{side}"] == -(-n // 3)
    assert got[f"num_{side}"] == n - -(-n // 3)
  monkeypatch.setattr(records.Split, "labels",
                      lambda self, rank: np.full(self.num_records, -1))
  with pytest.raises(errors.UserError, match="has a genus"):
    run_of(tiny_data)


def test_limits_choose_the_same_records_whatever_the_seed_of_the_run(tiny_data):
  first, second = (evaluating.values(evaluating.part("knn", **KMERS | dict(
      max_keys=9, max_queries=5)).build(evaluating.context(tiny_data, seed=seed)), None)
                   for seed in (0, 7))
  assert first == second
  assert (first["num_keys"], first["num_queries"]) == (9, 5)


def test_features_that_are_not_finite_give_nan_and_no_accuracy(tiny_data):
  runner, params = make(tiny_data, features="encoder")
  got = evaluating.values(runner, jax.tree.map(lambda x: x * np.nan, params))
  assert np.isnan([got[name] for name in runner.metrics]).all()
  assert got["num_queries"] > 0 and runner.is_right is None


def test_unknown_kind_of_features_is_refused(tiny_data):
  with pytest.raises(errors.UserError, match="kmer_counts"):
    run_of(tiny_data, features="pixels")


def test_numbers_of_neighbours_share_one_search(tiny_data):
  several = run_of(tiny_data, num_neighbors=(1, 3, 5), vote="softmax")
  for n in (1, 3, 5):
    alone = run_of(tiny_data, num_neighbors=n, vote="softmax")
    for name in ("accuracy", "macro_accuracy", "macro_f1"):
      assert several[name + (f"_k{n}" if n > 1 else "")] == alone[name]


def test_figure_shows_each_number_of_neighbours(tiny_data):
  pytest.importorskip("matplotlib", reason="figures need matplotlib")
  runner, params = make(tiny_data, num_neighbors=[1, 2, 4])   # a list, as from JSON
  assert runner.figures() == {}
  values = evaluating.values(runner, params)
  axes, = runner.figures()["num_neighbors"].axes
  np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1, 2, 4])
  np.testing.assert_allclose(axes.lines[0].get_ydata(), [
      100 * values["accuracy" + suffix] for suffix in ("", "_k2", "_k4")])


def test_leave_one_out_asks_the_other_records(tiny_data):
  same = dict(query_split="train", k=4)
  with_itself = run_of(tiny_data, **same)
  without = run_of(tiny_data, **same, leave_one_out=True, max_queries=15)
  assert with_itself["accuracy"] > without["accuracy"] > 0
  assert (without["num_queries"], without["num_keys"]) == (15, with_itself["num_keys"])
  with pytest.raises(errors.UserError, match="leave_one_out.*query_split"):
    run_of(tiny_data, leave_one_out=True)


def test_majority_says_the_most_frequent_label_of_the_keys(tiny_data):
  got = run_of(tiny_data, features="majority")
  directory = evaluating.directory(tiny_data)
  keys, queries = (records.open_split(directory, split).labels("genus")
                   for split in ("train", "unseen"))
  assert got["accuracy"] == (queries == np.bincount(keys).argmax()).mean()
  assert got["macro_accuracy"] == 1 / len(np.unique(queries))


@pytest.mark.parametrize("key, value, says", [
    ("vote", "loud", "'softmax'"), ("ties", "none", "lowest_label"),
    ("temprature", 0.1, "temperature"),
    ("temperature", 0.0, "above 0"), ("num_neighbors", (1, 1), "once"),
    ("num_neighbors", (1, 0), "at least 1"), ("num_neighbors", 10**6, "at most"),
    ("num_neighbors", "five", "whole number"), ("leave_one_out", 1, "True or False"),
    ("program", "grep", "blastn"), ("frames", 0, "at least 1"), ("strand", "both", "either")])
def test_wrong_keys_are_told_with_what_is_right(tiny_data, key, value, says):
  with pytest.raises(errors.UserError, match=f"{key}.*{says}"):
    run_of(tiny_data, **{key: value})
