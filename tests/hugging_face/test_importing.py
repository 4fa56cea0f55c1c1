"""Published weights as workdirs: what is said, what is asked for, what is refused."""

import argparse
import json

import bert_shapes
import hugging_face_folders as folders
import numpy as np
import pytest

import dnajax
from dnajax.hugging_face import exporting, sources
from dnajax.models import safetensors_files
from dnajax.shell import errors
from dnajax.tokens import vocabulary as vocabulary_lib
from dnajax.workdir import load

pytest.importorskip("safetensors")


@pytest.mark.parametrize("kind", ["lm", "classes", "plain"])
def test_random_weights_come_back_bit_for_bit_through_a_workdir(kind, tmp_path):
  shape = {"lm": folders.LM, "classes": folders.CLASSES, "plain": folders.PLAIN}[kind]
  is_lm = kind == "lm"
  given = folders.write(tmp_path / "hf", shape, vocabulary=folders.DNABERT if is_lm else None)
  said = folders.convert(given, tmp_path / "w",
                         **(folders.OF_DNABERT if is_lm else folders.OF_BARCODES))
  exporting.convert(tmp_path / "w", tmp_path / "back", say=lambda text: None)
  old, new = (safetensors_files.read(folder / "model.safetensors")
              for folder in (given, tmp_path / "back"))
  for name, x in old.items():
    if "pooler" in name:
      assert name in said and name not in new
    elif "token_type" in name:
      np.testing.assert_array_equal(new[name], x[:1])
    elif name in ("cls.predictions.bias", "cls.predictions.decoder.bias"):
      np.testing.assert_array_equal(new[name][5:], x[5:])
    else:
      np.testing.assert_array_equal(new[name], x)
  # What was written says all that had to be said before, so the way back needs no flags.
  folders.convert(tmp_path / "back", tmp_path / "again")
  first, again = (load.load(tmp_path / name) for name in ("w", "again"))
  assert first.model.to_dict() == again.model.to_dict()
  vectors = [dnajax.load(tmp_path / name).embed(["ACGTACGTAGCC", "ACNACGT"])
             for name in ("w", "again")]
  assert np.isfinite(vectors[0]).all()
  np.testing.assert_array_equal(*vectors)


@pytest.mark.parametrize("claimed, config, match", [
    ({"stride": None}, {}, "no file says --stride"),
    ({"add_cls": None}, {}, "no file says --add_cls"),
    ({"k": 4}, {}, "with --k=4"),
    ({"vocabulary": "logo"}, {}, "with --vocabulary=logo"),
    ({"max_length": 500}, {}, "positions hold"),
    ({"num_heads": 4}, {}, "--num_heads=4, but"),
    ({}, {"layer_norm_eps": 1e-5}, "layer_norm_eps=1e-05"),
    ({"layer_norm_eps": 1e-6}, {}, "--layer_norm_eps=1e-06, but"),
    ({}, {"hidden_act": "gelu_new"}, "hidden_act='gelu_new'"),
    ({}, {"position_embedding_type": "relative_key"}, "position_embedding_type"),
    ({}, {"is_decoder": True}, "is_decoder=True"),
    ({}, {"model_type": "roberta"}, "model_type='roberta'"),
    ({}, {"num_hidden_layers": 3}, "num_hidden_layers=3, the tensors have 2"),
    ({}, {"num_attention_heads": 5}, "5 heads do not divide")])
def test_what_is_not_said_or_contradicts_is_refused_and_nothing_is_left(
    claimed, config, match, tmp_path):
  given = folders.write(tmp_path / "hf", folders.LM, vocabulary=folders.DNABERT, **config)
  with pytest.raises(errors.UserError, match=match) as error:
    folders.convert(given, tmp_path / "w", **{**folders.OF_DNABERT, **claimed})
  assert "\n" not in str(error.value)
  assert [path.name for path in tmp_path.iterdir()] == ["hf"]


def test_another_order_of_kmers_is_not_taken_for_a_known_one(tmp_path):
  given = folders.write(tmp_path / "hf", folders.LM, vocabulary=folders.DNABERT)
  names = folders.DNABERT.names()
  names[7], names[8] = names[8], names[7]
  (given / "vocab.txt").write_text("\n".join(names))
  with pytest.raises(errors.UserError, match=f"{names[7]!r} as id 7"):
    folders.convert(given, tmp_path / "w", **folders.OF_DNABERT)
  (given / "vocab.txt").write_text("\n".join(names[:-1]))
  with pytest.raises(errors.UserError, match="69 rows, the vocabulary beside it 68"):
    folders.convert(given, tmp_path / "w", **folders.OF_DNABERT)


def test_without_config_or_vocabulary_everything_is_asked_for(tmp_path):
  given = folders.write(tmp_path / "hf", folders.PLAIN)
  (given / "config.json").unlink()
  with pytest.raises(errors.UserError, match="--num_heads, --hidden_act, --layer_norm_eps"):
    folders.convert(given / "model.safetensors", tmp_path / "w", **folders.OF_BARCODES)
  claimed = dict(num_heads=2, hidden_act="gelu", layer_norm_eps=1e-12)
  with pytest.raises(errors.UserError, match="give --vocabulary"):
    folders.convert(given, tmp_path / "w", stride=3, **claimed)
  folders.convert(given / "model.safetensors", tmp_path / "w", **folders.OF_BARCODES, **claimed)
  assert load.load(tmp_path / "w").model.encoder.num_heads == 2


