"""Lost tokens: against loops, and against the 1-NN evaluator where nothing is lost."""

import evaluating
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from dnajax.devices import partitioning
from dnajax.evaluators import labelled, robustness
from dnajax.shell import errors
from dnajax.tokens import bases as base_codes
from dnajax.tokens import kmers
from dnajax.tokens import vocabulary as vocabulary_lib

NUM_DEVICES = 8
VOCABULARIES = {
    "plain": vocabulary_lib.Vocabulary(2),
    "cls": vocabulary_lib.Vocabulary(2, add_cls=True),
    "cls_sep": vocabulary_lib.Vocabulary(2, add_cls=True, layout="dnabert", add_sep=True)}


def slow_lose(ids, pad_mask, draws, rate, mode, vocabulary):
  """One token at a time: the (id, position) pairs a row still shows the encoder."""
  names = vocabulary.names()
  rows, left = [], []
  for row, is_real, numbers in zip(ids, pad_mask, draws, strict=True):
    shown, num_left = [], 0
    for position in np.flatnonzero(is_real):
      is_special = names[row[position]] in ("[CLS]", "[SEP]")
      is_lost = numbers[position] < rate and not is_special
      num_left += not is_special and not is_lost
      if not is_lost:
        place = len(shown) if mode == "delete" else position
        shown.append((row[position], place))
      elif mode == "mask":
        shown.append((names.index("[MASK]"), position))
    rows.append(shown)
    left.append(num_left)
  return rows, left


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("mode", robustness.MODES)
@pytest.mark.parametrize("name", VOCABULARIES)
def test_lost_tokens_are_the_definition(name, mode, jit):
  vocabulary, rng = VOCABULARIES[name], np.random.default_rng(0)
  bases = oracles.random_codes(rng, 6, 24)
  bases[3] = base_codes.PAD
  tokens = kmers.tokenize(jnp.asarray(bases), vocabulary=vocabulary, stride=2)
  draws = rng.random(tokens.ids.shape).astype(np.float32)
  for rate in (0.0, 0.4, 0.95):
    with jax.disable_jit(not jit):
      ids, pad_mask, left = map(np.asarray, robustness.lose(
          tokens, draws, rate, mode=mode, vocabulary=vocabulary))
    want, want_left = slow_lose(np.asarray(tokens.ids), np.asarray(tokens.pad_mask),
                                draws, rate, mode, vocabulary)
    got = [[(ids[b, i], i) for i in np.flatnonzero(pad_mask[b])] for b in range(len(ids))]
    assert got == want
    assert left.tolist() == want_left


def test_draws_depend_on_the_record_alone_and_spread_evenly():
  ids = np.array([5, 900, 17])
  many = np.asarray(robustness.draws(0, ids, 50))
  np.testing.assert_array_equal(many[1:2], robustness.draws(0, ids[1:2], 50))
  assert not np.array_equal(many[0], many[1])
  assert not np.array_equal(many, robustness.draws(1, ids, 50))
  share = (np.asarray(robustness.draws(0, np.arange(200), 50)) < 0.3).mean()
  assert abs(share - 0.3) < 0.02        # 10,000 draws: 4 standard deviations


def test_mean_height_is_the_area_over_the_width():
  assert robustness.mean_height((0.0, 0.1, 0.4), (1.0, 0.5, 0.5)) == pytest.approx(
      (0.1 * 0.75 + 0.3 * 0.5) / 0.4)
  assert robustness.mean_height((0.2,), (0.7,)) == 0.7


def test_nothing_lost_is_the_1nn_evaluator(tiny_data):
  got = evaluating.run_of(tiny_data, "robustness", rates=[0.0], batch_size=16)
  knn = evaluating.run_of(tiny_data, "knn", key_split="train", query_split="unseen",
                          label="genus", batch_size=16)
  for mode in robustness.MODES:
    assert got[f"accuracy_{mode}_0"] == pytest.approx(knn["accuracy"], abs=1e-6)
  assert got["num_queries"] == knn["num_queries"] and got["num_keys"] == knn["num_keys"]


