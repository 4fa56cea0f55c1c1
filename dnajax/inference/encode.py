"""Pooled encoder output of many sequences: the one batch loop.

One compiled program turns base codes into embeddings; the evaluators and
`dnajax.embed` share it. Batches all have one size, the last one filled up with
empty rows, so nothing is compiled twice.
"""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from dnajax.data import feed
from dnajax.devices import partitioning
from dnajax.shell import errors
from dnajax.tokens import bases as base_codes

POOLINGS = ("mean", "cls", "max", "tokens")
_CPU_TOKENS, _CHIP_TOKENS = 2048, 65536   # of a batch, see `default_rows`


@functools.cache
def make_embed_fn(module, tokenizer, pooling="mean", mesh=None, frames=1):
  """A compiled function from base codes to embeddings.

  The protocol of the genus 1-NN of BarcodeMAE: frame 0, nothing masked, last
  encoder layer, features as they are (not normalised).

  Args:
    module: a Linen module with a method `pooled`; its dropout is not used.
    tokenizer: tokens.tokenizer.Tokenizer.
    pooling: "mean" over the attended positions ([CLS] and [SEP] included if
      the vocabulary adds them); "cls", the output at [CLS]; "max", of every number the
      largest over those positions; "tokens", the output at every k-mer.
    mesh: where the rows are spread over devices; None for one device.
    frames: an embedding is the mean over the row read from its bases 0, 1, …,
      frames-1 on; a frame in which a short row has no k-mer does not count.

  Returns:
    (params, bases [B, bp] uint8) -> (embeddings [B, D] float32, [B, K, D] for "tokens";
    num_kmers [B] int32). `num_kmers` counts the attended k-mers of a row in frame 0, the
    first ones of K; where it is 0 the embedding says nothing about the sequence.

  Raises:
    UserError: the pooling is not known, there is no [CLS] to pool, or there is no other
      frame: rows are aligned, or every k-mer is asked for.
  """
  vocabulary = tokenizer.vocabulary
  if pooling not in POOLINGS:
    raise errors.UserError(
        f"Unknown pooling {pooling!r}. Known: {', '.join(POOLINGS)}.")
  if pooling == "cls" and not vocabulary.add_cls:
    raise errors.UserError(
        "pooling=cls needs a model with a [CLS] token, and this one was "
        "trained with config.tokens.add_cls=False. Use pooling=mean.")
  if frames > 1 and tokenizer.consensus:
    raise errors.UserError(
        f"frames={frames} needs a model that may begin to read anywhere, and this one aligns "
        "every sequence to a consensus (config.tokens.align_to). Use frames=1.")
  if frames > 1 and pooling == "tokens":
    raise errors.UserError(f"pooling=tokens needs frames=1, it is {frames}: every frame has "
                           "k-mers of its own.")

  def embed_frame(params, bases):
    tokens = tokenizer(bases)
    features = module.apply({"params": params}, tokens.ids, tokens.pad_mask,
                            method="encode" if pooling in ("max", "tokens") else "pooled")
    num_kmers = (tokens.pad_mask.sum(axis=1) - vocabulary.add_cls
                 - vocabulary.add_sep)
    if pooling == "max":
      pooled = jnp.where(tokens.pad_mask[..., None], features, -jnp.inf).max(
          axis=1, initial=-jnp.inf)
    elif pooling == "tokens":
      first = int(vocabulary.add_cls)
      pooled = features[:, first:features.shape[1] - int(vocabulary.add_sep)]
    else:
      pooled = features[pooling]
    return pooled.astype(jnp.float32), num_kmers

  def embed(params, bases: UInt8[Array, "B bp"]
            ) -> tuple[Float[Array, "B *K D"], Int[Array, " B"]]:
    if frames == 1:
      return embed_frame(params, bases)
    padded = jnp.pad(bases, ((0, 0), (0, frames - 1)), constant_values=base_codes.PAD)
    # One after the other: one encoder to compile, and no more memory than for one frame.
    pooled, num_kmers = jax.lax.map(
        lambda first: embed_frame(params, jax.lax.dynamic_slice_in_dim(
            padded, first, bases.shape[1], axis=1)), jnp.arange(frames))
    # A row without any k-mer keeps frame 0, as without frames.
    counts = (num_kmers > 0).at[0].set(True)[..., None]            # [F, B, 1]
    return jnp.where(counts, pooled, 0).sum(axis=0) / counts.sum(axis=0), num_kmers[0]

  if mesh is None:
    return jax.jit(embed)
  # Every process gets all rows back: the callers keep features on the host.
  return jax.jit(embed, out_shardings=partitioning.replicated(mesh))


