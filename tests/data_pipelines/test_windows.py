"""Windows of contigs that come in pieces: equal to cutting the whole contig."""

import collections
import itertools

import numpy as np
import pytest

from data_pipelines import windows
from dnajax.shell import errors


def random_contig(rng, length, n_share=0.05):
  """Letters with runs of N of all lengths, some of them at the ends."""
  letters = rng.choice(list("ACGT"), length)
  while length and (letters == "N").mean() < n_share:
    start = rng.integers(-3, length)
    letters[max(0, start):start + rng.geometric(.2)] = "N"
  return "".join(letters)


def in_pieces(rng, text):
  """The text in parts of random length."""
  cuts = np.sort(rng.integers(0, len(text) + 1, len(text) // 9 + 1))
  parts = [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]
  return [part.encode() for part in parts if part]


def slow_windows(text, cuts, *, split_of, block_length, sizes, offset):
  """The sentences of Cuts, with the whole contig at hand.

  Returns (windows as (split, first, last, letters), Counter of what is dropped).
  """
  known = [(i, letter) for i, letter in enumerate(text) if letter != "N"]
  dropped = collections.Counter(bases_n=len(text) - len(known),
                                bases_before_start=min(offset, len(known)))
  stretches = []
  for i, letter in known[offset:]:
    split = split_of(i // block_length if block_length else 0)
    if (not stretches or stretches[-1][0] != split
        or cuts.n_policy == "split" and stretches[-1][1][-1][0] != i - 1):
      stretches.append((split, []))
    stretches[-1][1].append((i, letter))
  out = []
  for split, letters in stretches:
    at = end = 0
    length, step = next(sizes)
    while at + length <= len(letters):
      out.append((split, letters[at:at + length]))
      at, end = at + step, at + length
      length, step = next(sizes)
    if end < len(letters):
      if len(letters) - at >= cuts.shortest:
        out.append((split, letters[at:]))
      else:
        dropped.update(windows_too_short=1, bases_too_short=len(letters) - end)
  return [(split, w[0][0], w[-1][0], "".join(letter for _, letter in w).encode())
          for split, w in out], +dropped


def fast_windows(pieces, cuts, *, split_of, block_length, seed, offset):
  dropped = collections.Counter()
  runs = windows.skip(windows.known_runs(pieces, dropped), offset, dropped)
  stretches = windows.assign(runs, split_of, block_length)
  return list(windows.cut(stretches, cuts, np.random.default_rng(seed), dropped)), +dropped


CUTS = [dict(mode="mixed", length=12, shortest=3), dict(mode="mixed", length=2, shortest=1),
        dict(mode="fixed", length=10, shortest=4), dict(mode="fixed", length=10, stride=3),
        dict(mode="fixed", length=8, stride=1, shortest=1)]


@pytest.mark.parametrize("n_policy", windows.N_POLICIES)
@pytest.mark.parametrize("block_length", [0, 20])
@pytest.mark.parametrize("options", CUTS, ids=lambda cuts: "-".join(map(str, cuts.values())))
def test_windows_in_pieces_are_those_of_the_whole_contig(options, block_length, n_policy):
  cuts = windows.Cuts(**{"shortest": 6, **options}, n_policy=n_policy)
  for seed, length in enumerate([0, 1, 2, 5, 11, 12, 13, 60, 400, 400, 400]):
    rng = np.random.default_rng(seed)
    text, offset = random_contig(rng, length), int(rng.integers(0, 9))
    place = dict(split_of=lambda block: "valid" if block % 3 == 1 else "train",
                 block_length=block_length, offset=offset)
    expected = slow_windows(text, cuts, **place,
                            sizes=windows._sizes(cuts, np.random.default_rng(seed)))
    for pieces in ([text.encode()] if text else [], in_pieces(rng, text)):
      assert fast_windows(pieces, cuts, **place, seed=seed) == expected


def test_every_letter_is_in_one_mixed_window_or_counted():
  rng = np.random.default_rng(1)
  text = random_contig(rng, 3000)
  out, dropped = fast_windows(in_pieces(rng, text), windows.Cuts(length=30, shortest=9),
                              split_of=lambda _: "train", block_length=0, seed=0, offset=40)
  assert sum(len(window) for *_, window in out) + dropped["bases_n"] + dropped[
      "bases_before_start"] + dropped["bases_too_short"] == len(text)
  ends = [-1]
  for _, first, last, letters in out:
    assert first > ends[-1] and text[first:last + 1].encode() == letters
    ends.append(last)


def test_half_of_the_mixed_windows_are_full_and_the_others_uniformly_shorter():
  out, _ = fast_windows([b"A" * 400_000], windows.Cuts(length=21, shortest=6),
                        split_of=lambda _: "train", block_length=0, seed=3, offset=0)
  count = np.bincount([len(window) for *_, window in out[:-1]], minlength=22)
  assert count[21] / count.sum() == pytest.approx(.5, abs=.01)
  assert not count[:6].any()
  assert (np.abs(count[6:21] / count[6:21].sum() - 1 / 15) < .01).all()


def test_fixed_windows_overlap_by_their_length_less_the_stride():
  out, dropped = fast_windows(
      [b"ACGTACGTAC"], windows.Cuts(mode="fixed", length=6, shortest=3, stride=3),
      split_of=lambda _: "train", block_length=0, seed=0, offset=0)
  assert [letters for *_, letters in out] == [b"ACGTAC", b"TACGTA", b"GTAC"]
  assert not dropped


def test_deleting_n_joins_its_flanks_and_positions_are_those_of_the_contig():
  cuts = windows.Cuts(mode="fixed", length=4, shortest=1, n_policy="delete")
  out, dropped = fast_windows([b"ACNN", b"NGTTA"], cuts, split_of=lambda _: "train",
                              block_length=0, seed=0, offset=0)
  assert out == [("train", 0, 6, b"ACGT"), ("train", 7, 8, b"TA")]
  assert dropped == {"bases_n": 3}


@pytest.mark.parametrize("options, message", [
    (dict(mode="x"), "--windows"), (dict(n_policy="x"), "--n_policy"),
    (dict(shortest=0), "--shortest_window=0"), (dict(length=6), "--shortest_window=6"),
    (dict(mode="fixed", stride=512), "--stride=512"), (dict(stride=5), "belongs to"),
    (dict(start_offset=-1), "--start_offset=-1")])
def test_senseless_cuts_are_refused(options, message):
  with pytest.raises(errors.UserError, match=message):
    windows.Cuts(**options)
