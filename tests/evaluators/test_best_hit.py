"""Best hits by alignment, with programs that only pretend to align."""

import os
import stat
import sys

import evaluating
import numpy as np
import pytest

from dnajax.evaluators import best_hit
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


@pytest.mark.parametrize("program", best_hit.NAMES)
def test_an_absent_program_gives_no_scores_and_says_so(path, tiny_data, program):
  evaluator = make(tiny_data, program=program)
  values = evaluating.values(evaluator, None)
  assert "accuracy" not in values and values["num_queries"] > 0
  assert f"the program {program} was not found" in evaluator.protocol
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
  np.testing.assert_array_equal(best_hit.read_hits(lines, own=np.array([-1, 1, 2, -1])),
                                [-1, -1, 5, 3])


def test_fasta_holds_letters_without_padding_and_no_empty_records(tmp_path):
  rows = base_codes.encode_batch(["ACGT", "", "TNRA"], 6)
  best_hit.write_fasta(tmp_path / "x.fasta", rows)
  assert (tmp_path / "x.fasta").read_text() == ">0\nACGT\n>2\nTNNA\n"
