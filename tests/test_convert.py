"""The command: published weights to a workdir that everything else takes, and back."""

import hugging_face_folders as folders
import numpy as np
import pytest
import tiny

import dnajax
from dnajax.hugging_face import exporting
from dnajax.results import measure
from dnajax.shell import errors
from dnajax.training import run
from dnajax.workdir import load

pytest.importorskip("safetensors")


@pytest.fixture(scope="module")
def imported(tmp_path_factory, tiny_data):
  """A workdir of BarcodeBERT-like weights with the tiny config's data and evaluations."""
  root = tmp_path_factory.mktemp("imported")
  given = folders.write(root / "hf", folders.CLASSES)
  folders.convert(given, root / "w", max_length=72, **folders.OF_BARCODES,
                  values=tiny.values("barcodebert", tiny_data))
  return root / "w"


def test_evaluations_of_the_config_run_on_it(imported):
  said = []
  found = measure.evaluate(imported, evals=["knn_genus", "masked_loss"], say=said.append)
  values = {(one["evaluator"], one["features"]): one["value"] for one in found["results"]
            if one["metric"] in ("accuracy", "loss")}
  assert values["knn_genus", "trained encoder"] is not None
  assert values["masked_loss", "trained encoder"] > 0
  assert any("not the data set of the training run" in line for line in said)


def test_further_training_begins_with_its_encoder(imported, tiny_data, tmp_path):
  values = tiny.values("finetune", tiny_data, has_evals=False, num_epochs=0, total_steps=2,
                       init_from__workdir=str(imported), checkpoint__best="",
                       optimizer__learning_rate=1e-30, optimizer__weight_decay=0.0)
  run.run(values, tmp_path / "w")
  before, after = (load.load(path).params["encoder"]["word"]
                   for path in (imported, tmp_path / "w"))
  assert abs(before - after).max() < 1e-6


def test_encoders_without_a_head_are_evaluated_without_what_asks_for_one(tmp_path, tiny_data):
  given = folders.write(tmp_path / "hf", folders.PLAIN)
  said = folders.convert(given, tmp_path / "w", max_length=72, **folders.OF_BARCODES,
                         values=tiny.values("barcodemae", tiny_data))
  assert "evaluations without masked_loss" in said
  found = measure.evaluate(tmp_path / "w", evals=["knn_genus"], say=lambda text: None)
  assert any(one["features"] == "untrained encoder" for one in found["results"])


def test_the_command_says_what_is_missing_in_one_line(imported, tmp_path):
  for args, text in (
      ([], "one of --from_hf and --to_hf"),
      ([f"--workdir={imported}", "--to_hf=x", "--from_hf=y"], "one of --from_hf and --to_hf"),
      ([f"--workdir={tmp_path / 'w'}", f"--from_hf={tmp_path / 'absent'}"], "no such folder")):
    code, out, err = tiny.call("dnajax.convert", *args)
    assert code == 2 and text in err and "Traceback" not in err and len(err.splitlines()) == 1
  code, out, err = tiny.call("dnajax.convert", f"--workdir={imported}",
                             f"--to_hf={tmp_path / 'hf'}", "--license=mit")
  assert code == 0, err
  assert "BertForTokenClassification" in out and (tmp_path / "hf" / "README.md").exists()


def test_a_folder_of_hugging_face_is_loaded_as_the_workdir_it_came_from(imported, tmp_path):
  exporting.convert(imported, tmp_path / "hf", say=lambda line: None)
  rows = ["ACGTTGCA" * 8, "GGCATTAC" * 7]
  np.testing.assert_array_equal(dnajax.load(tmp_path / "hf").embed(rows),
                                dnajax.load(imported).embed(rows))
  (tmp_path / "hf/config.json").write_text("{}")
  with pytest.raises(errors.UserError, match="config.json"):
    dnajax.load(tmp_path / "hf")