def embed_batches(embed_fn, params, batches, *, mesh=None):
  """What a function of bases makes of equally sized batches, in order.

  The next batch is on its way before the last result is fetched, so reading
  and computing overlap.

  Args:
    embed_fn: from `make_embed_fn`, or another compiled (params, batch) -> tree of
      arrays.
    params: parameters of the model.
    batches: iterable of [B, bp] uint8, or of tuples of arrays with B rows, one
      argument to `embed_fn`.
    mesh: where the rows are spread; that of `embed_fn`.

  Yields:
    Its result for each batch as numpy arrays.
  """
  waiting = None
  for batch in batches:
    with contextlib.nullcontext() if mesh is None else partitioning.use(mesh):
      result = embed_fn(params, jax.tree.map(lambda rows: put_rows(rows, mesh), batch))
    if waiting is not None:
      yield jax.device_get(waiting)
    waiting = result
  if waiting is not None:
    yield jax.device_get(waiting)


def put_rows(rows, mesh):
  """Host rows [B, …], the same on every process -> array spread over `mesh`."""
  if mesh is None:
    return jnp.asarray(rows)
  return feed.spread(rows, partitioning.batch_sharding(mesh))


def local_mesh(sizes=None):
  """A mesh of this process's devices.

  Args:
    sizes: {axis: devices} as of config.mesh, axes that are absent 1; None: rows are spread
      over all devices, each of which has all parameters.

  Returns:
    jax Mesh, or None where there is just one device.

  Raises:
    UserError: the sizes do not fit the devices.
  """
  devices = jax.local_devices()
  sizes = sizes or {"data": -1}
  if unknown := sizes.keys() - set(partitioning.AXES):
    raise errors.UserError(f"--mesh: no axis {min(unknown)!r}. The axes: "
                           f"{', '.join(partitioning.AXES)}.")
  mesh = partitioning.make_mesh(dict.fromkeys(partitioning.AXES, 1) | sizes, devices, "--mesh")
  return None if len(devices) == 1 else mesh


def on_devices(params, mesh, model=None):
  """Host parameters -> the devices of a mesh, or the one device.

  Args:
    params: nested dict.
    mesh: None for one device.
    model: config.model.ModelSpec that they are of: they are cut up over the axes fsdp and
      tensor, as in training; None: every device has a copy.
  """
  if mesh is None or model is None:
    return jax.device_put(params, mesh and partitioning.replicated(mesh))
  with partitioning.use(mesh):
    _, sharding = partitioning.abstract_and_sharding(
        lambda: model.init_params(jax.random.key(0)), mesh)
  return jax.device_put(params, sharding)


def round_up_batch(batch_size, mesh):
  """Smallest multiple of the devices that share a batch, >= `batch_size`."""
  if mesh is None:
    return batch_size
  parts = partitioning.num_batch_parts(mesh)
  return -(-batch_size // parts) * parts


def default_rows(model):
  """Rows of a batch that are fast here, for rows of the longest length.

  On a CPU the activations of a batch are to stay in its caches: at width 128, a row of 110
  tokens took 0.5 to 0.8 of the time in a batch of 16 that it took in one of 256. What looks
  vectors up and multiplies little wants more rows: a profile embedded 2,600 a second 256 at
  a time, 900 16 at a time.

  Args:
    model: config.model.ModelSpec.
  """
  num_tokens = max(model.tokenizer.num_tokens, 1)
  if not model.encoder.flops_per_token(num_tokens):
    return 256
  budget = _CPU_TOKENS if jax.default_backend() == "cpu" else _CHIP_TOKENS
  return min(max(budget // num_tokens, 4), 1024)


def pad_rows(bases: UInt8[np.ndarray, "n bp"], num_rows: int) -> UInt8[np.ndarray, "B bp"]:
  """Rows with empty sequences behind, so that there are `num_rows`."""
  missing = num_rows - len(bases)
  return np.pad(bases, ((0, missing), (0, 0)), constant_values=base_codes.PAD)


def padded_batches(bases: UInt8[np.ndarray, "N bp"], batch_size: int):
  """Yields batches [batch_size, bp] in order, empty sequences behind the last."""
  for first in range(0, len(bases), batch_size):
    yield pad_rows(bases[first:first + batch_size], batch_size)


def encoder_features(module, params, bases: UInt8[np.ndarray, "N bp"], *, tokenizer,
                     batch_size: int, pooling="mean", mesh=None, frames=1
                     ) -> Float[np.ndarray, "N D"]:
  """Pooled encoder output of every sequence.

  Args:
    module, params: the encoder.
    bases: [N, bp] uint8 base codes.
    tokenizer, pooling, mesh, frames: see `make_embed_fn`.
    batch_size: rows per step; rounded up to a multiple of the devices.

  Returns:
    [N, D] float32 numpy array; zeros for a sequence without any token.
  """
  embed_fn = make_embed_fn(module, tokenizer, pooling, mesh, frames)
  batches = padded_batches(bases, round_up_batch(batch_size, mesh))
  parts = [rows for rows, _ in
           embed_batches(embed_fn, params, batches, mesh=mesh)]
  return np.concatenate(parts)[:len(bases)]
