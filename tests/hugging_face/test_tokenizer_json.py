"""tokenizer.json in the real library: the ids that our encoder reads."""

import json

import numpy as np
import oracles
import pytest

from data_pipelines import cleaning as cleaning_lib
from dnajax.hugging_face import tokenizer_json
from dnajax.tokens import bases as base_codes
from dnajax.tokens import tokenizer as tokenizer_lib

tokenizers = pytest.importorskip("tokenizers")

LENGTH = 60
SETTINGS = [
    dict(k=6, stride=6), dict(k=4, stride=4, add_cls=True),
    dict(k=3, stride=1, vocabulary="dnabert", add_cls=True, add_sep=True),
    dict(k=6, stride=1, vocabulary="dnabert", add_cls=True, add_sep=True),
    dict(k=3, stride=2, vocabulary="logo"), dict(k=3, stride=5, n_policy="in_vocabulary"),
    dict(k=5, stride=3, n_policy="in_vocabulary"), dict(k=1, stride=1)]
ODD = ["", "A", "ac", "nnACGTnn", "ACG-TUu\nRYx ACGTAC", "é" * 9 + "acgtacgtacgt", "N" * 30,
       "--ACGTAC--", "acguacguacgu", "ACGTACGTA"]


def texts():
  rng = np.random.default_rng(0)
  rows = ["".join(rng.choice(list("ACGTacgtUNnR-"), p=[.14] * 4 + [.09] * 4 + [.016] * 5,
                             size=rng.integers(0, LENGTH))) for _ in range(60)]
  return ODD + rows + [oracles.text(row).rstrip(".").replace(".", "N") for row in
                       oracles.random_codes(rng, 20, LENGTH)]


def made(tokenizer, cleaning=cleaning_lib.Cleaning()):  # noqa: B008
  return tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json.make(tokenizer, cleaning)))


@pytest.mark.parametrize("trim", [True, False])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_plain_dna_gets_the_ids_that_the_encoder_reads(settings, trim):
  ours = tokenizer_lib.make(tokenizer_lib.TokenSettings(**settings), LENGTH + 30)
  cleaning = cleaning_lib.Cleaning(trim=trim)
  theirs = made(ours, cleaning)
  tokens = ours(base_codes.encode_batch([cleaning.clean(text) for text in texts()],
                                        LENGTH + 30))
  for text, ids, is_real in zip(texts(), np.asarray(tokens.ids), np.asarray(tokens.pad_mask),
                                strict=True):
    assert theirs.encode(text).ids == ids[is_real].tolist(), text


def test_every_id_has_its_text_and_mask_may_stand_in_a_sequence():
  ours = tokenizer_lib.make(tokenizer_lib.TokenSettings(**SETTINGS[2]), LENGTH)
  theirs, vocabulary = made(ours), ours.vocabulary
  assert theirs.get_vocab_size() == vocabulary.size
  assert [theirs.id_to_token(i) for i in range(vocabulary.size)] == vocabulary.names()
  assert theirs.encode("ACGT[MASK]TTT").tokens == [
      "[CLS]", "ACG", "CGT", "[MASK]", "TTT", "[SEP]"]


def test_stride_k_is_decoded_to_plain_dna():
  theirs = made(tokenizer_lib.make(tokenizer_lib.TokenSettings(k=3, stride=3), LENGTH))
  assert theirs.decode(theirs.encode("acgtttgggc").ids) == "ACGTTTGGG"


def test_the_config_names_the_special_tokens_and_the_longest_row():
  ours = tokenizer_lib.make(tokenizer_lib.TokenSettings(k=6, stride=6), 660)
  config = tokenizer_json.make_config(ours)
  assert (config["unk_token"], config["pad_token"], config["mask_token"]) == (
      "[UNK]", "[UNK]", "[MASK]")
  assert config["model_max_length"] == 110 and "cls_token" not in config
