"""What the prepare command prints at its end."""

from dnajax.devices import host_memory


def describe(summary, directory, *, data_dir, seconds):
  """The summary of a prepared data set as text for the console.

  Args:
    summary: as in dataset_summary.json.
    directory: where the data set is.
    data_dir: the flag.
    seconds: how long it took.
  """
  kept = sum(split["num_records"] for split in summary["splits"].values())
  unit = summary["unit_read"]
  out = [f"{summary['num_read']:,} {unit} read, {kept:,} "
         + ("kept" if unit == "records" else "records kept")]
  for name, split in summary["splits"].items():
    mean = split["num_bases"] / split["num_records"]
    out.append(f"  kept     {name:<24} {split['num_records']:>10,}   length "
               f"{split['min_length']}..{split['max_length']} bp, mean {mean:.0f}")
  for reason, count in summary["dropped"].items():
    out.append(f"  dropped  {reason:<24} {count:>10,}")
  ambiguous = sum(split["num_ambiguous"] for split in summary["splits"].values())
  if ambiguous:
    out.append(f"  {ambiguous:,} of the letters kept are ambiguity codes (R, Y, ...). Models "
               "read them as N.")
  for rank, count in summary["num_labels"].items():
    out.append(f"  labels   {rank:<24} {count:>10,}")
  train = next((s for s in ("pretrain", "train") if s in summary["splits"]),
               next(iter(summary["splits"])))
  out += [f"in {directory}",
          cost(seconds),
          f"train on it with: --config.data.dir={data_dir} "
          f"--config.data.name={summary['name']} --config.data.split={train}"]
  return "\n".join(out)


def cost(seconds):
  """Time and peak memory of this process as text."""
  return f"{seconds:.1f} s, peak memory {host_memory.peak_mib():,.0f} MiB"
