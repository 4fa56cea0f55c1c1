"""tpu_vm.sh and tpu_mig.sh through the lives of TPUs, played by a fake gcloud."""

import shlex

import fakes
import pytest

TRAINING = ["--config=configs/x.py", "--workdir=gs://b/a run", "--config.note=it's $HOME"]
VM = ("tpu_vm.sh", "run", "--name=a", "--zone=us-west4-a", "--accelerator_type=v5litepod-16")
MIG = ("tpu_mig.sh", "run", "--name=a", "--project=p", "--zone=us-east5-a",
       "--machine_type=ct6e-standard-4t", "--topology=2x4")
MISSING = {"error": "ERROR: (gcloud) NOT_FOUND: the resource was not found", "code": 1}
BOTH = "a-x1\tRUNNING\tNONE\na-x2\tRUNNING\tNONE\n"


@pytest.fixture
def faked(tmp_path):
  return fakes.Fakes(tmp_path / "fakes")


def states(faked, *names):
  for name in names:
    faked.answer("queued-resources describe", **(MISSING if name is None else {"out": name}))


def started(faked):
  """Arguments that reached the training, for each time it was started anywhere."""
  lines = [word for call in faked.calls("gcloud") for word in call if "on_worker.sh start" in word]
  return [shlex.split(line.split("on_worker.sh start ")[1]) for line in lines]


def verbs(faked):
  """Of every call to gcloud that makes or removes something, the verb."""
  return [word for call in faked.calls("gcloud") for word in call
          if word in ("create", "delete", "resize")]


@pytest.mark.parametrize("call", [VM, (*VM, "--node_count=2", "--spot"), (*VM, "--reserved")])
def test_vm_what_dry_run_prints_is_what_is_run(faked, call):
  printed = fakes.words(faked.run(*call, "--dry_run", "--", *TRAINING).stdout)
  states(faked, None, "ACTIVE")
  faked.answer("on_worker.sh status", out="exit 0\n")
  result = faked.run(*call, "--", *TRAINING)
  assert result.returncode == 0, result.stderr
  assert faked.calls() == printed
  assert started(faked) == [TRAINING] * (2 if "--node_count=2" in call else 1)


def test_mig_what_dry_run_prints_is_what_is_run(faked):
  printed = fakes.words(faked.run(*MIG, "--dry_run", "--", *TRAINING).stdout)
  faked.answer("list-instances", **MISSING)
  faked.answer("list-instances", out=BOTH, always=True)
  faked.answer("on_worker.sh status", out="exit 0\n")
  result = faked.run(*MIG, "--", *TRAINING)
  assert result.returncode == 0, result.stderr
  # Machines are reached at the same time, in any order; their names are the group's to give.
  named = [[word.replace("a-x1", "a-MACHINE_0").replace("a-x2", "a-MACHINE_1") for word in call]
           for call in faked.calls()]
  assert sorted(named) == sorted(printed)


def test_vm_preemption_recreates_and_resumes_with_the_same_command(faked):
  states(faked, None, "WAITING_FOR_RESOURCES", "WAITING_FOR_RESOURCES", "PROVISIONING", "ACTIVE",
         "SUSPENDING", "SUSPENDED", "ACTIVE")
  faked.answer("on_worker.sh status", error="ssh: connection timed out", code=255)
  faked.answer("on_worker.sh status", out="exit 0\n")
  result = faked.run(*VM, "--", *TRAINING)
  assert result.returncode == 0, result.stderr
  assert verbs(faked) == ["create", "delete", "create"]
  assert started(faked) == [TRAINING, TRAINING]
  said = [line for line in result.stderr.splitlines() if "a: WAITING" in line]
  assert [line.split("a: ")[1] for line in said] == ["WAITING:WAITING_FOR_RESOURCES",
                                                     "WAITING:PROVISIONING"]


def test_mig_preemption_resizes_and_resumes_with_the_same_command(faked):
  faked.answer("list-instances", **MISSING)
  for _ in range(5):  # ready, copy, install, start, follow
    faked.answer("list-instances", out=BOTH)
  faked.answer("list-instances", out="a-x1\tRUNNING\tNONE\n")
  faked.answer("list-instances", out="")
  faked.answer("list-instances", out="")
  faked.answer("list-instances", out="a-x3\tSTAGING\tCREATING\n")
  faked.answer("list-instances", out=BOTH, always=True)
  faked.answer("on_worker.sh status", error="ssh: connection timed out", code=255)
  faked.answer("on_worker.sh status", out="exit 0\n")
  result = faked.run(*MIG, "--", *TRAINING)
  assert result.returncode == 0, result.stderr
  assert verbs(faked) == ["create", "create", "create", "resize", "resize"]
  assert started(faked) == [TRAINING] * 4  # two machines, twice


@pytest.mark.parametrize("ended, code, starts, saying", [
    (["exit 2"], 2, 1, "something is wrong"), (["stopped"], 42, 1, "as asked"),
    (["exit 42", "exit 0"], 0, 2, "preempted, saved"), (["exit 1"] * 3, 1, 3, "crashed"),
    (["running", "exit 0"], 0, 1, "finished"), (["gone", "exit 0"], 0, 2, "crashed: gone")])
def test_what_follows_the_end_of_a_training(faked, ended, code, starts, saying):
  faked.answer("queued-resources describe", out="ACTIVE", always=True)
  for said in ended:
    faked.answer("on_worker.sh status", out=said + "\n")
  result = faked.run(*VM, "--", *TRAINING)
  assert result.returncode == code and saying in result.stderr, result.stderr
  assert len(started(faked)) == starts and not verbs(faked)


def test_vm_failed_stops_with_the_clouds_message(faked):
  states(faked, None, "WAITING_FOR_RESOURCES", "FAILED")
  faked.answer("failedData", out="You have no quota for v5litepod")
  result = faked.run(*VM, "--", *TRAINING)
  assert result.returncode == 2
  assert "FAILED: You have no quota for v5litepod" in result.stderr
  assert verbs(faked) == ["create"] and not started(faked)


def test_a_refused_request_and_missing_rights_stop_at_once(faked):
  states(faked, None)
  faked.answer("queued-resources create", error="ERROR: no such type", code=1)
  result = faked.run(*VM, "--", *TRAINING)
  assert result.returncode == 2 and "was not made" in result.stderr
  faked.answer("queued-resources describe", error="ERROR: PERMISSION_DENIED", code=1)
  result = faked.run(*VM, "--", *TRAINING)
  assert result.returncode == 2 and "PERMISSION_DENIED" in result.stderr


def test_install_is_tried_again_but_not_for_ever(faked):
  faked.answer("queued-resources describe", out="ACTIVE", always=True)
  faked.answer("tpu-vm scp", error="ssh: not yet", code=255, always=True)
  result = faked.run(*VM, "--", *TRAINING)
  assert result.returncode == 2 and "has failed 5 times" in result.stderr
  assert not started(faked)


@pytest.mark.parametrize("state, code, verbs_run", [
    (None, 0, ["create"]), ("ACTIVE", 0, []), ("PROVISIONING", 0, []), ("SUSPENDED", 2, [])])
def test_create_makes_what_is_not_there(faked, state, code, verbs_run):
  states(faked, state)
  result = faked.run("tpu_vm.sh", "create", *VM[2:])
  assert result.returncode == code and verbs(faked) == verbs_run


def test_logs_end_with_the_exit_code_of_the_training(faked):
  faked.answer("on_worker.sh follow", code=42)
  assert faked.run("tpu_vm.sh", "logs", *VM[2:4]).returncode == 42
