"""Which files a task consists of: folders of GUE and of the few-shot sets, your own."""

import dataclasses
import difflib
import os
import pathlib

from data_pipelines import formats
from dnajax.shell import errors

SPLITS = ("train", "dev", "test")


@dataclasses.dataclass(frozen=True)
class Preset:
  """One task. Folders are given below the --input directory.

  folder: where {train,dev,test} tables lie.
  label: column of the class.
  num_sets: training sets that the train file holds.
  shots: rows per class and training set that must be there; 0: any number.
  stand_in: (folder, its splits) that become `test` because the task has none.
  exclude_overlap: as the flag.
  """
  folder: str
  label: str = "label"
  num_sets: int = 1
  shots: int = 0
  stand_in: tuple | None = None
  exclude_overlap: str = "none"


# Papers 7.3. LPD comes from DeepGene, which ships it beside GUE.
_GUE = {
    "EMP": ("H3", "H3K14ac", "H3K36me3", "H3K4me1", "H3K4me2", "H3K4me3", "H3K79me3", "H3K9ac",
            "H4", "H4ac"),
    "mouse": ("0", "1", "2", "3", "4"),
    "prom": ("prom_300_all", "prom_300_notata", "prom_300_tata", "prom_core_all",
             "prom_core_notata", "prom_core_tata"),
    "splice": ("reconstructed",),
    "tf": ("0", "1", "2", "3", "4"),
    "virus": ("covid",)}
# Papers 5.6 and 6.4: shots, and sets in a file.
_FEWSHOT = {"Prom-core": ((10, 50, 100, 500, 1000), 1), "Prom-300": ((10, 50, 100, 500, 1000), 1),
            "Cohn-enh": ((10, 50, 100, 500), 1), "Splice-40": ((10, 50, 100, 500), 10),
            "Silencer": ((10, 50), 10)}


def _all():
  gue = [Preset(f"gue/{group}/{task}") for group, tasks in _GUE.items() for task in tasks]
  lpd = [Preset(f"gue/LPD/promoter_prediction/{task}", label="promoter_presence")
         for task in ("prom_60", "prom_300")]
  fewshot = [Preset(f"fewshot/{task}/{shots}", num_sets=num_sets, shots=shots)
             for task, (all_shots, num_sets) in _FEWSHOT.items() for shots in all_shots]
  # Prom-300 was published without its test file; some of its training sequences are in GUE's.
  fewshot = [dataclasses.replace(p, stand_in=("gue/prom/prom_300_all", ("dev", "test")),
                                 exclude_overlap="test") if "/Prom-300/" in p.folder else p
             for p in fewshot]
  return {preset.folder: preset for preset in gue + lpd + fewshot}


PRESETS = _all()


def get(name):
  """The preset of a name, which is its folder; UserError if there is none."""
  if name not in PRESETS:
    close = difflib.get_close_matches(name, PRESETS, n=3, cutoff=0.4) or ["gue/tf/0"]
    raise errors.UserError(
        f"--preset={name}: unknown for labelled. Presets are gue/GROUP/TASK and "
        f"fewshot/TASK/SHOTS, for example {', '.join(close)}.")
  return PRESETS[name]


def preset_files(preset, root):
  """The files of a preset.

  Args:
    preset: Preset.
    root: directory that holds `gue` and `fewshot`, or one of them itself.

  Returns:
    List of (split, path).

  Raises:
    UserError: a folder or its tables are not there.
  """
  files = folder_files(_below(root, preset.folder))
  if preset.stand_in and not any(split == "test" for split, _ in files):
    folder, splits = preset.stand_in
    there = dict(folder_files(_below(root, folder)))
    for split in splits:
      if split not in there:
        raise errors.UserError(f"{_below(root, folder)} has no {split} table, which stands in "
                               f"for the test set of {preset.folder}.")
      files.append(("test", there[split]))
  return files


def _below(root, folder):
  collection, _, rest = folder.partition("/")
  for path in (f"{collection}/{rest}", f"{collection.upper()}/{rest}", rest):
    if (pathlib.Path(root) / path).is_dir():
      return pathlib.Path(root) / path
  raise errors.UserError(
      f"{root} has no folder {folder} (nor {rest}). --input with a preset is the directory "
      f"that holds {collection!r}.")


def folder_files(folder):
  """The tables of a task's folder.

  Args:
    folder: holds {train,dev,test}.csv, .tsv or .parquet, plain or compressed. Where it is
      named by a number (TASK/SHOTS), dev and test may lie in TASK.

  Returns:
    List of (split, path) in the order train, dev, test; splits without a file are left out.

  Raises:
    UserError: there is no such table, or two of one split.
  """
  folder = pathlib.Path(folder)
  found = []
  for split in SPLITS:
    paths = _tables(folder, split)
    if not paths and split != "train" and os.path.abspath(folder).rpartition(os.sep)[2].isdigit():
      paths = _tables(folder / os.pardir, split)
    if len(paths) > 1:
      raise errors.UserError(f"{folder} has two tables of split {split}: {paths[0].name} and "
                             f"{paths[1].name}. Say which: --input={split}={paths[0]},...")
    found += [(split, os.path.normpath(path)) for path in paths]
  if not found:
    raise errors.UserError(
        f"{folder} has no train, dev or test table (train.csv, test.tsv.gz, dev.parquet, ...). "
        "Name the files: --input=train=FILE,test=FILE.")
  return found


def _tables(folder, split):
  return sorted(path for path in folder.glob(f"{split}.*")
                if formats.is_table_name(path.name) and formats.stem(path.name) == split)
