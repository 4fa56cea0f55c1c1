"""Whether a run may go on with the config it is given."""

from dnajax import errors

# What may change between the start of a run and its resumption: where things
# run and how often they are looked at, never what is computed.
_FREE = ("total_steps", "mesh", "log", "checkpoint", "evals", "init_from",
         "data.dir", "masking.pmi_table", "model.attention", "model.remat", "model.scan_unroll")


def check_same_run(old_meta, new_meta, workdir):
  """Refuses to resume with another seed, batch, data set, model, ...

  Args:
    old_meta: meta of the checkpoint.
    new_meta: meta the run would write now.
    workdir: for the message.

  Raises:
    UserError: names every value that differs.
  """
  old, new = ({**_flat(meta["config"]),
               "data fingerprint": meta["data"]["fingerprint"],
               "PMI table fingerprint": meta.get("pmi_table")}
              for meta in (old_meta, new_meta))
  lines = [f"  {key}: the run has {old.get(key)!r}, now {new.get(key)!r}"
           for key in sorted(old.keys() | new.keys())
           if old.get(key) != new.get(key) and not _is_free(key)]
  if lines:
    raise errors.UserError(
        f"{workdir} holds a run that was started otherwise:\n"
        + "\n".join(lines)
        + "\nGive the same values to resume it, or another --workdir.")


def _is_free(key):
  return any(key == free or key.startswith(f"{free}.") for free in _FREE)


def _flat(tree, prefix=""):
  flat = {}
  for key, value in tree.items():
    if isinstance(value, dict):
      flat.update(_flat(value, f"{prefix}{key}."))
    else:
      flat[prefix + key] = list(value) if isinstance(value, tuple) else value
  return flat
