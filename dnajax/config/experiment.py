"""The whole config, typed: what a file in configs/ may say, with every default."""

import dataclasses
from typing import Any, Literal

from dnajax.config import build
from dnajax.data import balance as balance_lib
from dnajax.masking import settings as masking_settings
from dnajax.shell import errors, parts
from dnajax.tokens import tokenizer as tokenizer_lib
from dnajax.training import optim
from dnajax.workdir.dashboards import start


@dataclasses.dataclass(frozen=True)
class Data:
  """config.data: which records are trained on."""
  name: str                    # of the prepared data set, as "barcodes/mine"
  dir: str = "data"            # where prepared data sets lie
  split: str = "train"         # "{seed}" in it stands for config.seed
  max_length: int = 660        # base pairs of a record that are read
  is_generated: bool = False   # made at the first start if it is absent


@dataclasses.dataclass(frozen=True)
class InitFrom:
  """config.init_from: another run that a new one starts from; ignored at resumption."""
  workdir: str = ""            # of that run; "": random parameters
  # everything: all its parameters, same model; encoder: its tokens, and its encoder with
  # parameters; shape: the same with random parameters, the control of a fine-tuning
  take: Literal["everything", "encoder", "shape"] = "everything"


@dataclasses.dataclass(frozen=True)
class Mesh:
  """config.mesh: devices along each axis; one may be -1, all the others."""
  data: int = -1     # rows of a batch
  fsdp: int = 1      # rows of a batch, and parameters cut up
  tensor: int = 1    # heads and inner widths


@dataclasses.dataclass(frozen=True)
class Log:
  """config.log."""
  every_steps: int = 20   # updates between two reports
  dashboards: tuple[str, ...] = ()  # wandb, trackio; TensorBoard comes where it is installed
  project: str = "dnajax"  # that dashboards list the run under

  def check(self, setup):
    """At least 1; dashboards that are known and installed."""
    del setup
    if self.every_steps < 1:
      yield "every_steps", "at least 1"
    start.check(self.dashboards)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
  """config.checkpoint."""
  every_steps: int = 100  # updates between two checkpoints
  keep: int = 3           # the last ones that stay, beside the best
  best: str = ""          # as "dev/loss": the step where it is lowest is taken and stays
  centre_records: int = 1_024  # training records whose mean features are kept; 0: none

  def check(self, setup):
    """Numbers in their ranges, and an evaluator that exists."""
    for key, least in (("every_steps", 1), ("keep", 1), ("centre_records", 0)):
      if getattr(self, key) < least:
        yield key, f"at least {least}"
    owner = self.best.partition("/")[0]
    if self.best and setup.evals is not None and owner not in setup.evals:
      yield "best", "EVALUATOR/METRIC with a name in config.evals"


@dataclasses.dataclass(frozen=True)
class Experiment:
  """A config, complete."""
  data: Data
  seed: int = 0
  total_steps: int = 1_000      # updates; found if num_epochs is not 0
  num_epochs: int = 0           # passes over the records; 0: total_steps counts
  batch_size: int = 64          # sequences per update, on all devices together
  accumulate_steps: int = 1     # parts that a batch is worked on in
  init_from: InitFrom = InitFrom()
  balance: balance_lib.Balance = balance_lib.Balance()
  tokens: tokenizer_lib.TokenSettings = tokenizer_lib.TokenSettings()
  masking: masking_settings.Masking | None = None  # None: the objective hides nothing
  encoder: Any = parts.one("encoder", "transformer")
  objective: Any = parts.one("objective", "masked_lm")
  losses: dict = parts.table("loss")
  optimizer: optim.Optimizer = optim.Optimizer()
  mesh: Mesh = Mesh()
  log: Log = Log()
  checkpoint: Checkpoint = Checkpoint()
  evals: dict = parts.table("evaluator")

  @property
  def split(self):
    """Name of the split that is trained on."""
    return self.data.split.format(seed=self.seed)

  def check(self, setup):
    """What concerns no part alone."""
    del setup
    for key in ("total_steps", "batch_size", "accumulate_steps"):
      if getattr(self, key) < 1:
        yield key, "at least 1"
    if not 0 <= self.seed < 2**32:
      yield "seed", f"0 to {2**32 - 1}"
    if self.num_epochs < 0:
      yield "num_epochs", "at least 0 (0: total_steps counts)"
    for key in ("total_steps", "batch_size", "num_epochs"):
      if getattr(self, key) >= 2**31:
        yield key, f"below {2**31}"
    if self.batch_size % max(self.accumulate_steps, 1):
      yield "accumulate_steps", f"a divisor of batch_size={self.batch_size}"
    if not self.losses:
      yield "losses", ("a table with at least one loss, for example "
                       "dict(masked=dict(name='masked_prediction'))")
    if self.data.max_length < self.tokens.k:
      yield "data", f"a section with max_length of at least tokens.k={self.tokens.k}"
    try:
      self.split  # noqa: B018
    except (KeyError, IndexError, ValueError):
      yield "data", "a section in whose split only {seed} stands in braces"

  def to_dict(self):
    """Every key of every chosen part; JSON-serialisable."""
    return build.to_dict(self)


def read(values):
  """The Experiment of a config's values.

  Args:
    values: ConfigDict or nested dict.

  Raises:
    UserError: a key is unknown or missing, or a value is of another type.
  """
  values = values.to_dict() if hasattr(values, "to_dict") else values
  made = build.build(Experiment, values)
  if not made.objective.hides_tokens and made.masking is not None:
    made = dataclasses.replace(made, masking=None)
  if made.objective.hides_tokens and made.masking is None:
    made = dataclasses.replace(
        made, masking=build.build(masking_settings.Masking, {}, "masking"))
  return made


def check(experiment):
  """Asks every part of an Experiment what is wrong; UserError names the first.

  Called once per start.
  """
  # First what the tokenizer itself depends on.
  build.check(experiment.tokens, parts.Setup(encoder=experiment.encoder), "tokens")
  setup = parts.Setup(
      tokenizer=tokenizer_lib.make(experiment.tokens, experiment.data.max_length),
      encoder=experiment.encoder, objective=experiment.objective,
      masking=experiment.masking, losses=experiment.losses, evals=experiment.evals,
      batch_size=experiment.batch_size, accumulate_steps=experiment.accumulate_steps,
      total_steps=experiment.total_steps)
  build.check(experiment, setup)
  for name, part in experiment.evals.items():
    if part.every_steps < -1:
      raise errors.UserError(f"config.evals.{name}.every_steps={part.every_steps} must be at "
                             "least -1 (0: at the end; -1: only by dnajax.evaluate).")
