"""The encoder up to one of its blocks: what a layer says instead of the last one."""

import dataclasses

import jax

from dnajax.shell import errors


def up_to(trained, layer):
  """A trained model without the blocks behind a layer; the last norm, if any, stays.

  Args:
    trained: workdir.load.Trained.
    layer: 1 … depth counts from the first block, -1 … -depth from the last.

  Returns:
    workdir.load.Trained; the same for the last layer.

  Raises:
    UserError: the encoder has no repeated blocks, or not as many.
  """
  encoder = trained.model.encoder
  stacked = trained.params.get("encoder", {}).get("blocks", {}).get("layers")
  if stacked is None:
    if layer == -1:
      return trained
    raise errors.UserError(
        f"layer={layer}: the encoder {getattr(encoder, 'name', 'of this model')} has no layers "
        "to choose from, as a transformer has. Use layer=-1.")
  depth = encoder.depth
  if not (1 <= layer <= depth or -depth <= layer <= -1):
    raise errors.UserError(f"layer={layer}: this encoder has {depth} layers, 1 … {depth} from "
                           f"the first or -1 … -{depth} from the last.")
  num_blocks = layer if layer > 0 else depth + 1 + layer
  if num_blocks == depth:
    return trained
  model = dataclasses.replace(
      trained.model, encoder=dataclasses.replace(encoder, depth=num_blocks))
  blocks = {**trained.params["encoder"]["blocks"],
            "layers": jax.tree.map(lambda x: x[:num_blocks], stacked)}
  params = {**trained.params, "encoder": {**trained.params["encoder"], "blocks": blocks}}
  return dataclasses.replace(trained, model=model, params=params)