def test_missing_and_unexpected_tensors_are_named(tmp_path):
  tensors = bert_shapes.tensors(folders.PLAIN)
  tensors["lstm.weight"] = np.zeros((2, 3), np.float32)
  given = folders.write(tmp_path / "a", folders.PLAIN, tensors=tensors)
  assert "left out    lstm.weight [2, 3]" in folders.convert(
      given, tmp_path / "w", **folders.OF_BARCODES)
  del tensors["encoder.layer.0.output.dense.bias"]
  given = folders.write(tmp_path / "b", folders.PLAIN, tensors=tensors)
  with pytest.raises(errors.UserError, match="missing: encoder.layer.0.output.dense.bias"):
    folders.convert(given, tmp_path / "v", **folders.OF_BARCODES)


def test_somebodys_own_classes_are_no_head_for_kmers(tmp_path):
  tensors = {"bert." + name: x for name, x in bert_shapes.tensors(folders.PLAIN).items()}
  tensors |= {"classifier.weight": np.zeros((3, 32), np.float32),
              "classifier.bias": np.zeros(3, np.float32)}
  given = folders.write(tmp_path / "hf", folders.PLAIN, tensors=tensors,
                        architectures=["BertForSequenceClassification"])
  said = folders.convert(given, tmp_path / "w", **folders.OF_BARCODES)
  assert "left out    classifier.weight [3, 32]" in said
  assert load.load(tmp_path / "w").params.keys() == {"encoder"}


def test_shards_are_read_together(tmp_path):
  given = folders.write(tmp_path / "hf", folders.PLAIN)
  tensors = safetensors_files.read(given / "model.safetensors")
  (given / "model.safetensors").unlink()
  where = {name: f"{i % 2}.safetensors" for i, name in enumerate(tensors)}
  for file in set(where.values()):
    safetensors_files.write(given / file, {n: x for n, x in tensors.items() if where[n] == file})
  (given / sources.INDEX).write_text(json.dumps({"weight_map": where}))
  assert sources.read(given).tensors.keys() == tensors.keys()


def test_nothing_that_exists_is_overwritten(tmp_path):
  given = folders.write(tmp_path / "hf", folders.PLAIN)
  (tmp_path / "w").mkdir()
  (tmp_path / "w" / "mine.txt").write_text("kept")
  with pytest.raises(errors.UserError, match="exists already"):
    folders.convert(given, tmp_path / "w", **folders.OF_BARCODES)
  assert [path.name for path in (tmp_path / "w").iterdir()] == ["mine.txt"]


def test_no_weights_and_no_folder_are_told(tmp_path):
  with pytest.raises(errors.UserError, match="no such folder"):
    sources.read(tmp_path / "absent")
  with pytest.raises(errors.UserError, match="files of weights: none"):
    sources.read(tmp_path)
  (tmp_path / "config.json").write_text("{")
  (tmp_path / "model.safetensors").write_bytes(b"?")
  with pytest.raises(errors.UserError, match="config.json is not readable JSON"):
    sources.read(tmp_path)


def test_arguments_of_a_checkpoint_say_what_the_tokens_are():
  said = sources._of_arguments(vars(argparse.Namespace(
      k_mer=4, stride=4, max_len=660, tokenizer="kmer", use_cls_token=True,
      tokenize_n_nucleotide=True, jumbo=False)), "x.pt")
  assert said == dict(k=4, stride=4, max_length=660, add_cls=True, n_policy="in_vocabulary")
  for wrong in (dict(tokenizer="bpe"), dict(jumbo=True), dict(n_registers=4)):
    with pytest.raises(errors.UserError, match=next(iter(wrong))):
      sources._of_arguments(wrong, "x.pt")


def test_torch_files_are_read_without_running_them(tmp_path):
  torch = pytest.importorskip("torch")
  tensors = {f"module.{name}": torch.tensor(x)
             for name, x in bert_shapes.tensors(folders.PLAIN).items()}
  arguments = argparse.Namespace(k_mer=3, stride=3, max_len=30, tokenizer="kmer")
  torch.save({"model": tensors, "bert_config": folders.PLAIN.config, "config": arguments},
             tmp_path / "mae.pt")
  folders.convert(tmp_path / "mae.pt", tmp_path / "w", vocabulary="barcodebert")
  assert load.load(tmp_path / "w").model.max_length == 30
  torch.save({"model": tensors, "more": _Runs()}, tmp_path / "bad.pt")
  with pytest.raises(errors.UserError, match="weights_only=True"):
    sources.read(tmp_path / "bad.pt")


class _Runs:
  def __reduce__(self):
    return pytest.fail, ("a file was run",)


def test_a_barcodebert_vocabulary_with_n_is_known_by_its_size():
  from dnajax.hugging_face import claims
  one = vocabulary_lib.Vocabulary(3, "in_vocabulary", True)
  assert one in list(claims._of_size(one.size))
