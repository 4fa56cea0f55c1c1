"""Two recipes of a linear probe: regularised logistic regression, and BarcodeBERT's SGD."""

import functools
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dnajax.evaluators import scores


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
    (predicted [Q], {"chosen_C", "is_converged", "valid_accuracy"}: numbers).
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
