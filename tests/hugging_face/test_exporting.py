"""Runs as folders for stock transformers: what is written, what is refused."""

import dataclasses
import json
import re

import numpy as np
import pytest
import tiny

import dnajax
from dnajax.config import build
from dnajax.hugging_face import exporting, model_card
from dnajax.models import safetensors_files
from dnajax.results import store
from dnajax.shell import errors
from dnajax.training import run
from dnajax.workdir import load

pytest.importorskip("safetensors")


@pytest.fixture(scope="module")
def workdir(tiny_data, tmp_path_factory):
  path = tmp_path_factory.mktemp("runs") / "bert"
  run.run(tiny.values("barcodebert", tiny_data, has_evals=False, total_steps=2,
                      encoder__norm="post"), path)
  return path


@pytest.fixture(scope="module")
def folder(workdir, tmp_path_factory):
  path = tmp_path_factory.mktemp("hf") / "mine"
  exporting.convert(workdir, path, licence="cc-by-4.0", say=lambda text: None)
  return path


def test_a_trained_run_becomes_a_folder_with_its_parameters(workdir, folder):
  assert sorted(path.name for path in folder.iterdir()) == [
      "README.md", "config.json", "model.safetensors", "tokenizer.json",
      "tokenizer_config.json"]
  assert [path.name for path in folder.parent.iterdir()] == ["mine"]
  config = json.loads((folder / "config.json").read_text())
  trained = load.load(workdir)
  assert config["architectures"] == ["BertForTokenClassification"]
  assert config["id2label"]["0"] == "AAA" and len(config["label2id"]) == 64
  assert config["pad_token_id"] == trained.tokenizer.vocabulary.pad_id
  tensors = safetensors_files.read(folder / "model.safetensors")
  np.testing.assert_array_equal(tensors["bert.embeddings.word_embeddings.weight"],
                                trained.params["encoder"]["word"])
  np.testing.assert_array_equal(tensors["classifier.weight"],
                                trained.params["head"]["out"]["kernel"].T)


def test_transformers_gives_the_embeddings_that_dnajax_gives(workdir, folder):
  torch, transformers = map(pytest.importorskip, ("torch", "transformers"))
  card = (folder / "README.md").read_text()
  code = re.search(r"```python\n(.*?)```", card, re.S)[1].replace('"mine"', repr(str(folder)))
  found = {}
  exec(code, found)
  ours = dnajax.load(workdir).embed(found["sequences"])
  assert np.abs(ours - found["embeddings"].numpy()).max() <= 1e-5
  del torch, transformers


def test_the_card_says_data_figures_licence_and_no_path(workdir, folder, tmp_path):
  card = (folder / "README.md").read_text()
  assert card.startswith("---\nlicense: cc-by-4.0\n")
  trained = load.load(workdir)
  for text in ("simulated_barcodes, split pretrain", "None were measured", "3-mers every 3",
               trained.meta["data"]["fingerprint"][:16]):
    assert text in card
  assert trained.meta["config"]["data"]["dir"] not in card
  without = model_card.text(trained, tmp_path, architecture="BertModel", licence="", name="x")
  assert "license:" not in without and "No licence was stated" in without
  entry = dict(run="r", evaluator="e", task="genus 1-NN", features="trained encoder",
               metric="accuracy", value=0.125, unit="share", is_shown=True, n=8.0, step=2)
  for step, is_there in ((2, True), (1, False)):
    (tmp_path / "report").mkdir(exist_ok=True)
    store.save(tmp_path / "report", [{
        "run": {"name": "r", "step": step, "setting": ""}, "results": [entry]}])
    card = model_card.text(trained, tmp_path, architecture="BertModel", licence="", name="x")
    assert ("| trained encoder (step 2) | 8 | 12.5 % |" in card) == is_there


@pytest.mark.parametrize("changes, match", [
    (dict(encoder=dict(name="transformer", norm="pre")), "norm='pre'.*Train with encoder.norm"),
    (dict(encoder=dict(name="conv")), "name='conv' is no transformer"),
    (dict(encoder=dict(name="kmer_bag")), "name='kmer_bag'"),
    (dict(tokens=dict(frames="all")), "frames='all'"),
    (dict(tokens=dict(align_to="ACGT")), "align_to"),
    (dict(objective=dict(name="causal_lm")), "causal_lm")])
def test_what_no_stock_bert_is_gets_a_reason_and_a_remedy(workdir, changes, match, monkeypatch,
                                                          tmp_path):
  trained = load.load(workdir)
  made = {key: (build.part(key, value, key) if key != "tokens" else
                dataclasses.replace(trained.model.tokens, **value))
          for key, value in changes.items()}
  other = dataclasses.replace(trained, model=dataclasses.replace(trained.model, **made))
  monkeypatch.setattr(load, "load", lambda path, step: other)
  with pytest.raises(errors.UserError, match=match) as error:
    exporting.convert(workdir, tmp_path / "hf")
  assert "\n" not in str(error.value) and not list(tmp_path.iterdir())


def test_of_an_autoencoder_the_encoder_is_exported_and_the_rest_named(
    workdir, tmp_path, monkeypatch):
  trained = load.load(workdir)
  model = dataclasses.replace(trained.model, objective=build.part(
      "objective", dict(name="mae"), "objective"))
  params = {"encoder": trained.params["encoder"], "decoder": {}, "project": {}}
  mae = dataclasses.replace(trained, model=model, params=params)
  monkeypatch.setattr(load, "load", lambda path, step: mae)
  said = []
  exporting.convert(workdir, tmp_path / "hf", say=said.append)
  assert "left out    decoder: the encoder alone is a stock BertModel" in said[0]
  assert json.loads((tmp_path / "hf" / "config.json").read_text())["architectures"] == [
      "BertModel"]
  assert not any(name.startswith("bert.") for name in safetensors_files.read(
      tmp_path / "hf" / "model.safetensors"))


def test_nothing_is_overwritten_or_left_half_written(workdir, folder, tmp_path, monkeypatch):
  with pytest.raises(errors.UserError, match="exists already"):
    exporting.convert(workdir, folder)

  def fail(*args, **kwargs):
    raise errors.UserError("no room")

  monkeypatch.setattr(model_card, "text", fail)
  with pytest.raises(errors.UserError, match="no room"):
    exporting.convert(workdir, tmp_path / "hf")
  assert not list(tmp_path.iterdir())
