"""identify as it is called: three commands, wrong input in one line, never a traceback."""

import libraries
import pytest
import tiny

NAMED = libraries.rows(families=2, genera=3, individuals=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  """references.tsv and queries.fasta of a small library."""
  path = tmp_path_factory.mktemp("identify")
  with open(path / "references.tsv", "w") as table:
    table.write("id\tsequence\tfamily\tgenus\tspecies\n")
    for name, text, names in NAMED:
      if not libraries.is_last_species((name, text, names)):
        table.write("\t".join([name, text, *names.values()]) + "\n")
  with open(path / "queries.fasta", "w") as fasta:
    for row in NAMED:
      if libraries.is_last_species(row):
        fasta.write(f">{row[0]}\n{row[1]}\n")
  return path


def call(folder, *flags):
  return tiny.call("dnajax.identify", *flags, cwd=folder, env={"PYTHONPATH": str(tiny.ROOT)})


def test_names_of_queries_and_an_index_that_gives_the_same(folder, tiny_data):
  from dnajax.training import run
  run.run(tiny.values("barcode_id", tiny_data, has_evals=False, total_steps=2),
          folder / "run")
  code, out, err = call(folder, "--workdir=run", "--references=references.tsv", "--index=index",
                        "--queries=queries.fasta", "--output=calls.tsv")
  assert code == 0, err
  assert "searched by" in out and "queries/s" in out and (folder / "calls.png").exists()
  header, *rows = [line.split("\t") for line in
                   (folder / "calls.tsv").read_text().splitlines()]
  assert header[:3] == ["query", "family", "family_probability"]
  true = {name: names for name, _, names in NAMED}
  said = [dict(zip(header, row, strict=True)) for row in rows]
  assert all(one["family"] in ("", true[one["query"]]["family"]) for one in said)
  code, out, err = call(folder, "--workdir=run", "--index=index", "--queries=queries.fasta",
                        "--output=again.tsv")
  assert code == 0, err
  assert (folder / "again.tsv").read_text() == (folder / "calls.tsv").read_text()
  code, out, err = call(folder, "--references=references.tsv", "--compare=features",
                        "--compare_workdirs=run", "--output=encoders.tsv")
  assert code == 0, err
  rows = (folder / "encoders.tsv").read_text().splitlines()[1:]
  assert [row.split("\t")[0] for row in rows] == (
      3 * ["nearest by 6-mers, centred"] + 3 * ["nearest by the encoder of run, centred"])
  (folder / "fewer.tsv").write_text(
      "\n".join((folder / "references.tsv").read_text().splitlines()[:-1]) + "\n")
  code, out, err = call(folder, "--workdir=run", "--index=index", "--references=fewer.tsv",
                        "--queries=queries.fasta", "--output=stale.tsv")
  assert code == 2 and "index of other references" in err and "--overwrite" in err
  code, out, err = call(folder, "--workdir=run", "--index=index", "--noadapt",
                        "--queries=queries.fasta", "--output=other.tsv")
  assert code == 2 and "was made with --adapt" in err and not (folder / "other.tsv").exists()
  assert not (folder / "stale.tsv").exists()


def test_a_comparison_is_a_table_of_methods_and_ranks(folder):
  code, out, err = call(folder, "--references=references.tsv", "--compare=identify,features",
                        "--output=table.tsv")
  assert code == 0, err
  header, *rows = (folder / "table.tsv").read_text().splitlines()
  assert header.split("\t")[:4] == ["method", "rank", "accuracy", "auroc_unknown"]
  assert len(rows) == 2 * 3 and "queries/s" in out


@pytest.mark.parametrize("flags, said", [
    ((), "--references is missing"),
    (("--references=references.tsv",), "nothing to do"),
    (("--references=references.tsv", "--queries=queries.fasta"), "belong together"),
    (("--references=queries.fasta", "--queries=queries.fasta", "--output=x.tsv"),
     "--header_pattern"),
    (("--index=nowhere", "--queries=queries.fasta", "--output=x.tsv"), "no index in nowhere"),
    (("--workdir=nowhere", "--references=references.tsv", "--index=x"), "no workdir nowhere"),
    (("--references=references.tsv", "--compare_workdirs=run", "--index=x"), "--compare."),
    (("--references=references.tsv", "--compare=guess", "--output=x.tsv"), "guess"),
    (("--references=references.tsv", "--queries=queries.fasta",
      "--output=references.tsv"), "exists"),
])
def test_wrong_input_is_one_line_that_says_what_to_do(folder, flags, said):
  code, out, err = call(folder, *flags)
  assert code == 2 and said in err and "Traceback" not in err + out
  assert not (folder / "x.tsv").exists()
