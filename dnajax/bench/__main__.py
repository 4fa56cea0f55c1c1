"""`python -m dnajax.bench {embed,input,masking,npmi,train}`: speed beside a reference.

Every figure stands next to what it is compared with, measured in the same run:
machines are noisy, ratios less so.

  python -m dnajax.bench train --config=configs/barcodemae.py:paper \\
      --config.batch_size=16 --config.encoder.dtype=float32
  python -m dnajax.bench embed --config=configs/barcodebert.py --config.encoder.norm=post
  python -m dnajax.bench input --config=configs/barcodemae.py
  python -m dnajax.bench masking
  python -m dnajax.bench npmi --mbp=100
"""

import json

from absl import app, flags, logging
from ml_collections import config_flags

from dnajax.shell import command_line, errors, files

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "embed, input, train: config file, with a variant after a colon if wanted.")

_ROUNDS = flags.DEFINE_integer(
    "rounds", 5, "Measurements of each figure; the median is reported.")
_MBP = flags.DEFINE_integer(
    "mbp", 100, "npmi: millions of base pairs to count.", lower_bound=1)
_OUTPUT = flags.DEFINE_string("output", None, "JSON file for the figures.")


@errors.exit_cleanly
def bench(argv):
  """Runs the command."""
  if len(argv) != 2 or argv[1] not in ("embed", "input", "masking", "npmi", "train"):
    raise errors.UserError("Say what to measure: python -m dnajax.bench input "
                           "(or embed, train) --config=FILE; or masking; or npmi.")
  logging.set_verbosity(logging.WARNING)
  if argv[1] == "npmi":  # without a config
    from dnajax.bench import npmi
    from dnajax.devices import host_memory
    host_memory.keep_freed_memory()  # as data_pipelines.npmi does
    figures = npmi.measure(num_bases=_MBP.value * 10**6, rounds=_ROUNDS.value)
  elif argv[1] == "masking":
    from dnajax.bench import masking
    figures = masking.measure(rounds=_ROUNDS.value)
  else:
    figures = _measure_config(argv[1])
  for name, value in figures.items():
    shown = f"{value:,.4g}" if isinstance(value, float) else value
    print(f"{name:<44} {shown}")
  if _OUTPUT.value:
    files.write_text(_OUTPUT.value, json.dumps(figures, indent=2) + "\n")
    print(f"Written to {_OUTPUT.value}")


def _measure_config(name):
  from dnajax.config import overrides
  values = overrides.apply(*command_line.read_config(_CONFIG.value, "config"))
  from dnajax.devices import host_memory
  host_memory.keep_freed_memory_on_cpu()  # as dnajax.main does
  if name == "embed":
    from dnajax.bench import embed as measure
  elif name == "input":
    from dnajax.bench import input as measure
  else:
    from dnajax.bench import train as measure
  return measure.measure(values, rounds=_ROUNDS.value)


if __name__ == "__main__":
  app.run(bench, flags_parser=command_line.parse_flags)
