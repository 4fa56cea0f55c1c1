"""Linear probe: how much a linear classifier reads off frozen features.

Species in a closed world: trained on one split, asked about another that has the
same species, as in the BarcodeBERT paper. Two recipes: regularised logistic
regression, and the SGD of that paper's public code.
"""

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dnajax import errors
from dnajax.evaluators import labelled, scores, specs

FEATURES = ("encoder", "kmer_counts", "majority")
RECIPES = ("logistic", "sgd")

_REQUIRED = ("label", "features")
_OPTIONAL = dict(
    train_split="train", valid_split="valid", test_split="test", k=6, recipe="logistic",
    C=(0.01, 0.1, 1.0, 10.0), max_iterations=100,
    learning_rate=1.0, momentum=0.95, weight_decay=1e-9, num_epochs=200,
    sgd_batch_size=1024, seed=0,
    exclude_shared=False, max_train=0, max_valid=0, max_test=0, batch_size=256)


def logistic(train, train_labels, valid, valid_labels, test, *, strengths, max_iterations):
  """Multinomial logistic regression with an L2 penalty (scikit-learn).

  Features are standardised one by one with the mean and standard deviation of
  the training records. Of several strengths the one with the best accuracy on
  the validation records is taken, of equal ones the strongest penalty; it is
  not fitted again on both.

  Cost: an iteration of L-BFGS is two products of N × D × C for C classes or more.
  50,000 random rows of 128 features with 2,000 classes took 29 s for 4 iterations
  on two busy cores and 0.8 GiB beyond the features; four strengths of 100
  iterations each may so take most of an hour, `sgd` a few minutes.

  Args:
    train: [N, D] float32 features.
    train_labels: [N] integers, two different ones at least.
    valid, valid_labels: [n, D] and [n], or None with a single strength.
    test: [Q, D] features.
    strengths: tuple of scikit-learn's C, the inverse of the penalty.
    max_iterations: of L-BFGS, for each strength.

  Returns:
    (predicted [Q], {"chosen_C", "valid_accuracy", "is_converged"}).
  """
  from sklearn import exceptions, linear_model, preprocessing
  scale = preprocessing.StandardScaler().fit(train)
  train = scale.transform(train)
  # From the strongest penalty on: each fit starts from the one before.
  model = linear_model.LogisticRegression(max_iter=max_iterations, warm_start=True)
  best = None
  for strength in sorted(strengths):
    model.set_params(C=strength)
    with warnings.catch_warnings():
      warnings.simplefilter("ignore", exceptions.ConvergenceWarning)  # is_converged says it
      warnings.filterwarnings("ignore", "The number of unique classes")  # species are many
      model.fit(train, train_labels)
    values = {"chosen_C": strength,
              "is_converged": float(np.max(model.n_iter_) < max_iterations)}
    if valid is not None:
      values["valid_accuracy"] = scores.accuracy(
          valid_labels, model.predict(scale.transform(valid)))
    if best is None or values["valid_accuracy"] > best[1]["valid_accuracy"]:
      best = model.predict(scale.transform(test)), values
  return best


def sgd(train, train_labels, test, *, learning_rate=1.0, momentum=0.95, weight_decay=1e-9,
        num_epochs=200, batch_size=1024, seed=0):
  """Softmax regression by SGD, the recipe of BarcodeBERT's linear probe.

  All features share ONE mean and ONE standard deviation, those of the training
  records; constant learning rate; the last, smaller batch of an epoch is used
  too. 50,000 random rows of 128 features with 2,000 classes took 1 s per epoch on
  two busy cores.

  Args:
    train: [N, D] float32 features.
    train_labels: [N] integers.
    test: [Q, D] features.
    learning_rate, momentum, weight_decay: of SGD; the decay is added to the
      gradient, biases included, as in torch.
    num_epochs, batch_size: passes over the training records, rows per update.
    seed: of the order of the records.

  Returns:
    (predicted [Q], {"train_loss": mean loss of the last epoch in nats}); None
    instead of the labels if the training diverged.
  """
  classes, targets = np.unique(train_labels, return_inverse=True)
  mean, std = np.mean(train, dtype=np.float64), np.std(train, dtype=np.float64)
  scaled = lambda rows: jnp.asarray((rows - mean) / max(std, 1e-12), jnp.float32)
  params, loss = fit_sgd(
      scaled(train), jnp.asarray(targets, jnp.int32), jax.random.key(seed),
      num_classes=len(classes), learning_rate=learning_rate, momentum=momentum,
      weight_decay=weight_decay, num_epochs=num_epochs,
      batch_size=min(batch_size, len(targets)))
  if not np.isfinite(loss):
    return None, {"train_loss": float("nan")}
  # Thousands of rows at a time: [Q, C] would be large for many classes.
  best = [np.asarray(_logits(params, scaled(test[i:i + 4096])).argmax(axis=1))
          for i in range(0, len(test), 4096)]
  return classes[np.concatenate(best)], {"train_loss": float(loss)}


