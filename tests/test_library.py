"""`import dnajax`: fast, and its encoder as a transformer of scikit-learn."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn import base, linear_model, model_selection, pipeline
from sklearn.utils import estimator_checks

import dnajax
from dnajax.shell import errors

# Checks of scikit-learn that do not apply: DnaEncoder reads texts.
NOT_APPLICABLE = {
    "gives it numbers": """fit_score_takes_y estimators_overwrite_params
        dont_overwrite_parameters estimators_fit_returns_self readonly_memmap_input
        positive_only_tag_during_fit estimators_dtypes complex_data dtype_object
        pipeline_consistency estimators_pickle f_contiguous_array_estimator
        transformer_data_not_an_array transformer_general transformer_preserve_dtypes
        methods_sample_order_invariance methods_subset_invariance fit2d_1sample fit2d_1feature
        dict_unchanged fit_idempotent fit_check_is_fitted fit1d fit2d_predict1d""",
    "wants a table of features counted, a text has none": "n_features_in "
        "n_features_in_after_fitting",
    "wants a ValueError for numbers that are missing, infinite, sparse or none": """
        estimators_empty_data_messages estimators_nan_inf estimator_sparse_tag
        estimator_sparse_array estimator_sparse_matrix"""}


class ReadsTables(dnajax.DnaEncoder):
  """Says so: of what reads one column, scikit-learn checks next to nothing."""

  def __sklearn_tags__(self):
    tags = super().__sklearn_tags__()
    tags.input_tags.two_d_array = True
    return tags


@pytest.fixture(scope="module")
def labelled():
  """(texts, 0 or 1): of either class, one is rich in A, the other in C."""
  rng = np.random.default_rng(0)
  labels = np.arange(24) % 2
  return ["".join(rng.choice(list("ACGT"), 60, p=[.7, .1, .1, .1] if label else
                             [.1, .7, .1, .1])) for label in labels], labels


def test_importing_imports_nothing_slow():
  code = ("import sys, dnajax; print([name for name in ('jax', 'numpy', 'sklearn', 'flax') "
          "if name in sys.modules])")
  assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                        timeout=60).stdout.strip() == "[]"
  with pytest.raises(AttributeError, match="no attribute 'Loader'"):
    _ = dnajax.Loader


def test_the_transformer_embeds_as_load_does(tiny_workdir, labelled):
  texts, _ = labelled
  encoder = dnajax.DnaEncoder(tiny_workdir, batch_size=8).fit(texts)
  want = dnajax.load(tiny_workdir).embed(texts, batch_size=8)
  np.testing.assert_array_equal(encoder.transform(texts), want)
  np.testing.assert_array_equal(encoder.transform(np.array(texts, object)[:, None]), want)
  assert list(encoder.get_feature_names_out()) == [f"dnaencoder{i}" for i in range(16)]
  assert encoder.step_ == 2
  again = pickle.loads(pickle.dumps(encoder))
  np.testing.assert_array_equal(again.transform(texts), want)


def test_it_works_in_a_pipeline_with_a_grid_search(tiny_workdir, labelled):
  texts, labels = labelled
  search = model_selection.GridSearchCV(
      pipeline.make_pipeline(dnajax.DnaEncoder(tiny_workdir), linear_model.LogisticRegression()),
      {"dnaencoder__pooling": ["mean", "max"], "logisticregression__C": [.01, 1]}, cv=2,
      error_score="raise")
  search.fit(texts, labels)
  assert search.best_score_ > 0.9
  assert (search.predict(texts) == labels).mean() > 0.9


def test_what_it_cannot_be_is_said(tiny_workdir):
  for encoder, message in (
      (dnajax.DnaEncoder(), "needs workdir=DIR"),
      (dnajax.DnaEncoder(tiny_workdir, pooling="tokens"), "one row a sequence"),
      (dnajax.DnaEncoder(tiny_workdir, layer=9), "layer=9"),
      (dnajax.DnaEncoder(tiny_workdir / "nothing"), "There is no workdir")):
    with pytest.raises(errors.UserError, match=message):
      base.clone(encoder).fit(["ACGT"])
  with pytest.raises(errors.UserError, match="one column of sequences, not 2"):
    dnajax.DnaEncoder(tiny_workdir).fit(np.array([["A", "C"]]))


def test_the_checks_of_scikit_learn_that_apply_pass(tiny_workdir):
  left_out = {f"check_{name}": reason for reason, names in NOT_APPLICABLE.items()
              for name in names.split()}
  found = estimator_checks.check_estimator(
      ReadsTables(str(tiny_workdir)), expected_failed_checks=left_out, on_fail=None)
  failed = {one["check_name"]: one["exception"] for one in found if one["status"] == "failed"}
  assert not failed, failed
  assert sum(one["status"] == "passed" for one in found) >= 12
  estimator_checks.check_estimator(dnajax.DnaEncoder(str(tiny_workdir)))
