"""What evaluators say of themselves: the same task in the same words for all features."""

import dataclasses

import evaluating
import pytest

from configs import shared
from dnajax.config import build, registry
from dnajax.evaluators import base
from dnajax.masking import settings

EVALS = {name: build.part("evaluator", entry, f"evals.{name}")
         for name, entry in shared.BARCODE_EVALS.items()}


def test_encoder_and_baselines_of_one_question_share_its_name():
  for stem, others in (("knn_genus", ("kmers", "kmers5", "kmers7", "majority", "best_hit")),
                       ("knn_genus_centred", ("kmers", "kmers5", "kmers7")),
                       ("crop_curve", ("kmers",)),
                       ("probe_species", ("kmers",)), ("clusters_species", ("kmers",))):
    for other in others:
      assert EVALS[f"{stem}_{other}"].task == EVALS[stem].task
  labels = {name: part.baseline for name, part in EVALS.items()}
  assert labels["knn_genus"] is None and labels["masked_loss"] is None
  assert labels["knn_genus_kmers"] == "6-mer counts"
  assert labels["knn_genus_centred_kmers7"] == "7-mer counts, square roots"
  assert EVALS["knn_genus_centred"].task == "genus 1-NN, centred, unseen → train"
  assert labels["knn_genus_majority"] == "most frequent label"
  assert labels["knn_genus_best_hit"] == "VSEARCH best hit"


def test_questions_that_differ_have_other_names():
  knn = dict(key_split="train", query_split="unseen", label="genus")
  loss = evaluating.part("mean_loss", split="valid")
  own = build.build(settings.Masking, dict(selection=dict(name="kmer_span", ratio=0.15)))
  found = [part.task for part in (
      evaluating.part("knn", **knn), evaluating.part("knn", **knn, num_neighbors=(5, 10)),
      evaluating.part("knn", **knn, vote="softmax"),
      evaluating.part("knn", **dict(knn, key_split="unseen"), leave_one_out=True),
      evaluating.part("knn", **dict(knn, label="family")),
      evaluating.part("linear_probe", label="species"),
      evaluating.part("linear_probe", label="species", recipe="sgd"),
      evaluating.part("zero_shot_clustering", label="bin"),
      evaluating.part("zero_shot_clustering", label="bin", reduction="none", splits="test"),
      loss, dataclasses.replace(loss, masking=own))]
  assert len(set(found)) == len(found)
  assert found[1] == "genus 5-NN, unseen → train"
  assert found[-1].endswith("kmer_span for every run")


@pytest.mark.parametrize(("name", "is_asked"), [
    ("knn_genus", True), ("knn_genus_kmers", False), ("masked_loss", False),
    ("harmonic_mean", True), ("token_map", False), ("robustness", True)])
def test_the_untrained_encoder_is_asked_where_features_are_its_own(name, is_asked):
  assert EVALS[name].asks_untrained(EVALS) is is_asked


def test_every_part_has_what_the_base_promises():
  known = registry.of("evaluator")
  for name in known.names:
    cls = known(name)
    assert issubclass(cls, base.Evaluator) and cls.build is not base.Evaluator.build
    assert [field.name for field in dataclasses.fields(cls)][0] == "every_steps"