def test_features_are_the_encoders_of_what_is_left_one_record_at_a_time(tiny_data):
  context = evaluating.context(tiny_data)
  spec, params = context.model, evaluating.params(context.model)
  side = labelled.read(context, "unseen", "genus", 5)
  tokens = spec.tokenizer(jnp.asarray(side.bases))
  draws = np.asarray(robustness.draws(3, side.ids, tokens.ids.shape[1]))
  encode = robustness.Encode(context, seed=3, batch_size=4)
  alone = jax.jit(lambda ids, is_real: spec.module.apply(
      {"params": params}, ids[None], is_real[None], method="encode")[0])
  for mode in robustness.MODES:
    rows, left = encode(params, side, mode, 0.5)
    shown, want_left = slow_lose(
        np.asarray(tokens.ids), np.asarray(tokens.pad_mask), draws, np.float32(0.5), mode,
        spec.tokenizer.vocabulary)
    assert left.tolist() == want_left
    for row, pairs in zip(rows, shown, strict=True):
      ids, is_real = np.zeros(tokens.ids.shape[1], np.int32), np.zeros(len(draws[0]), bool)
      for token, place in pairs:
        ids[place], is_real[place] = token, True
      want = np.asarray(alone(ids, is_real))[is_real].mean(axis=0)
      np.testing.assert_allclose(row, want, atol=1e-5)


def test_numbers_do_not_depend_on_batches_or_devices(tiny_data):
  entry = dict(rates=[0.4], modes=["mask", "delete"])
  alone = evaluating.run_of(tiny_data, "robustness", **entry, batch_size=7)
  mesh = partitioning.make_mesh({"data": 4, "fsdp": 2, "tensor": 1})
  with partitioning.use(mesh):
    spread = evaluating.run_of(tiny_data, "robustness", **entry, batch_size=16, mesh=mesh)
  assert spread == pytest.approx(alone, abs=0.04)   # one query may change its neighbour


def test_queries_without_tokens_count_as_wrong_and_nan_stays_nan():
  class Side:
    labels = np.array([0, 1])

  def queries(left, scale=1.0):
    rows = scale * np.eye(2)
    return robustness.Runner(
        lambda params: np.eye(2), lambda params, mode, rate: (rows, np.array(left)),
        Side, Side, rates=(0.5,), modes=("drop",))

  assert evaluating.values(queries([3, 2]), None)["accuracy_drop_0.5"] == 1
  assert evaluating.values(queries([3, 0]), None)["accuracy_drop_0.5"] == 0.5
  assert np.isnan(evaluating.values(queries([3, 2], np.nan), None)["accuracy_drop_0.5"])


@pytest.mark.parametrize(("option", "value", "text"), [
    ("rates", [0.5, 0.1], "increasing"), ("rates", [1.0], "below 1"), ("rates", [], "increasing"),
    ("modes", ["melt"], "'mask', 'drop' or 'delete'"), ("modes", [], "each once"),
    ("batch_size", 0, "at least 1"), ("batch_size", "many", "whole number"),
    ("shares", [0.5], "It has: .*key_split"), ("features", "kmer_counts", "There is no")])
def test_wrong_options_are_refused_by_name(option, value, text):
  with pytest.raises(errors.UserError, match=text) as error:
    evaluating.part("robustness", **{option: value})
  assert option in str(error.value)


def test_figure_has_one_curve_per_mode_in_per_cent(tiny_data):
  pytest.importorskip("matplotlib")
  runner, params = evaluating.build_on(tiny_data, "robustness", rates=[0.0, 0.6],
                                       batch_size=16)
  got = evaluating.values(runner, params)
  axes = runner.figures()["robustness"].axes[0]
  curves = [line.get_xydata() for line in axes.lines]
  for mode, curve in zip(robustness.MODES, curves, strict=True):
    np.testing.assert_allclose(curve, [[0, 100 * got[f"accuracy_{mode}_0"]],
                                       [60, 100 * got[f"accuracy_{mode}_0.6"]]])
  assert "(%)" in axes.get_xlabel() and "%" in axes.get_ylabel()
