"""The masked autoencoder against BarcodeMAE's published forward pass, written out.

Restated from papers.md 1.4: tokens that are not removed are packed to the left with their
own positions; what they become goes through a linear map and back to its place; removed
places get row 0 of the decoder's word table; the decoder adds positions of its own and
attends to all real places.
"""

import builders
import numpy as np
import numpy_bert
import pytest

from dnajax.models import hugging_face

HEADS = 2


def published(params, ids, pad_mask, is_removed):
  """Logits [L, C] of one row, by the names that the weights have in transformers."""
  encoder = hugging_face.to_hugging_face(params["encoder"])
  of_decoder = params["decoder"]
  decoder = hugging_face.to_hugging_face({
      "word": np.asarray(of_decoder["mask_embedding"])[None],
      "inputs": of_decoder["inputs"], "blocks": of_decoder["blocks"]})
  project = {"x.weight": np.asarray(params["project"]["kernel"]).T,
             "x.bias": params["project"]["bias"]}
  head = {"x.weight": np.asarray(params["head"]["out"]["kernel"]).T,
          "x.bias": params["head"]["out"]["bias"]}
  seen = np.flatnonzero(~is_removed)            # pads are packed too, and not attended
  x = numpy_bert.embed(encoder, numpy_bert.words(encoder, ids[seen]), seen)
  x = numpy_bert.layers(encoder, x, pad_mask[seen], num_heads=HEADS)[-1]
  back = np.repeat(numpy_bert.words(decoder, [0]), len(ids), axis=0)
  back[seen] = numpy_bert.linear(project, "x", x)
  x = numpy_bert.embed(decoder, back, np.arange(len(ids)))
  x = numpy_bert.layers(decoder, x, pad_mask, num_heads=HEADS)[-1]
  return numpy_bert.linear(head, "x", x)


@pytest.fixture(scope="module")
def made():
  ids, pad_mask, is_selected = builders.sentences()
  model = builders.mae_model(decoder_width=16, decoder_num_heads=HEADS)
  batch = builders.masked("drop", ids, pad_mask, is_selected, num_kept=8)
  return ids, pad_mask, is_selected, model, builders.random_params(model, batch)


def check(made, batch, ids, is_removed):
  _, pad_mask, is_selected, model, params = made
  logits = builders.logits(model, params, batch)
  for b in range(len(ids)):
    wanted = published(params, ids[b], pad_mask[b], is_removed[b])
    places = np.flatnonzero(is_selected[b])
    assert np.asarray(batch.scored_ids)[b, :len(places)].tolist() == places.tolist()
    np.testing.assert_allclose(logits[b, :len(places)], wanted[places], rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["drop", "hide"])
def test_removed_tokens(made, kind):
  ids, pad_mask, is_selected, *_ = made
  batch = builders.masked(kind, ids, pad_mask, is_selected,
                          num_kept=8 if kind == "drop" else None)
  check(made, batch, ids, is_selected)


def test_selected_tokens_that_are_kept_stay_in_the_encoder_and_are_scored(made):
  ids, pad_mask, is_selected, *_ = made
  is_removed = is_selected & (np.arange(ids.shape[1]) % 2 == 0)
  assert (is_selected & ~is_removed).any() and is_removed.any()
  scored = builders.masked("replace", ids, pad_mask, is_selected)
  batch = builders.masked("drop", ids, pad_mask, is_removed, num_kept=12).replace(
      scored_ids=scored.scored_ids, targets=scored.targets, is_selected=scored.is_selected)
  check(made, batch, ids, is_removed)


def test_tokens_under_a_mask_token_are_seen_by_encoder_and_decoder(made):
  # The published baseline: [MASK], id 0, in place.
  ids, pad_mask, is_selected, *_ = made
  batch = builders.masked("replace", ids, pad_mask, is_selected)
  check(made, batch, np.where(is_selected, 0, ids), np.zeros_like(is_selected))


def test_the_restated_bert_is_that_of_transformers(fixture):
  ids, pad_mask = (np.asarray(fixture["inputs"][name]) for name in ("ids", "pad_mask"))
  for b in range(len(ids)):
    x = numpy_bert.embed(fixture["model"], numpy_bert.words(fixture["model"], ids[b]),
                         np.arange(ids.shape[1]))
    for i, hidden in enumerate(numpy_bert.layers(
        fixture["model"], x, pad_mask[b].astype(bool), num_heads=2), 1):
      np.testing.assert_allclose(hidden, fixture["hidden"][str(i)][b], rtol=0, atol=1e-5)
