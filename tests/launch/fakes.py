"""Commands of clouds and clusters that only record how they are called and play answers."""

import json
import os
import pathlib
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LAUNCH = ROOT / "launch"
SHELL_SCRIPTS = ("tpu_vm.sh", "tpu_mig.sh", "slurm.sh", "multi_gpu.sh")
COMMANDS = ("gcloud", "kubectl", "sbatch", "srun", "scontrol", "docker", "ssh", "scp", "xpk",
            "curl", "git", "mkdir", "sleep", "python")

_FAKE = '''#!{python} -SE
import json, os, pathlib, sys
here = pathlib.Path({home!r})
name, arguments = os.path.basename(sys.argv[0]), sys.argv[1:]
with open(here / "calls", "a") as file:
  file.write(json.dumps([name, *arguments]) + "\\n")
if name == "gcloud":
  known = json.loads(pathlib.Path({flags!r}).read_text())
  words = " ".join(word for word in arguments if not word.startswith("-"))
  path = max((path for path in known if words.startswith(path)), key=len, default=None)
  for word in arguments:
    if path is None or word.startswith("--") and word.split("=")[0] not in known[path]:
      sys.exit("ERROR: (gcloud) unrecognized arguments: " + word)
answers = json.loads((here / "answers").read_text())
line = " ".join([name, *arguments])
for i, answer in enumerate(answers):
  if answer["of"] in line:
    if not answer["always"]:
      (here / "answers").write_text(json.dumps(answers[:i] + answers[i + 1:]))
    if answer["local"]:
      command = next(w for w in arguments if w.startswith("--command=")).split("=", 1)[1]
      os.environ.update(answer["local"])
      os.chdir(answer["local"]["HOME"])
      os.execv("/bin/bash", ["bash", "-c", command])
    sys.stdout.write(answer["out"])
    sys.stderr.write(answer["error"])
    sys.exit(answer["code"])
'''


class Fakes:
  """A directory of fake commands that comes first in PATH."""

  def __init__(self, home, commands=COMMANDS):
    self.home = pathlib.Path(home)
    (self.home / "bin").mkdir(parents=True)
    (self.home / "answers").write_text("[]")
    flags = str(pathlib.Path(__file__).with_name("gcloud_flags.json"))
    for name in commands:
      path = self.home / "bin" / name
      path.write_text(_FAKE.format(python=sys.executable, home=str(self.home), flags=flags))
      path.chmod(0o755)

  def answer(self, of, out="", error="", code=0, always=False, local=None):
    """The next call whose line contains `of` gets this answer (always: every one).

    local: environment in which --command=… is run here.
    """
    path = self.home / "answers"
    answers = json.loads(path.read_text())
    path.write_text(json.dumps([*answers, {"of": of, "out": out, "error": error, "code": code,
                                           "always": always, "local": local}]))

  def environment(self):
    """Variables under which scripts find the fakes."""
    return {**os.environ, "PATH": f"{self.home / 'bin'}:/usr/local/bin:/usr/bin:/bin"}

  def run(self, script, *arguments, timeout=60, **variables):
    """Runs launch/SCRIPT with the fakes; subprocess.CompletedProcess."""
    start = [sys.executable] if script.endswith(".py") else ["bash"]
    return subprocess.run([*start, LAUNCH / script, *arguments], capture_output=True, text=True,
                          cwd=ROOT, env=self.environment() | variables, timeout=timeout,
                          stdin=subprocess.DEVNULL)

  def calls(self, *names):
    """Recorded calls, each a list of words; of `names` only, if any are given."""
    path = self.home / "calls"
    lines = path.read_text().splitlines() if path.exists() else []
    found = [json.loads(line) for line in lines]
    return [call for call in found if not names or call[0] in names]


def words(text):
  """Printed commands, a line each, as lists of words."""
  return [shlex.split(line) for line in text.splitlines()]
