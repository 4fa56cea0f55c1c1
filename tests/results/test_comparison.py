"""Comparisons on the same queries: paired differences and their intervals."""

import made_up
import numpy as np
import pytest

from dnajax.results import bootstrap, comparison, report, store


def test_differences_are_paired_over_queries(tmp_path):
  rng = np.random.default_rng(0)
  right = {name: rng.random(400) < share for name, share in
           (("untrained", 0.4), ("trained", 0.6), ("counts", 0.8))}
  one = made_up.with_queries(made_up.found("a"), **right)
  same = made_up.with_queries(made_up.found("b"), **right)
  (task, rows), = comparison.tables([one, same])
  assert task == "genus 1-NN, unseen → train"
  cells = {(run, kind): rest for run, kind, *rest in rows[1:]}
  assert cells["a", "trained encoder"][2:] == ["", ""]
  assert cells["b", "trained encoder"][2:] == ["+0.0", "+0.0 to +0.0"]
  accuracy, _, difference, interval = cells["", "6-mer counts"]
  assert accuracy == f"{100 * right['counts'].mean():.1f} %"
  gap = 100 * (right["counts"].mean() - right["trained"].mean())
  low, high = map(float, interval.replace("+", "").split(" to "))
  assert float(difference) == pytest.approx(gap, abs=0.06) and low < gap < high
  # What is written beside a report is read again.
  report.write(tmp_path / "report", [one], [tmp_path / "none"])
  read = store.load(tmp_path)
  np.testing.assert_array_equal(read["is_right"]["knn/6-mer counts"], right["counts"])
  assert comparison.tables([read, same]) == [(task, rows)]
  assert "difference to" in (tmp_path / "report" / "report.md").read_text()


def test_seeds_of_a_setting_count_as_one_in_a_comparison():
  found = []
  for seed, values in enumerate(([1, 1, 0, 0], [1, 0, 0, 0])):
    one = made_up.with_queries(made_up.found(f"run-{seed}"), trained=values, counts=[1, 1, 1, 0])
    one["run"] |= {"setting": "s", "seed": seed}
    found.append(one)
  (_, rows), = comparison.tables(found)
  assert [row[:3] for row in rows[1:]] == [["run (2 seeds)", "trained encoder", "37.5 %"],
                                           ["", "6-mer counts", "75.0 %"]]
  assert rows[2][4] == "+37.5"


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_intervals_are_those_of_resampled_queries(share):
  rng = np.random.default_rng(1)
  values = rng.random(60) < share
  means = [rng.choice(values, 60).mean() for _ in range(4000)]
  np.testing.assert_allclose(bootstrap.interval(values), np.quantile(means, [0.025, 0.975]),
                             atol=0.021)
