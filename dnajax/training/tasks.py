"""What a run trains for: predicting hidden tokens, or a label."""

from typing import Any, Protocol

from dnajax.training import classification, masked_prediction


class Task(Protocol):
  """What an update computes and what of it is reported."""
  sum_names: tuple       # of the sums in the train state
  label: str | None      # column of the data set that a batch brings along

  @staticmethod
  def resolve(config, split) -> tuple[Any, list]:
    """The config with what has to be found on the data, and lines that say it."""

  def begin(self, state, config, sharding) -> tuple[Any, str]:
    """The state a new run begins with, and where its parameters come from."""

  def start(self) -> Any:
    """What the train state remembers for this task; None for nothing."""

  def observe(self, name, values, progress, step) -> Any:
    """That memory after evaluator `name` had these values."""

  def stage(self, progress, step) -> tuple[str, dict]:
    """What is done at a step: a phrase ("" for nothing to say), and values of a row."""

  def init_params(self, key) -> dict:
    """Random parameters, leaves boxed with logical axis names."""

  def make_prepare(self):
    """Returns (key, stage key, batch, state) -> (inputs, scales, counts), pure."""

  def loss(self, params, inputs, key, scales):
    """(loss, sums) of the inputs, or of a part of their rows."""

  def values(self, sums) -> dict:
    """Sums since the last report -> values of a row of metrics.jsonl."""


def kind(config):
  """The class of a config's task: config.model.name decides."""
  return (classification.Classification if config.model.name == "classifier"
          else masked_prediction.MaskedPrediction)


def make(model, config, derived):
  """The task of a config."""
  return kind(config)(model, config, derived)
