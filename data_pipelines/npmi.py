r"""Normalised PMI of every k-mer: `python -m data_pipelines.npmi`.

  python -m data_pipelines.npmi --input=chr1.fa.gz,chr2.fa.gz --k=6 --output=human6.npz
  python -m data_pipelines.npmi --published_csv=norm-pmi-score-ranking.csv \
      --output=published6.npz

The table ranks k-mers by how much more often they occur than their parts would have it;
the maskings gene_mask, global_pmi and the curricula look tokens up in it.
"""

import importlib.util
import os
import time

from absl import app, flags

from data_pipelines import ngrams, pmi_table, summary_text, write
from dnajax.devices import host_memory
from dnajax.shell import command_line, errors, files

FLAGS = flags.FLAGS
STRANDS = ("single", "merged")
_NUM_SHOWN = 8                # k-mers printed of either end
_FIGURES = (".png", ".pdf", ".svg")


def define_flags():
  """Flags of the command; not at import, where several commands would clash."""
  flags.DEFINE_list("input", None, "FASTA files, plain or compressed.")
  flags.DEFINE_integer("k", 6, f"Letters of a k-mer, 2..{ngrams.LONGEST}.",
                       lower_bound=2, upper_bound=ngrams.LONGEST)
  flags.DEFINE_string("output", None, "The table, .npz; replaced if it is there.")
  flags.DEFINE_enum(
      "method", "published", list(pmi_table.METHODS), "published: as GeneMask's table was "
      "made (pieces of 1 or 2 letters, p = f/2N); exact: all segmentations, p = f/N.")
  flags.DEFINE_enum(
      "strands", "single", STRANDS, "single: as written in the files, which GeneMask did; "
      "merged: both, so that a k-mer and its reverse complement score the same.")
  flags.DEFINE_integer(
      "min_count", 101, "k-mers seen less often get score -inf and the last ranks; also the "
      "constant of the discount.", lower_bound=1)
  flags.DEFINE_enum(
      "discount", "count", pmi_table.DISCOUNTS, "count: scores times ln f / (ln f + ln "
      "min_count); none: plain PMI.")
  flags.DEFINE_multi_string(
      "beam_options", None, "Count the files at the same time on Apache Beam (extra beam), for "
      "example --beam_options=--runner=DirectRunner. Repeatable.")
  flags.DEFINE_string("plot", None, "Also draw the scores into this file (.png, .pdf, .svg).")
  flags.DEFINE_string(
      "published_csv", None, "Instead of --input: GeneMask's table as CSV, which is "
      "converted, and made again from its own counts as a test.")


def make_table(inputs, *, k=6, method="published", strands="single", min_count=101,
               discount="count", num_threads=2, show_progress=True, beam_options=None):
  """Counts FASTA files and scores their k-mers.

  Args:
    inputs: FASTA files, plain or compressed.
    k: letters of a k-mer, 2..10.
    method: "published" or "exact".
    strands: "single" or "merged".
    min_count: least count of a k-mer with a score.
    discount: "count" or "none".
    num_threads: of the counting.
    show_progress: a bar.
    beam_options: count the files on Apache Beam with these options; None: here.

  Returns:
    pmi_table.Table.

  Raises:
    UserError: a file or setting is wrong.
  """
  if beam_options is None:
    counts = ngrams.count(inputs, num_threads=num_threads, show_progress=show_progress)
  else:
    from data_pipelines.beam import counting
    counts = counting.count(inputs, beam_options)
  of = ngrams.merge_strands(counts.of) if strands == "merged" else counts.of
  return pmi_table.make(
      of, k, method=method, min_count=min_count, discount=discount, provenance={
          "inputs": [{"name": os.path.basename(path), "num_bytes": os.path.getsize(path)}
                     for path in inputs],
          "strands": strands, "num_records": counts.num_records,
          "num_letters": counts.num_letters, "num_unknown": counts.num_unknown,
          "created_by": write.CREATED_BY})


def describe(table):
  """A table as text for the console."""
  source, order = table.provenance, table.rank.argsort()
  num_scored = int((table.score > -float("inf")).sum())
  k, total = source["k"], len(table.kmers)
  out = [f"{source['num_bases']:,} bases, {source['num_kmers']:,} {k}-mers; "
         f"{num_scored:,} of {total:,} different ones seen at least "
         f"{source['min_count']} times"]
  ends = [("highest", order[:_NUM_SHOWN])]
  if num_scored > _NUM_SHOWN:
    ends.append(("lowest", order[:num_scored][-_NUM_SHOWN:]))
  for name, ids in ends:
    out.append(f"  {name:<8} " + "  ".join(f"{table.kmers[i]} {table.score[i]:+.3f}"
                                          for i in ids))
  return "\n".join(out)


def _published():
  """The table of --published_csv, tested against its own counts."""
  for flag in ("method", "strands", "min_count", "discount"):
    if FLAGS[flag].present:
      raise errors.UserError(f"--{flag} belongs to --input: the scores of --published_csv "
                             "are taken as they are.")
  table = pmi_table.read_published_csv(FLAGS.published_csv, k=FLAGS.k)
  difference, correlation = pmi_table.agreement(table, pmi_table.recompute(table))
  print(f"made again from its own counts: largest difference of the scores "
        f"{difference:.4f}, Spearman correlation of the ranks {correlation:.7f}")
  table.provenance["created_by"] = write.CREATED_BY
  return table


def _draw(table, path):
  from data_pipelines import npmi_figure

  figure, suffix = npmi_figure.draw(table), os.path.splitext(path)[1]
  files.write_atomically(path, lambda part: figure.savefig(part, format=suffix[1:], dpi=150))


def _check_outputs():
  """UserError for what would fail after the counting, which may take minutes."""
  for flag in ("output", "plot"):
    path = FLAGS[flag].value
    if path and (os.path.isdir(path) or not os.path.isdir(os.path.dirname(path) or ".")):
      raise errors.UserError(f"--{flag}={path}: name a file in a folder that exists.")
  if FLAGS.plot and not FLAGS.plot.endswith(_FIGURES):
    raise errors.UserError(f"--plot={FLAGS.plot}: name a {', '.join(_FIGURES)} file.")
  if FLAGS.plot and importlib.util.find_spec("matplotlib") is None:
    raise errors.UserError("--plot needs matplotlib: pip install 'dnajax[eval]'.")


@errors.exit_cleanly
def main(argv):
  """Flags -> table, then a summary."""
  if len(argv) > 1:
    raise errors.UserError(f"Unknown argument {argv[1]!r}. Flags are written --name=value; "
                           "several files: --input=a.fa,b.fa")
  if not FLAGS.output or bool(FLAGS.input) == bool(FLAGS.published_csv):
    raise errors.UserError("Give --output=TABLE.npz and either --input=GENOME.fa.gz or "
                           "--published_csv=FILE. See --help.")
  _check_outputs()
  host_memory.keep_freed_memory()   # blocks of equal size, over and over: 20 % faster
  start = time.perf_counter()
  if FLAGS.published_csv:
    table = _published()
  else:
    table = make_table(
        FLAGS.input, k=FLAGS.k, method=FLAGS.method, strands=FLAGS.strands,
        min_count=FLAGS.min_count, discount=FLAGS.discount,
        beam_options=FLAGS.beam_options)
  pmi_table.write_table(FLAGS.output, table)
  if FLAGS.plot:
    _draw(table, FLAGS.plot)
  print(describe(table))
  print(f"in {FLAGS.output}\n{summary_text.cost(time.perf_counter() - start)}")


if __name__ == "__main__":
  define_flags()
  app.run(main, flags_parser=command_line.parse_flags)
