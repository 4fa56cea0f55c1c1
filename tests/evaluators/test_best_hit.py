"""Best hits by alignment, with programs that only pretend to align."""

import os
import stat
import sys

import evaluating
import numpy as np
import pytest

from dnajax.identification import programs
from dnajax.tokens import bases as base_codes

# Pretends to be vsearch: the key that agrees at most places, then the next.
FAKE = f"""#!{sys.executable}
import sys
args = dict(zip(sys.argv[1:], sys.argv[2:]))
read = lambda path: list(zip(*[iter(open(path).read().split())] * 2))
keys = read(args["--db"])
with open(args["--userout"], "w") as out:
  for name, text in read(args["--usearch_global"]):
    same = lambda key: -sum(a == b for a, b in zip(text, key[1]))
    for key, letters in sorted(keys, key=same)[:int(args["--maxhits"])]:
      out.write(f"{{name[1:]}}\\t{{key[1:]}}\\t99.0\\n")
"""


@pytest.fixture
def path(tmp_path, monkeypatch):
  """A folder that is all of PATH; returns (name, text) -> a program in it."""
  monkeypatch.setenv("PATH", str(tmp_path))

  def add(name, text):
    file = tmp_path / name
    file.write_text(text)
    os.chmod(file, stat.S_IRWXU)

  return add


def make(data_dir, **changes):
  runner, _ = evaluating.build_on(data_dir, "knn", **dict(
      key_split="train", query_split="unseen", label="genus", features="best_hit") | changes)
  return runner


def test_label_is_that_of_the_best_hit(path, tiny_data):
  path("vsearch", FAKE)
  evaluator = make(tiny_data, query_split="train")
  values = evaluating.values(evaluator, None)
  assert values["accuracy"] == values["macro_f1"] == 1      # finds itself
  assert values["num_without_hit"] == 0
  alone = evaluating.values(make(tiny_data, query_split="train", leave_one_out=True), None)
  assert 0 < alone["accuracy"] < 1
  assert "VSEARCH" in evaluator.protocol


@pytest.mark.parametrize("program", programs.PROGRAMS)
def test_an_absent_program_gives_no_scores_and_says_so(path, tiny_data, program):
  evaluator = make(tiny_data, program=program)
  values = evaluating.values(evaluator, None)
  assert "accuracy" not in values and values["num_queries"] > 0
  needed = programs.PROGRAMS[program].needs[0]
  assert f"the program {needed} was not found" in evaluator.protocol
  assert "install" in evaluator.protocol


def test_a_program_that_fails_gives_no_scores_and_its_last_words(path, tiny_data):
  path("vsearch", "#!/bin/sh\necho first >&2\necho 'out of memory' >&2\nexit 3\n")
  evaluator = make(tiny_data)
  assert "accuracy" not in evaluating.values(evaluator, None)
  assert "ended with code 3 and said: out of memory" in evaluator.protocol
  path("vsearch", FAKE)                          # repaired: the next run has scores
  assert "accuracy" in evaluating.values(evaluator, None)
  assert "no values" not in evaluator.protocol


def test_hits_keep_the_first_that_is_not_the_query_itself():
  lines = ["2\t2\t100", "2\t5\t99", "2\t1\t98", "0\t*\t0", "3\t3\t97"]
  ids, identities = programs.read_hits(lines, own=np.array([-1, 1, 2, -1]))
  np.testing.assert_array_equal(ids, [-1, -1, 5, 3])
  np.testing.assert_allclose(identities, [0, 0, .99, .97])


def test_fasta_of_base_codes_holds_letters_without_padding_and_no_empty_records(path, tmp_path):
  path("vsearch", """#!/bin/sh
while [ "$1" != --userout ]; do shift; done
printf '0\\t1\\t90.0\\n' > "$2"
""")
  rows = base_codes.encode_batch(["ACGT", "", "TNRA"], 6)
  (ids, identities), reason = programs.search(rows, ["ACGT", "GGGG"], "vsearch")
  assert reason is None
  np.testing.assert_array_equal(ids, [1, -1, -1])
  np.testing.assert_allclose(identities, [.9, 0, 0])
  programs.write_fasta(tmp_path / "x.fasta", programs._named(rows))
  assert (tmp_path / "x.fasta").read_text() == ">0\nACGT\n>2\nTNNA\n"


SINTAX = f"""#!{sys.executable}
import sys
args = dict(zip(sys.argv[1:], sys.argv[2:]))
first = open(args["--db"]).readline().strip()
assert first == ">0;tax=g:3,s:0;", first
open(args["--tabbedout"], "w").write("1\\tg:3(0.98),s:0(0.51)\\t+\\tg:3\\n0\\t\\t\\n")
"""


def test_sintax_reads_numbers_of_names_and_their_shares(path):
  path("vsearch", SINTAX)
  names = {"genus": np.array([3]), "species": np.array([0])}
  found, reason = programs.sintax(["ACGT", "ACGA"], ["ACGT"], names)
  assert reason is None
  np.testing.assert_array_equal(found["genus"][0], [-1, 3])
  np.testing.assert_allclose(found["species"][1], [0, .51])
