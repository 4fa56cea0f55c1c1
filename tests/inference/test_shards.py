"""Outputs in several files: any number of runs and processes makes the same bytes."""

import signal
import time

import numpy as np
import processes
import pyarrow.parquet as pq
import pytest
import tiny

from dnajax import embed as program
from dnajax.inference import embed_files, sources
from dnajax.shell import errors

NUM, SIZE = 50, 8


@pytest.fixture(scope="module")
def fasta(tmp_path_factory):
  rng = np.random.default_rng(0)
  path = tmp_path_factory.mktemp("fasta") / "a.fa"
  path.write_text("".join(f">r{i}\n{''.join(rng.choice(list('ACGT'), rng.integers(3, 90)))}\n"
                          for i in range(NUM)))
  return path


def embed(embedder, fasta, output, **options):
  with sources.opened([str(fasta)]) as source:
    number, digest = source.survey()
    return embed_files.embed_shards(
        embedder, source, output, batch_size=8, input_digest=digest,
        **{"num_sequences": number, "shard_size": SIZE} | options)


def contents(folder):
  return {path.name: path.read_bytes() for path in folder.iterdir()}


class Killed(BaseException):
  """Not what anybody catches."""


@pytest.fixture(scope="module")
def whole(tiny_embedder, fasta, tmp_path_factory):
  folder = tmp_path_factory.mktemp("whole")
  embed(tiny_embedder, fasta, folder / "out.parquet")
  return contents(folder)


def test_shards_are_the_output_in_order(tiny_embedder, fasta, whole, tmp_path):
  assert sorted(whole) == [*(f"out-{n:05d}.parquet" for n in range(7)), "out.shards.json"]
  with sources.opened([str(fasta)]) as source:
    counts = embed_files.embed_file(tiny_embedder, source.records(), tmp_path / "one.parquet")
  assert counts.num_sequences == NUM
  one = pq.read_table(tmp_path / "one.parquet")
  for name, content in whole.items():
    if name.endswith(".parquet"):
      (tmp_path / name).write_bytes(content)
  parts = [pq.read_table(tmp_path / name) for name in sorted(whole) if name.endswith("parquet")]
  assert [name for part in parts for name in part["id"].to_pylist()] == one["id"].to_pylist()
  assert [len(part) for part in parts] == [SIZE] * 6 + [2]
  np.testing.assert_allclose(
      np.concatenate([np.array(part["embedding"].to_pylist()) for part in parts]),
      np.array(one["embedding"].to_pylist()), atol=1e-5)


@pytest.mark.parametrize("after", [0, 5, 20, 41])
def test_a_killed_run_goes_on_and_makes_the_same_bytes(
    tiny_embedder, fasta, whole, tmp_path, after):
  done = 0

  def progress(number):
    nonlocal done
    done += number
    if done > after:
      raise Killed

  with pytest.raises(Killed):
    embed(tiny_embedder, fasta, tmp_path / "out.parquet", progress=progress)
  there = contents(tmp_path)
  assert len(there) == 1 + after // SIZE    # no half of a file, and what it is made of
  # What SIGKILL leaves, which lets nobody clean up.
  (tmp_path / f".out-{after // SIZE:05d}.parquet.part").write_bytes(b"PAR1 half")
  _, num_made, _ = embed(tiny_embedder, fasta, tmp_path / "out.parquet")
  assert num_made == 7 - after // SIZE and contents(tmp_path) == whole
  _, num_made, _ = embed(tiny_embedder, fasta, tmp_path / "out.parquet")
  assert num_made == 0 and contents(tmp_path) == whole


def test_processes_share_the_shards(tiny_embedder, fasta, whole, tmp_path):
  with pytest.raises(errors.UserError, match="out-00000.parquet and 3 more are missing"):
    embed(tiny_embedder, fasta, tmp_path / "out.parquet", share=(1, 2))
  assert {name[:9] for name in contents(tmp_path)} == {
      "out-00001", "out-00003", "out-00005", "out.shard"}
  embed(tiny_embedder, fasta, tmp_path / "out.parquet", share=(0, 2))
  assert contents(tmp_path) == whole


def test_shards_of_something_else_stay_unless_overwrite(tiny_embedder, fasta, whole, tmp_path):
  output = tmp_path / "out.parquet"
  embed(tiny_embedder, fasta, output)
  other = tmp_path / "other"
  other.mkdir()
  (other / "b.fa").write_text(fasta.read_text().replace("ACG", "ACC"))
  for changed, words in (
      (dict(fasta=other / "b.fa"), "input"), (dict(shard_size=9), "shard_size .then 8, now 9."),
      (dict(dtype="float16"), "dtype")):
    before = {name: data for name, data in whole.items()}
    with pytest.raises(errors.UserError, match=f"made of something else: {words}"):
      embed(tiny_embedder, changed.pop("fasta", fasta), output, **changed)
    assert {name: (tmp_path / name).read_bytes() for name in whole} == before
  embed(tiny_embedder, fasta, output, shard_size=20, overwrite=True)
  assert len(list(tmp_path.glob("out-*"))) == 3
  (tmp_path / "out.shards.json").write_text("{")
  with pytest.raises(errors.UserError, match="is damaged. Remove it"):
    embed(tiny_embedder, fasta, output)
  (tmp_path / "out.shards.json").unlink()
  with pytest.raises(errors.UserError, match="is of no known run"):
    embed(tiny_embedder, fasta, output)


def command(tiny_workdir, fasta, folder):
  return ["-m", "dnajax.embed", f"--workdir={tiny_workdir}", f"--input={fasta}",
          f"--output={folder / 'out.npy'}", "--batch_size=8", "--shard_size=8"]


@pytest.mark.slow
def test_two_processes_write_a_share_each(tiny_workdir, fasta, tmp_path):
  ended = processes.wait(processes.start(
      [*command(tiny_workdir, fasta, tmp_path), "--distributed"]))
  assert [code for code, *_ in ended] == [0, 0], ended
  assert "4 of 7 were made now" in ended[0][1] and "3 of 7 were made now" in ended[1][1]
  assert len(list(tmp_path.iterdir())) == 2 * 7 + 1


@pytest.mark.slow
def test_sigterm_ends_it_with_the_code_that_says_start_again(tiny_workdir, fasta, tmp_path):
  many = tmp_path / "many.fa"
  many.write_text(fasta.read_text() * 2000)
  process = tiny.start(*command(tiny_workdir, many, tmp_path)[1:])
  while not (tmp_path / "out-00002.npy").exists() and process.poll() is None:
    time.sleep(0.05)
  process.send_signal(signal.SIGTERM)
  _, err = process.communicate(timeout=60)
  assert process.returncode == 42 and "the same command goes on" in err, err
  assert not list(tmp_path.glob(".*"))


def test_a_sigterm_counts_at_once_before_anything_is_written_and_then_between_batches():
  done = []
  with pytest.raises(program._Asked):
    program._Sigterm()()
  sigterm = program._Sigterm()
  progress = sigterm.between_batches(done.append)
  progress(3)
  sigterm()
  with pytest.raises(program._Asked):
    progress(4)
  with pytest.raises(program._Asked):
    sigterm()          # the second one does not wait
  assert done == [3]
