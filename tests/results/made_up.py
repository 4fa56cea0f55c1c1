"""What results.measure.evaluate returns, made up."""

import json

import numpy as np


def entry(features, metric, value, unit="", *, run="first", at=None, is_shown=True,
          fingerprint="f" * 32, evaluator="knn"):
  """One entry of a task whose bar is the accuracy."""
  return {"run": run, "evaluator": evaluator, "task": "genus 1-NN, unseen → train",
          "features": features, "metric": metric, "value": value, "unit": unit,
          "is_shown": is_shown, "is_bar": metric == "accuracy", "n": 1250,
          "protocol": f"cosine 1-NN of {features.split()[-1]}",
          "fingerprint": fingerprint, "step": at, "seed": 0}


def found(run="first", *, accuracy=0.6, fingerprint="f" * 32, step=8, **of_run):
  """Of one run, with one task."""
  rest = dict(run=run, fingerprint=fingerprint)
  return {
      "run": {"name": run, "step": step, "total_steps": 8, "seed": 0, "is_best": False,
              "model": "mae, transformer", "data": "simulated_barcodes", "setting": run,
              "fingerprint": fingerprint, "versions": {}, **of_run},
      "results": [
          entry("untrained encoder", "accuracy", 0.45, "share", at=0, **rest),
          entry("untrained encoder", "mean_cosine", None, at=0, **rest),
          entry("trained encoder", "accuracy", accuracy, "share", at=step, **rest),
          entry("trained encoder", "mean_cosine", 0.25, at=step, **rest),
          entry("trained encoder", "num_keys", 9, "count", at=step, is_shown=False, **rest),
          entry("6-mer counts", "accuracy", 0.805, "share", **rest)]}


def with_queries(one, **is_right):
  """The same with which queries were right: untrained, trained, counts."""
  names = {"untrained": "untrained encoder", "trained": "trained encoder",
           "counts": "6-mer counts"}
  one["is_right"] = {f"knn/{names[name]}": np.array(values, bool)
                     for name, values in is_right.items()}
  return one


def train(workdir):
  """Writes the metrics.jsonl of a run; returns the workdir."""
  rows = [{"step": 0, "time": 0.0, "knn/accuracy": 0.45, "knn/macro_accuracy": 0.4,
           "knn/effective_rank": 9.0},
          *({"step": s, "time": 0.0, "train/loss": 8.3 / s} for s in range(1, 9)),
          {"step": 8, "time": 1.0, "knn/accuracy": 0.6, "knn/macro_accuracy": 0.5,
           "knn/effective_rank": 7.0}]
  workdir.mkdir(parents=True, exist_ok=True)
  (workdir / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
  return workdir
