"""What the results of an entry of config.evals are called in a report."""

UNTRAINED, TRAINED = "untrained encoder", "trained encoder"
ENCODERS = (UNTRAINED, TRAINED)

_PROGRAMS = {"vsearch": "VSEARCH best hit", "blastn": "BLAST+ best hit"}


def kinds(spec, evals):
  """On which parameters an entry says something; baselines have none, and run once.

  Args:
    spec: an entry of config.evals.
    evals: config.evals, where a harmonic mean finds the entries it is made of.
  """
  if spec.type == "harmonic_mean":
    parts = [evals[path.partition("/")[0]] for path in (spec.closed, spec.open)]
    return ENCODERS if all(kinds(part, evals) == ENCODERS for part in parts) else (TRAINED,)
  return ENCODERS if spec.get("features") == "encoder" else (TRAINED,)


def features(spec, kind):
  """What stands in the column of the features: an encoder, or a baseline."""
  baseline = {"kmer_counts": f"{spec.get('k', 6)}-mer counts",
              "majority": "most frequent label",
              "best_hit": _PROGRAMS.get(spec.get("program", "vsearch"), "best hit")}
  return baseline.get(spec.get("features"), kind)


def task(spec):
  """What is asked, in the same words for encoders and for baselines."""
  if spec.type == "knn":
    vote = spec.get("vote", "uniform")
    return (f"{spec.label} {_first(spec.get('num_neighbors', 1))}-NN, "
            + (f"{spec.query_split}, each left out in turn" if spec.get("leave_one_out")
               else f"{spec.query_split} → {spec.key_split}")
            + ("" if vote == "uniform" else f", {vote} votes"))
  if spec.type == "mean_loss":
    same = spec.get("masking")
    return (f"masked loss on {spec.split}, "
            + (f"{same.get('selection', 'masking')} for every run" if same
               else "the run's masking"))
  if spec.type == "linear_probe":
    recipe = spec.get("recipe", "logistic")
    return (f"{spec.label} linear probe ({recipe}), {spec.get('train_split', 'train')} → "
            f"{spec.get('test_split', 'test')}")
  if spec.type == "zero_shot_clustering":
    splits = spec.get("splits", ("test", "unseen"))
    splits = splits if isinstance(splits, str) else " + ".join(splits)
    return f"{spec.label} clustering ({spec.get('reduction', 'umap')}), {splits}"
  if spec.type == "harmonic_mean":
    return f"harmonic mean of {spec.closed} and {spec.open}"
  where = spec.get("split") or spec.get("query_split")
  return spec.type.replace("_", " ") + (f" on {where}" if where else "")


def _first(value):
  return value if isinstance(value, int) else value[0]
