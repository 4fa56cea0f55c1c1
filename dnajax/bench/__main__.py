"""`python -m dnajax.bench {input,train}`: speed beside a reference.

Every figure stands next to what it is compared with, measured in the same run:
machines are noisy, ratios less so.

  python -m dnajax.bench train --config=configs/barcodemae.py:paper \\
      --config.batch_size=16 --config.model.dtype=float32
  python -m dnajax.bench input --config=configs/barcodemae.py
"""

import json

from absl import app, flags, logging

from dnajax import errors, files, main  # main defines --config

_ROUNDS = flags.DEFINE_integer(
    "rounds", 5, "Measurements of each figure; the median is reported.")
_OUTPUT = flags.DEFINE_string("output", None, "JSON file for the figures.")


@errors.exit_cleanly
def bench(argv):
  """Runs the command."""
  if len(argv) != 2 or argv[1] not in ("input", "train"):
    raise errors.UserError("Say what to measure: python -m dnajax.bench input "
                           "(or train) --config=FILE.")
  config = main.read_config()
  logging.set_verbosity(logging.WARNING)
  import jax

  from dnajax import host_memory
  if jax.default_backend() == "cpu":
    host_memory.keep_freed_memory()  # as dnajax.main does
  if argv[1] == "input":
    from dnajax.bench import input as measure
  else:
    from dnajax.bench import train as measure
  figures = measure.measure(config, rounds=_ROUNDS.value)
  for name, value in figures.items():
    shown = f"{value:,.4g}" if isinstance(value, float) else value
    print(f"{name:<44} {shown}")
  if _OUTPUT.value:
    files.write_text(_OUTPUT.value, json.dumps(figures, indent=2) + "\n")
    print(f"Written to {_OUTPUT.value}")


if __name__ == "__main__":
  app.run(bench, flags_parser=main.parse_flags)
