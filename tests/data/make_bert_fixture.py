"""Makes bert_fixture.safetensors: a tiny random BERT and what it computes.

Needs torch 2.13.0 and transformers 5.23.0 (eager attention, eval mode); the
test suite needs neither. Run once, from this folder: python make_bert_fixture.py
"""

import pathlib

import safetensors.numpy
import torch
import transformers

CONFIG = dict(vocab_size=70, hidden_size=32, num_hidden_layers=2, num_attention_heads=2,
              intermediate_size=64, max_position_embeddings=24, type_vocab_size=2,
              layer_norm_eps=1e-12, hidden_act="gelu")


def main():
  torch.manual_seed(20240401)
  config = transformers.BertConfig(**CONFIG, attn_implementation="eager")
  model = transformers.BertModel(config).eval()
  with torch.no_grad():
    # Larger than at initialisation, so that attention is not uniform and every
    # bias and scale matters.
    for parameter in model.parameters():
      parameter.normal_(0, 0.3)
    for name, parameter in model.named_parameters():
      if name.endswith("LayerNorm.weight"):
        parameter.add_(1)
    ids = torch.randint(0, CONFIG["vocab_size"], (4, 20))
    lengths = torch.tensor([20, 13, 1, 7])
    pad_mask = torch.arange(20)[None] < lengths[:, None]
    pad_mask[3, 2] = False            # a hole, not only a tail
    result = model(input_ids=ids, attention_mask=pad_mask.long(), output_hidden_states=True)
  tensors = {f"model/{name}": x.numpy() for name, x in model.state_dict().items()}
  tensors["inputs/ids"] = ids.to(torch.int32).numpy()
  tensors["inputs/pad_mask"] = pad_mask.numpy()
  for i, hidden in enumerate(result.hidden_states):
    tensors[f"hidden/{i}"] = hidden.numpy()
  target = pathlib.Path(__file__).with_name("bert_fixture.safetensors")
  target.write_bytes(safetensors.numpy.save(tensors))
  print(f"{target.name}: {target.stat().st_size} bytes, torch {torch.__version__}, "
        f"transformers {transformers.__version__}")


if __name__ == "__main__":
  main()
