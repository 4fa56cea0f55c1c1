import json

import numpy as np
import pytest

from dnajax.shell import errors
from dnajax.workdir import checkpointing, load
from tests.workdir import states


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
  """Steps 2, 4, 6; the loss is lowest at 4."""
  path = tmp_path_factory.mktemp("run")
  states.save(path, (2, 4, 6), best="dev/loss", values={2: 0.5, 4: 0.3, 6: 0.4})
  return path


@pytest.mark.parametrize("step, wanted, is_best", [
    ("best", 4, True), ("latest", 6, False), (2, 2, False), ("2", 2, False)])
def test_the_step_that_is_asked_for_is_loaded(workdir, step, wanted, is_best):
  trained = load.load(workdir, step=step)
  assert (trained.step, trained.is_best) == (wanted, is_best)
  kernel = trained.params["encoder"]["kernel"]
  assert type(kernel) is np.ndarray
  np.testing.assert_array_equal(kernel, np.full((3, 4), wanted, np.float32))
  assert trained.cleaning == {"trim": True}


def test_best_is_the_latest_where_nothing_says_what_is_best(tmp_path):
  states.save(tmp_path / "no_name", (2, 4), values={2: 0.1, 4: 0.2})
  states.save(tmp_path / "no_value", (2, 4), best="dev/loss")
  for name in ("no_name", "no_value"):
    trained = load.load(tmp_path / name)
    assert (trained.step, trained.is_best) == (4, False)


def test_the_model_is_built_from_the_meta_alone(workdir):
  assert not (workdir / "config.json").exists()
  trained = load.load(workdir)
  assert trained.model.encoder.width == 8
  assert trained.tokenizer.num_tokens == 10
  assert hasattr(trained.module, "apply")
  assert load.read_model(workdir) == trained.model


def test_what_is_wrong_is_one_line(workdir, tmp_path):
  for path, step, text in [
      (tmp_path / "nowhere", "best", "There is no workdir .*nowhere"),
      (tmp_path, "best", "has no checkpoint"),
      (workdir, 99, "no checkpoint of step 99. It has: 2, 4, 6"),
      (workdir, "newest", "'newest' must be best, latest or a number")]:
    with pytest.raises(errors.UserError, match=text) as error:
      load.load(path, step=step)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("number", [1, 3, None])
def test_another_format_is_refused_in_one_line(tmp_path, number):
  meta = states.meta()
  meta["format"] = number
  if number is None:
    del meta["format"]
  states.save(tmp_path, (2,), meta_item=meta)
  with pytest.raises(errors.UserError, match="has format .* reads format 2") as error:
    load.load(tmp_path)
  assert "\n" not in str(error.value)
  # Format 1 had no sums.
  (tmp_path / "checkpoints/2/SHA256SUMS").unlink()
  with pytest.raises(errors.UserError, match="has format"):
    load.load(tmp_path)


def test_a_damaged_meta_is_named_also_if_it_would_say_another_format(tmp_path):
  states.save(tmp_path, (2,))
  path = tmp_path / "checkpoints/2/meta/metadata"
  path.write_text(json.dumps({**json.loads(path.read_text()), "format": 3}))
  with pytest.raises(errors.UserError, match="damaged: meta/metadata"):
    load.load(tmp_path)


def test_parameters_that_fit_are_not_complained_about(workdir):
  params = load.load(workdir).params
  assert checkpointing.explain_mismatch(params, params) is None
  other = {"encoder": {**params["encoder"], "extra": np.zeros(2)}}
  assert checkpointing.explain_mismatch(other, params) == (
      "only in the model encoder/extra")
