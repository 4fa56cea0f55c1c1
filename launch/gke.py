#!/usr/bin/env python3
"""Google Kubernetes Engine: renders a JobSet and gives it to kubectl, or calls xpk.

launch/gke.py tpu --name=NAME --image=IMAGE --accelerator=tpu-v6e-slice --topology=4x4 \\
    -- --config=configs/X.py --workdir=gs://BUCKET/DIR
launch/gke.py gpu --name=NAME --image=IMAGE --accelerator=nvidia-h100-80gb --num_nodes=2 -- ...
launch/gke.py xpk --name=NAME --image=IMAGE --cluster=CLUSTER --tpu_type=v6e-16 -- ...

A training that ends with 42, stopped and saved, is restarted without limit, one that ends
with 2, wrong input, never, anything else up to --max_restarts times. Needs JobSet 0.10 in the
cluster. Needs nothing of dnajax here: what is trained is in the image.
"""

import argparse
import json
import math
import pathlib
import re
import shlex
import string
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
COORDINATOR_PORT = 8476


class _Parser(argparse.ArgumentParser):
  """Errors are one line."""

  def error(self, message):
    fail(message)


def fail(message):
  """Ends with one line and exit code 2."""
  print(f"error: {message}", file=sys.stderr)
  sys.exit(2)


def _number(text):
  if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
    raise argparse.ArgumentTypeError(f"{text!r} is no whole number of at least 1")
  return int(text)


def _name(text):
  if not re.fullmatch(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", text):
    raise argparse.ArgumentTypeError(
        f"{text!r}: small letters, digits and hyphens, at most 40, a letter first")
  return text


def _word(text):
  if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:/@-]*", text):
    raise argparse.ArgumentTypeError(f"{text!r} is no such name")
  return text


def _topology(text):
  if not re.fullmatch(r"[1-9][0-9]*(x[1-9][0-9]*){1,2}", text):
    raise argparse.ArgumentTypeError(f"{text!r}: as 4x4 or 2x2x2")
  return text


def make_parser():
  """Flags of the three commands."""
  parser = _Parser(prog="launch/gke.py", description=__doc__, allow_abbrev=False,
                   formatter_class=argparse.RawDescriptionHelpFormatter)
  commands = parser.add_subparsers(dest="command", required=True, metavar="{tpu,gpu,xpk}")
  tpu = commands.add_parser("tpu", help="JobSet on TPU slices", allow_abbrev=False)
  gpu = commands.add_parser("gpu", help="JobSet on GPU nodes", allow_abbrev=False)
  xpk = commands.add_parser("xpk", help="xpk workload create", allow_abbrev=False)
  for one in (tpu, gpu, xpk):
    one.add_argument("--name", type=_name, required=True, help="of the JobSet or workload")
    one.add_argument("--image", type=_word, required=True,
                     help="see launch/tpu.Dockerfile and launch/gpu.Dockerfile")
    one.add_argument("--max_restarts", type=_number, default=10,
                     help="after crashes (default 10)")
    one.add_argument("--grace_seconds", type=_number, default=120,
                     help="between SIGTERM and SIGKILL (default 120; spot nodes: GKE gives 15)")
    one.add_argument("--spot", action="store_true", help="spot nodes")
    one.add_argument("--dry_run", action="store_true",
                     help="print the command with the manifest, run nothing")
  for one in (tpu, gpu):
    one.add_argument("--accelerator", type=_word, required=True,
                     help="as tpu-v5-lite-podslice, tpu-v5p-slice, tpu-v6e-slice, tpu7x"
                     if one is tpu else "as nvidia-h100-80gb, nvidia-h200-141gb")
    one.add_argument("--namespace", type=_name, help="default: that of kubectl")
    one.add_argument("--queue", type=_name, help="local queue of Kueue")
    one.add_argument("--service_account", type=_name,
                     help="of Kubernetes, allowed to read and write the bucket")
  tpu.add_argument("--topology", type=_topology, required=True, help="of a slice, as 4x4")
  tpu.add_argument("--chips_per_node", type=_number, default=4,
                   help="of the machine type (default 4)")
  gpu.add_argument("--num_nodes", type=_number, default=1, help="default 1")
  gpu.add_argument("--gpus_per_node", type=_number, default=8, help="default 8")
  xpk.add_argument("--cluster", type=_name, required=True, help="made by xpk cluster create")
  xpk.add_argument("--tpu_type", type=_word, required=True, help="as v5litepod-16, v6e-16")
  xpk.add_argument("--project", type=_word, help="default: that of gcloud")
  xpk.add_argument("--zone", type=_word, help="default: that of gcloud")
  for one in (tpu, xpk):
    one.add_argument("--num_slices", type=_number, default=1, help="default 1")
  return parser


