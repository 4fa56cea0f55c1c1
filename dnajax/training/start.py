"""Where the parameters of a new run come from."""

import jax

from dnajax.shell import errors
from dnajax.workdir import checkpointing, load


def begin(plan):
  """The state of a new run: random, or of another run (config.init_from).

  Args:
    plan: config.plan.Plan.

  Returns:
    (TrainState, where its parameters come from).

  Raises:
    UserError: the other run cannot be read, or its parameters do not fit.
  """
  start, seed = plan.experiment.init_from, plan.experiment.seed
  state = plan.make_state()
  if not start.workdir or start.take == "shape":
    return state, f"random, seed {seed}"
  trained = load.load(start.workdir)
  whole = start.take == "everything"
  wanted, found, sharding = state.params, trained.params, plan.sharding.params
  if not whole:
    wanted, found, sharding = (
        {"encoder": tree.get("encoder", {})} for tree in (wanted, found, sharding))
  mismatch = checkpointing.explain_mismatch(wanted, found)
  if mismatch:
    what = "its parameters do" if whole else "its encoder does"
    raise errors.UserError(
        f"config.init_from.workdir={start.workdir}: {what} not fit: {mismatch}."
        + (" With --config.init_from.take=encoder only its encoder is taken." if whole
           else ""))
  taken = jax.tree.map(jax.device_put, found, sharding)
  return (state.replace(params={**state.params, **taken}),
          f"{start.workdir}, step {trained.step}" if whole else
          f"encoder of {start.workdir}, step {trained.step}; the rest random, seed {seed}")
