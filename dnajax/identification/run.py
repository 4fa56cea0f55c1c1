"""A library and a file of queries -> a file of calls, with a summary and a picture."""

import collections
import dataclasses
import time

import tqdm

from data_pipelines import sequences
from dnajax.data import records
from dnajax.identification import call_files, identifier, index
from dnajax.shell import cells, errors, files
from dnajax.workdir import load as load_lib


def prepare(directory, embedder, references, fit, *, overwrite=False, adapt=None,
            strand="forward"):
  """An Identifier: from an index, or fitted and then kept in one.

  Args:
    directory: of the index; None for none.
    embedder: inference.embedder.Embedder, or None.
    references: references.References; None if there is only the index.
    fit: () -> Identifier of them.
    overwrite: whether the index of other references, or of another encoder, is replaced.
    adapt: as it was asked of `fit`; None: nobody asked, an index is taken as it is.
    strand: of the queries.

  Raises:
    UserError: the index is of other references or of another encoder, or was adapted
      where that is not wanted, or the reverse.
  """
  has_index = bool(directory) and (files.path(directory) / index.SUMMARY).exists()
  if references is None or (has_index and not overwrite):
    about = index.read_about(directory)
    remedy = "Add --overwrite to make it again, or give another --index."
    if references is not None and about["references"] != references.fingerprint():
      raise errors.UserError(
          f"{directory} is an index of other references than --references has now. {remedy}")
    if adapt is not None and about["report"]["adapt"] != adapt:
      made_with = "--adapt" if about["report"]["adapt"] else "--noadapt"
      raise errors.UserError(f"The index {directory} was made with {made_with}. "
                             + (remedy if references else "Leave the flag away, or make the "
                                "index again: --references=FILE --overwrite."))
    return dataclasses.replace(index.load(directory, embedder), strand=strand)
  made = fit()
  if directory:
    index.save(directory, made,
               model=load_lib.fingerprint(embedder.trained) if embedder else "")
    print(f"index: {directory}")
  return made


def identify_file(made, queries, output, *, columns=None, kind="tsv", min_probability=None,
                  num_hits=5, batch_size=512, **limits):
  """Writes the calls of a file of queries; says and draws what was called.

  Args:
    made: identifier.Identifier.
    queries: path.
    output: path.
    columns: {field: column} of the queries.
    kind, num_hits: see `call_files.open_file`.
    min_probability, batch_size: see `Identifier.identify`.
    **limits: of `sequences.read`.

  Returns:
    dict: num_queries, num_unread, called {rank: number}, seconds.
  """
  read = lambda: sequences.read(queries, columns, **limits)
  total = sum(1 for _ in tqdm.tqdm(read(), desc="counting", unit=" queries", unit_scale=True,
                                   delay=2, leave=False))
  start = time.perf_counter()
  called, num_unread, num_reversed = collections.Counter(), 0, 0
  made = made.expecting_like(_sample(read(), total), batch_size=batch_size)
  pairs = ((record.id, record.sequence) for record in read())
  calls = made.stream(pairs, min_probability=min_probability,
                      batch_size=max(1, min(batch_size, total)))
  with call_files.open_file(output, kind, made.references.ranks, num_hits=num_hits) as write:
    for call in tqdm.tqdm(calls, total=total, unit=" queries", unit_scale=True,
                          mininterval=0.5, delay=1):
      write(call)
      called.update(rank for rank, is_called in call.is_called.items() if is_called)
      num_unread += not call.hits
      num_reversed += call.is_reversed
  seconds = time.perf_counter() - start
  if not total:
    raise errors.UserError(f"{queries} holds no sequence.")
  found = {"num_queries": total, "num_unread": num_unread,
           "called": {rank: called[rank] for rank in made.references.ranks},
           "seconds": seconds}
  _say(made, found, num_reversed, output)
  return found


def _sample(queries, total):
  """Yields (id, sequence) of some of them; nothing is read before one is asked for."""
  chosen = set(records.fixed_sample(total, identifier.SAMPLE).tolist())
  yield from ((record.id, record.sequence)
              for i, record in enumerate(queries) if i in chosen)


def _say(made, found, num_reversed, output):
  total = found["num_queries"]
  print(f"{total:,} queries in {found['seconds']:.1f} s, "
        f"{total / found['seconds']:,.0f} queries/s")
  if found["num_unread"]:
    print(f"{found['num_unread']:,} queries have too few known bases to be compared")
  if num_reversed:
    print(f"{num_reversed:,} queries were turned")
  if made.shares:
    print("taken to be of taxa without a reference, of those without one a rank below: "
          + ", ".join(f"{rank} {made.shares[rank]:.0%}" for rank in made.references.ranks
                      if rank in made.shares))
  for rank, number in found["called"].items():
    known = made.report["ranks"].get(rank)
    print(f"  {rank:<10} called {number / total:6.1%}" + (
        f"   where the probability is at least {known['threshold']:.2f}" if known else ""))
  print(f"calls: {output}")
  stem = files.path(output).with_suffix("")
  if made.references.problems:
    path = stem.with_name(stem.name + ".references.tsv")
    files.write_text(path, "kind\twhat\n" + "".join(
        f"{kind}\t{cells.for_people(text)}\n" for kind, text in made.references.problems))
    print(f"odd references: {path}")
  try:
    from dnajax.identification import figures
    drawn = figures.reliability(made.report, {
        rank: number / total for rank, number in found["called"].items()})
  except ImportError:
    print("No picture: matplotlib is not installed (pip install 'dnajax[eval]').")
    return
  path = stem.with_name(stem.name + ".png")
  files.write_atomically(path, lambda part: drawn.savefig(part, format="png", dpi=150))
  print(f"picture: {path}")
