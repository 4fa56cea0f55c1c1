"""What results are called: the same task in the same words for all features."""

import pytest

from configs import barcodemae, dnabert
from dnajax import config as config_lib
from dnajax.evaluators import names


def entry(**values):
  return config_lib.from_dict(values)


def test_encoder_and_baselines_of_one_question_share_its_name():
  evals = config_lib.from_dict(barcodemae.get_evals())
  for stem, others in (("knn_genus", ("kmers", "majority", "best_hit")),
                       ("probe_species", ("kmers",)), ("clusters_species", ("kmers",))):
    for other in others:
      assert names.task(evals[f"{stem}_{other}"]) == names.task(evals[stem])
  labels = {name: names.features(spec, names.TRAINED) for name, spec in evals.items()}
  assert labels["knn_genus"] == names.TRAINED
  assert labels["knn_genus_kmers"] == "6-mer counts"
  assert labels["knn_genus_majority"] == "most frequent label"
  assert labels["knn_genus_best_hit"] == "VSEARCH best hit"


def test_questions_that_differ_have_other_names():
  knn = dict(type="knn", key_split="train", query_split="unseen", label="genus")
  probe = dict(type="linear_probe", label="species")
  loss = dnabert.get_config().evals
  found = [names.task(spec) for spec in (
      entry(**knn), entry(**knn, num_neighbors=(5, 10)), entry(**knn, vote="softmax"),
      entry(**dict(knn, key_split="unseen"), leave_one_out=True),
      entry(**dict(knn, label="family")), entry(**probe), entry(**probe, recipe="sgd"),
      entry(type="zero_shot_clustering", label="bin"),
      entry(type="zero_shot_clustering", label="bin", reduction="none", splits="test"),
      loss.masked_loss, loss.span_loss)]
  assert len(set(found)) == len(found)
  assert found[1] == "genus 5-NN, unseen → train"
  assert found[-1].endswith("kmer_span for every run")


@pytest.mark.parametrize(("name", "kinds"), [
    ("knn_genus", names.ENCODERS), ("knn_genus_kmers", (names.TRAINED,)),
    ("masked_loss", (names.TRAINED,)), ("harmonic_mean", names.ENCODERS),
    ("token_map", (names.TRAINED,))])
def test_the_untrained_encoder_is_asked_where_features_are_its_own(name, kinds):
  evals = config_lib.from_dict(barcodemae.get_evals())
  assert names.kinds(evals[name], evals) == kinds