def check_training(arguments):
  """Refuses a training without config and workdir, or with a workdir inside the container."""
  given = dict(word.split("=", 1) for word in arguments if word.startswith("--") and "=" in word)
  if not given.get("--config") or not given.get("--workdir"):
    fail("the training's arguments are missing: -- --config=configs/X.py --workdir=gs://BUCKET/DIR.")
  if not re.match(r"[a-z0-9]+://", given["--workdir"]):
    fail(f"--workdir={given['--workdir']} would lie in the container and be lost with it: give "
         "gs://BUCKET/DIR.")


def render(flags, arguments):
  """The manifest, text. Values are written as JSON, which YAML contains."""
  # Kubernetes would put a variable in the place of $(NAME).
  kept = [word.replace("$(", "$$(") for word in arguments]
  values = {**vars(flags), "spot": "true" if flags.spot else None,
            "arguments": [*kept, "--distributed"]}
  if flags.command == "tpu":
    chips = math.prod(int(size) for size in flags.topology.split("x"))
    if chips % flags.chips_per_node:
      fail(f"--topology={flags.topology}: {chips} chips are no multiple of "
           f"--chips_per_node={flags.chips_per_node}.")
    values["num_nodes"] = chips // flags.chips_per_node
  else:
    values |= {"coordinator": f"{flags.name}-node-0-0.{flags.name}:{COORDINATOR_PORT}",
               "num_processes": str(flags.num_nodes)}
  lines = []
  for line in (HERE / f"gke_{flags.command}.yaml").read_text("utf-8").splitlines()[1:]:
    used = string.Template(line).get_identifiers()
    if not any(values[name] is None for name in used):
      lines.append(string.Template(line).substitute(
          {name: json.dumps(values[name], ensure_ascii=False) for name in used}))
  return "\n".join(lines) + "\n"


def xpk_command(flags, arguments):
  """Words of xpk workload create, which restarts after 42 by itself."""
  training = ["python", "-m", "dnajax.main", *arguments, "--distributed"]
  return ["xpk", "workload", "create", f"--cluster={flags.cluster}", f"--workload={flags.name}",
          f"--tpu-type={flags.tpu_type}", f"--num-slices={flags.num_slices}",
          f"--docker-image={flags.image}", f"--max-restarts={flags.max_restarts}",
          f"--termination-grace-period-seconds={flags.grace_seconds}",
          *([f"--project={flags.project}"] if flags.project else []),
          *([f"--zone={flags.zone}"] if flags.zone else []),
          *(["--spot"] if flags.spot else []), f"--command={shlex.join(training)}"]


def main(argv):
  """Runs the command; returns its exit code."""
  cut = argv.index("--") if "--" in argv else len(argv)
  flags, arguments = make_parser().parse_args(argv[:cut]), argv[cut + 1:]
  check_training(arguments)
  if flags.command == "xpk":
    words, manifest = xpk_command(flags, arguments), None
  else:
    words, manifest = ["kubectl", "apply", "--filename=-"], render(flags, arguments)
  if flags.dry_run:
    print(shlex.join(words) + (f" <<'END'\n{manifest}END" if manifest else ""))
    return 0
  print("+ " + shlex.join(words), file=sys.stderr)
  try:
    return subprocess.run(words, input=manifest, text=True, check=False).returncode
  except FileNotFoundError:
    fail(f"{words[0]} is not installed here.")


if __name__ == "__main__":
  sys.exit(main(sys.argv[1:]))
