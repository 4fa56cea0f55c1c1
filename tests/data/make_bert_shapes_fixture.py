"""Makes bert_shapes_fixture.safetensors: what transformers' BERTs of six shapes compute.

Weights and inputs follow from seeds (tests/bert_shapes.py), so only results are
stored: of every hidden state some columns, of the logits too. Needs torch 2.13.0 and
transformers 5.24.0; the test suite needs neither. From the root of the repository:

  PYTHONPATH=.:tests python tests/data/make_bert_shapes_fixture.py
"""

import pathlib

import bert_shapes
import numpy as np
import safetensors.numpy
import torch
import transformers

COLUMNS = 8  # of hidden states and logits


def results(shape):
  """(hidden states [N+1, B, L, D], logits [B, L, C] or None) of one shape."""
  config = transformers.BertConfig(**{key: value for key, value in shape.config.items()
                                      if key != "model_type"}, attn_implementation="eager")
  if shape.head == "classes":
    config.num_labels = shape.vocab_size - 5
  hidden, logits, missing = bert_shapes.in_torch(shape, config, bert_shapes.tensors(shape))
  assert not [name for name in missing if "position_ids" not in name]
  return hidden, logits


def main():
  """Writes the file beside this one."""
  stored = {}
  for name, shape in bert_shapes.SHAPES.items():
    hidden, logits = results(shape)
    stored[f"{name}/hidden"] = np.ascontiguousarray(hidden[..., :COLUMNS])
    if logits is not None:
      stored[f"{name}/logits"] = np.ascontiguousarray(logits[..., -COLUMNS:])
  target = pathlib.Path(__file__).with_name("bert_shapes_fixture.safetensors")
  target.write_bytes(safetensors.numpy.save(stored))
  print(f"{target.name}: {target.stat().st_size} bytes, torch {torch.__version__}, "
        f"transformers {transformers.__version__}")


if __name__ == "__main__":
  main()
