"""gke.py: manifests that the schemas accept, arguments unharmed, kubectl and xpk as printed."""

import json
import pathlib
import re

import fakes
import pytest

yaml = pytest.importorskip("yaml")
TRAINING = ("--", "--config=configs/x.py", "--workdir=gs://b/a run",
            "--config.note=it's \"$HOME\": é {x} $(HOME) #")
TPU = ("gke.py", "tpu", "--name=run1", "--image=eu.gcr.io/p/dnajax:1",
       "--accelerator=tpu-v6e-slice", "--topology=4x8", "--num_slices=2")
GPU = ("gke.py", "gpu", "--name=run1", "--image=eu.gcr.io/p/dnajax:1",
       "--accelerator=nvidia-h100-80gb", "--num_nodes=4")
MORE = ("--spot", "--queue=lane", "--namespace=team", "--service_account=trainer")


@pytest.fixture
def faked(tmp_path):
  return fakes.Fakes(tmp_path / "fakes")


def manifest(faked, *call):
  printed = faked.run(*call, "--dry_run", *TRAINING).stdout
  assert printed.startswith("kubectl apply --filename=- <<'END'\n")
  return yaml.safe_load(re.search(r"<<'END'\n(.*)^END$", printed, re.S | re.M).group(1))


def pod(jobset):
  return jobset["spec"]["replicatedJobs"][0]["template"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("call", [TPU, (*TPU, *MORE), GPU, (*GPU, *MORE)])
def test_manifest_is_valid(faked, call):
  kubernetes_validate = pytest.importorskip("kubernetes_validate")
  jsonschema = pytest.importorskip("jsonschema")
  jobset = manifest(faked, *call)
  schema = json.loads(pathlib.Path(__file__).with_name("jobset_schema.json").read_text())
  jsonschema.validate(jobset, schema)
  spec = jobset["spec"]["replicatedJobs"][0]["template"]["spec"]
  job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": spec}
  version = kubernetes_validate.latest_version()
  kubernetes_validate.validate(job, version, strict=True)
  spec["template"]["spec"]["hostNetwrk"] = True  # the check is one
  with pytest.raises(kubernetes_validate.ValidationError):
    kubernetes_validate.validate(job, version, strict=True)


@pytest.mark.parametrize("call", [TPU, GPU])
def test_arguments_arrive_as_they_were_given(faked, call):
  [container] = pod(manifest(faked, *call))["containers"]
  # Kubernetes reads $$(NAME) as $(NAME).
  given = [word.replace("$$(", "$(") for word in container["args"]]
  assert given == [*TRAINING[1:], "--distributed"]
  assert container["command"] == ["python", "-m", "dnajax.main"]


def test_tpu_slices_nodes_and_chips(faked):
  jobset = manifest(faked, *TPU, *MORE)
  [job] = jobset["spec"]["replicatedJobs"]
  assert job["replicas"] == 2
  assert job["template"]["spec"]["parallelism"] == job["template"]["spec"]["completions"] == 8
  assert pod(jobset)["nodeSelector"] == {
      "cloud.google.com/gke-tpu-accelerator": "tpu-v6e-slice",
      "cloud.google.com/gke-tpu-topology": "4x8", "cloud.google.com/gke-spot": "true"}
  assert pod(jobset)["containers"][0]["resources"]["limits"] == {"google.com/tpu": 4}
  assert jobset["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "lane"
  assert "cloud.google.com/gke-spot" not in pod(manifest(faked, *TPU))["nodeSelector"]


def test_gpu_processes_are_told_their_place(faked):
  env = {one["name"]: one for one in pod(manifest(faked, *GPU))["containers"][0]["env"]}
  assert env["JAX_COORDINATOR_ADDRESS"]["value"] == "run1-node-0-0.run1:8476"
  assert env["JAX_NUM_PROCESSES"]["value"] == "4"
  assert "job-completion-index" in env["JAX_PROCESS_ID"]["valueFrom"]["fieldRef"]["fieldPath"]


@pytest.mark.parametrize("call", [TPU, GPU])
@pytest.mark.parametrize("code, condition, action", [
    (42, None, "RestartJobSetAndIgnoreMaxRestarts"), (2, None, "FailJobSet"),
    (None, "DisruptionTarget", "RestartJobSetAndIgnoreMaxRestarts"),
    (1, None, "RestartJobSet"), (137, None, "RestartJobSet")])
def test_what_an_exit_code_leads_to(faked, call, code, condition, action):
  """Plays the Job and the JobSet controller as their documentation describes them."""
  spec = manifest(faked, *call)["spec"]
  reason, message = "BackoffLimitExceeded", "Job has reached the specified backoff limit"
  for i, rule in enumerate(
      spec["replicatedJobs"][0]["template"]["spec"]["podFailurePolicy"]["rules"]):
    if (code in rule.get("onExitCodes", {}).get("values", ())
        or condition in [one["type"] for one in rule.get("onPodConditions", ())]):
      reason = "PodFailurePolicy"
      message = f"Container training for pod a/b failed matching {rule['action']} rule at index {i}"
      break
  taken = next((rule["action"] for rule in spec["failurePolicy"]["rules"]
                if reason in rule["onJobFailureReasons"]
                and all(re.search(pattern, message)
                        for pattern in rule.get("onJobFailureMessagePatterns", ()))),
               "RestartJobSet")
  assert taken == action


def test_kubectl_gets_what_dry_run_prints(faked):
  read = faked.home / "bin" / "kubectl"
  read.write_text(f'#!/bin/sh\necho "$*" > {faked.home}/words; cat > {faked.home}/manifest\n')
  printed = faked.run(*TPU, "--dry_run", *TRAINING).stdout
  assert faked.run(*TPU, *TRAINING).returncode == 0
  words, text = ((faked.home / name).read_text() for name in ("words", "manifest"))
  assert printed == f"kubectl {words[:-1]} <<'END'\n{text}END\n"