def _logits(params, rows):
  """[n, D] -> [n, C]."""
  return jnp.matmul(rows, params["kernel"],
                    precision=jax.lax.Precision.HIGHEST) + params["bias"]


@functools.partial(jax.jit, static_argnames=("num_classes", "num_epochs", "batch_size"))
def fit_sgd(rows, targets, key, *, num_classes, learning_rate, momentum, weight_decay,
            num_epochs, batch_size):
  """The weights after SGD from zero, and the mean loss of the last epoch.

  Args:
    rows: [N, D] float32.
    targets: [N] int32 below `num_classes`.
    key: of the order; epoch e takes the permutation of fold_in(key, e).
    num_classes, num_epochs, batch_size: static.
    learning_rate, momentum, weight_decay: see `sgd`.

  Returns:
    ({"kernel": [D, C], "bias": [C]}, loss []).
  """
  num_rows = rows.shape[0]
  num_batches = -(-num_rows // batch_size)
  optimizer = optax.chain(optax.add_decayed_weights(weight_decay),
                          optax.sgd(learning_rate, momentum=momentum))
  # Differs from the public code: starts at zero, not at random. The loss is
  # convex, so the start decides nothing but the first steps.
  params = {"kernel": jnp.zeros((rows.shape[1], num_classes)),
            "bias": jnp.zeros(num_classes)}

  def loss_fn(params, ids):
    is_real = ids < num_rows
    ids = jnp.minimum(ids, num_rows - 1)
    each = optax.softmax_cross_entropy_with_integer_labels(
        _logits(params, rows[ids]), targets[ids])
    return jnp.where(is_real, each, 0).sum() / is_real.sum()

  def update(carry, ids):
    params, opt_state = carry
    loss, grads = jax.value_and_grad(loss_fn)(params, ids)
    updates, opt_state = optimizer.update(grads, opt_state, params)
    return (optax.apply_updates(params, updates), opt_state), loss

  def epoch(carry, number):
    order = jax.random.permutation(jax.random.fold_in(key, number), num_rows)
    order = jnp.pad(order, (0, num_batches * batch_size - num_rows),
                    constant_values=num_rows)  # no record: weighs nothing
    carry, losses = jax.lax.scan(update, carry, order.reshape(num_batches, batch_size))
    return carry, losses.mean()

  (params, _), losses = jax.lax.scan(epoch, (params, optimizer.init(params)),
                                     jnp.arange(num_epochs))
  return params, losses[-1]


class LinearProbe:
  """Labels of the test records by a classifier trained on frozen features."""

  metrics = scores.CLASSIFICATION

  def __init__(self, rows_of, sides, fit, *, has_params=True, protocol="linear probe",
               num_shared=0):
    """rows_of: (params, side) -> [N, D].
    sides: {"train", "test", and if needed "valid": Labelled}.
    fit: ({side: [N, D]}) -> (predicted [Q], {further metric: value}).
    has_params: whether features depend on params.
    num_shared: test records whose sequence is also a training record, reported."""
    self._rows_of, self._sides, self._fit = rows_of, sides, fit
    self._num_shared = num_shared
    self.has_params, self.protocol, self.is_right = has_params, protocol, None

  def run(self, params):
    """Yields (metric name, value); scores are NaN if a feature is not finite or
    the training diverged."""
    rows = {name: self._rows_of(params, side) for name, side in self._sides.items()}
    predicted, more = None, {}
    if all(np.isfinite(part).all() for part in rows.values()):
      predicted, more = self._fit(rows)
    train, test = self._sides["train"], self._sides["test"]
    self.is_right = None if predicted is None else predicted == test.labels
    if predicted is None:
      yield from ((name, float("nan")) for name in self.metrics)
    else:
      yield from scores.classification(test.labels, predicted)
    yield from more.items()
    yield "num_records", len(test.labels)
    yield "num_train", len(train.labels)
    yield "num_labels", len(np.unique(train.labels))
    yield "num_unknown_labels", len(np.setdiff1d(test.labels, train.labels))
    yield "num_shared", self._num_shared


def from_config(spec, context):
  """The evaluator of one entry of config.evals.

  Args:
    spec: has label and features ("encoder", "kmer_counts": frequencies, or
      "majority": the most frequent label of the training records), and may have
      train_split, valid_split, test_split ("train", "valid", "test");
      k: letters per k-mer (6);
      recipe: "logistic" with C, a tuple of inverse penalties (.01, .1, 1, 10),
        and max_iterations (100), see `logistic`; the validation split is read
        only if there are several C; or "sgd" with learning_rate (1), momentum
        (.95), weight_decay (1e-9), num_epochs (200), sgd_batch_size (1024) and
        seed (0), see `sgd`;
      exclude_shared: whether test records whose sequence is also a training record
        are left out; counted either way, as num_shared (False);
      max_train, max_valid, max_test: records at most, 0 for all (0);
      batch_size: rows per step of the encoder (256).
    context: a `base.Context`.

  Returns:
    A `LinearProbe`.

  Raises:
    UserError: a key, a split or a label is wrong, the training records have only
      one label, the k-mer frequencies would be too large, or scikit-learn is absent.
  """
  spec = specs.complete(spec, required=_REQUIRED, optional=_OPTIONAL)
  specs.check_choice("features", spec.features, FEATURES)
  specs.check_choice("recipe", spec.recipe, RECIPES)
  for key in ("max_iterations", "num_epochs", "sgd_batch_size"):
    specs.check(key, getattr(spec, key), getattr(spec, key) >= 1, "at least 1")
  specs.check("C", spec.C, min(spec.C) > 0, "above 0")
  names = ["train", "test"]
  if spec.recipe == "logistic" and spec.features != "majority":
    specs.check_library("sklearn", " Or use recipe='sgd'.")
    names += ["valid"] * (len(spec.C) > 1)
  sides = {name: labelled.read(context, getattr(spec, f"{name}_split"), spec.label,
                               getattr(spec, f"max_{name}")) for name in names}
  if len(np.unique(sides["train"].labels)) < 2:
    raise errors.UserError(
        f"All records of split {spec.train_split!r} have the same {spec.label}: there is "
        "nothing to probe. Choose another label or split in config.evals.")
  if spec.features == "kmer_counts":
    labelled.check_dense(sum(len(side.ids) for side in sides.values()), spec.k)
  sides["test"], num_shared = labelled.split_shared(
      sides["test"], sides["train"], exclude=spec.exclude_shared)
  rows_of = functools.partial(labelled.rows, context, kind=spec.features, k=spec.k,
                              batch_size=spec.batch_size)
  if spec.features == "majority":
    rows_of = lambda params, side: np.zeros((len(side.ids), 0), np.float32)
  return LinearProbe(rows_of, sides, functools.partial(_fit, spec, sides),
                     has_params=spec.features == "encoder", num_shared=num_shared,
                     protocol=_protocol(spec, names, context.config.data.max_length))


def _fit(spec, sides, rows):
  """The recipe of the entry on these features."""
  labels = sides["train"].labels
  if spec.features == "majority":
    return np.full(len(rows["test"]), scores.majority(labels)), {}
  if spec.recipe == "sgd":
    return sgd(rows["train"], labels, rows["test"], learning_rate=spec.learning_rate,
               momentum=spec.momentum, weight_decay=spec.weight_decay,
               num_epochs=spec.num_epochs, batch_size=spec.sgd_batch_size, seed=spec.seed)
  valid = sides.get("valid")
  return logistic(rows["train"], labels, rows.get("valid"), valid and valid.labels,
                  rows["test"], strengths=spec.C, max_iterations=spec.max_iterations)


def _protocol(spec, names, max_length):
  """One sentence that says how the numbers came about."""
  some = "".join(f", {getattr(spec, f'max_{name}'):,} {name} records at most"
                 for name in names if getattr(spec, f"max_{name}"))
  if spec.exclude_shared:
    some += ", without test records whose sequence is also a training record"
  asked = (f"{spec.label} of split {spec.test_split} from split {spec.train_split}{some}; "
           "labels absent from the training records count as wrong")
  if spec.features == "majority":
    return f"the most frequent label of the training records for every record; {asked}"
  if spec.recipe == "sgd":
    how = (f"softmax regression by SGD, learning rate {spec.learning_rate:g}, momentum "
           f"{spec.momentum:g}, weight decay {spec.weight_decay:g}, {spec.num_epochs} epochs, "
           f"batch {spec.sgd_batch_size}, seed {spec.seed}; one mean and standard deviation "
           "for all features")
  else:
    chosen = (f"chosen on split {spec.valid_split} among {', '.join(map('{:g}'.format, spec.C))}"
              if len(spec.C) > 1 else f"{spec.C[0]:g}")
    how = (f"logistic regression, L2 penalty with C {chosen}, at most "
           f"{spec.max_iterations} iterations of L-BFGS; features standardised one by one")
  return (f"{how}; {asked}; features: "
          f"{labelled.describe(spec.features, spec.k, max_length)}")
