"""A library that names sequences: right where it is sure, the same however it is asked."""

import dataclasses

import libraries
import numpy as np
import pytest

from dnajax.identification import (
    approximate,
    calibration,
    comparison,
    features,
    fitting,
    held_out,
    identifier,
    novelty,
    shortlist,
)
from dnajax.identification import index as index_lib
from dnajax.identification import references as references_lib
from dnajax.inference import neighbors, strands
from dnajax.shell import errors

NAMED = libraries.rows()


@pytest.fixture(scope="module")
def library():
  references, queries = libraries.split(NAMED, libraries.is_last_species)
  lines = []
  made = fitting.fit(references, [features.Kmers()], say=lines.append)
  assert any("6-mers" in line for line in lines)
  return made, [text for _, text, _ in queries], [names for *_, names in queries]


def as_tuple(call):
  return (call.query, tuple(call.names.items()), tuple(call.is_called.items()),
          [name for name, *_ in call.hits])


def test_unseen_species_get_the_right_genus_and_family(library):
  made, queries, names = library
  calls = made.identify(queries)
  for rank in ("family", "genus"):
    assert np.mean([call.names[rank] == one[rank]
                    for call, one in zip(calls, names, strict=True)]) > .9
  assert np.mean([call.probabilities["species"] for call in calls]) < .5   # none is known


def test_what_plays_a_query_of_a_known_species_looks_like_one():
  """All species have as many references: one that plays leaves one fewer than a true query."""
  references, queries = libraries.split(libraries.rows(species=6, individuals=5),
                                        lambda row: row[0].endswith("4"))
  made = fitting.fit(references, [features.Kmers()], say=lambda line: None)
  played = fitting._play(made, "species", np.ones(len(references.ids), bool), 0, {})
  candidates = made.candidates([text for _, text, _ in queries])
  _, true = shortlist.lineages(
      candidates, candidates.scores(made.weights), references.names)["species"]
  of_players = played.evidence.values[played.is_known & played.is_whole]
  spread = of_players.std(axis=0) + .01
  assert (abs(true.values.mean(axis=0) - of_players.mean(axis=0)) < spread).all()


def test_a_sequence_of_the_references_is_found_with_identity_one(library):
  made, _, _ = library
  text = made.references.sequences[7]
  (call,) = made.identify([text.lower()])
  name, cosine, identity, overlap = call.hits[0]
  assert made.references.sequences[made.references.ids.index(name)] == text
  assert identity == 1 and overlap == len(text) and cosine == pytest.approx(1, abs=1e-3)


def test_no_rank_is_less_likely_than_one_below_it(library):
  made, queries, _ = library
  for call in made.identify(queries + made.references.sequences[:20]):
    values = list(call.probabilities.values())
    assert values == sorted(values, reverse=True) and 0 <= min(values) <= max(values) <= 1


def test_what_is_asked_together_does_not_change_a_call(library):
  made, queries, _ = library
  want = [as_tuple(call) for call in made.identify(queries, batch_size=64)]
  got = [as_tuple(call) for call in made.identify(queries, batch_size=5)]
  assert want == got


def test_equal_queries_and_those_of_the_sample_are_searched_once(library, monkeypatch):
  made, queries, _ = library
  asked = []
  nearest = identifier.Identifier._nearest
  monkeypatch.setattr(identifier.Identifier, "_nearest", lambda self, texts, *rest: (
      asked.extend(texts), nearest(self, texts, *rest))[1])
  again = queries[:8] + queries[:8]
  calls = made.identify(again, batch_size=3)
  assert sorted(asked) == sorted(set(queries[:8]))
  monkeypatch.setattr(identifier, "SAMPLE", 2)   # most are not of the sample
  apart = dataclasses.replace(made, shares={}).identify(again, batch_size=3)
  for first, second, other in zip(calls[:8], calls[8:], apart[:8], strict=True):
    assert as_tuple(first)[1:] == as_tuple(second)[1:]
    assert first.probabilities == pytest.approx(second.probabilities)
    assert [name for name, *_ in first.hits] == [name for name, *_ in other.hits]
  asked.clear()
  assert [as_tuple(call)[3] for call in made.identify(again, batch_size=3)] == [
      as_tuple(call)[3] for call in calls]
  assert set(asked) == set(queries[:8])


def test_the_lowest_probability_decides_what_is_called(library):
  made, queries, _ = library
  assert all(all(call.is_called.values()) for call in made.identify(queries, min_probability=0))
  for call in made.identify(queries, min_probability=.7):
    assert call.is_called == {rank: p >= .7 for rank, p in call.probabilities.items()}


def test_a_graph_finds_what_an_exact_search_finds_and_k_mers_have_none(library):
  rng = np.random.default_rng(0)
  keys = rng.normal(size=(500, 16)).astype(np.float32)
  rows = keys[:200] + rng.normal(size=(200, 16)).astype(np.float32) * .3
  want, cosines = neighbors.nearest(rows, keys, 4)
  ids, found = approximate.Graph(keys).nearest(rows, 4)
  # Graphs are built by several threads: no two are the same, and one miss moves a row up.
  assert np.mean([np.isin(got, one) for got, one in zip(ids, want, strict=True)]) > .95
  np.testing.assert_allclose(found[ids == want], cosines[ids == want], atol=1e-4)
  with pytest.raises(errors.UserError, match="6-mers"):
    approximate.Graph(library[0].keys)


def test_reads_of_either_strand_are_named_alike(library):
  made, queries, _ = library
  turned = [strands.reverse_complement(text.encode()).decode() for text in queries]
  either = dataclasses.replace(made, strand="either")
  straight, other = either.identify(queries), either.identify(turned)
  assert not any(call.is_reversed for call in straight)
  assert all(call.is_reversed for call in other)
  assert [call.names for call in straight] == [call.names for call in other]


def test_a_library_too_small_to_learn_from_says_so_and_still_finds():
  references, said = references_lib.collect(NAMED[:6]), []
  made = fitting.fit(references, [features.Kmers()], say=said.append)
  (call,) = made.identify([NAMED[2][1]])
  assert any("Too few references" in line for line in said)
  assert call.hits[0][2] == 1 and not any(call.is_called.values())
  (call,) = made.identify([NAMED[2][1]], min_probability=0)
  assert call.names["species"] == NAMED[2][2]["species"] and all(call.is_called.values())


def test_what_cannot_be_read_is_not_named(library):
  made, _, _ = library
  for call in made.identify(["", "ACGT", "N" * 300, "?" * 100]):
    assert not any(call.names.values()) and not any(call.is_called.values())


def test_probabilities_are_as_often_right_as_they_say():
  references, queries = libraries.split(libraries.rows(seed=1, genera=5, individuals=5),
                                        libraries.is_last_species)
  made = fitting.fit(references, [features.Kmers()], say=lambda line: None)
  calls = made.identify([text for _, text, _ in queries])
  right = [call.names["genus"] == row[2]["genus"]
           for call, row in zip(calls, queries, strict=True)]
  said = [call.probabilities["genus"] for call in calls]
  assert abs(np.mean(said) - np.mean(right)) < .1
  assert made.report["ranks"]["genus"]["calibration_error"] < .1


def test_features_that_find_fewer_taxa_are_not_taken():
  class Useless(features.Encoder):
    def __init__(self):
      pass

    def rows(self, sequences):
      return np.random.default_rng(0).normal(size=(len(sequences), 8)).astype(np.float32)

  references, _ = libraries.split(NAMED, libraries.is_last_species)
  made = fitting.fit(references, [Useless(), features.Kmers()], say=lambda line: None)
  assert made.features.name == "6-mers" and set(made.report["features"]) == {"encoder", "6-mers"}


def test_only_species_the_encoder_does_not_know_play_queries_if_they_are_enough(monkeypatch):
  references, _ = libraries.split(NAMED, libraries.is_last_species)
  is_novel = np.array([name.endswith("00") for name in references.ids])
  said = []
  few = fitting.fit(references, [features.Kmers()], is_novel=is_novel, say=said.append)
  assert few.report["is_trained_on"] and any("too high" in line for line in said)
  monkeypatch.setattr(held_out, "ENOUGH", 5)
  enough = fitting.fit(references, [features.Kmers()], is_novel=is_novel, say=said.append)
  assert not enough.report["is_trained_on"]
  assert enough.report["features"]["6-mers"]["num"] <= is_novel.sum()


def test_an_index_gives_the_same_calls_and_refuses_damage(library, tmp_path):
  made, queries, _ = library
  index_lib.save(tmp_path / "index", made, model="")
  again = index_lib.load(tmp_path / "index")
  assert again.references.fingerprint() == made.references.fingerprint()
  for a, b in zip(made.identify(queries), again.identify(queries), strict=True):
    assert as_tuple(a) == as_tuple(b) and a.probabilities == b.probabilities
  path = tmp_path / "index" / index_lib.NAME
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 1
  path.write_bytes(content)
  with pytest.raises(errors.UserError, match="damaged.*--overwrite"):
    index_lib.load(tmp_path / "index")
  with pytest.raises(errors.UserError, match="no index"):
    index_lib.load(tmp_path)


def test_left_out_taxa_are_wholly_left_out_and_are_queries():
  references = references_lib.collect(NAMED)
  kept, ids = novelty.hold_out(references, shares={
      "family": .3, "genus": .1, "species": .1, "sequence": .1})
  assert not {references.ids[i] for i in ids} & set(kept.ids)
  assert len(ids) + len(kept.ids) == len(references.ids)
  names = {rank: column[ids] for rank, column in references.names.items()}
  wanted = novelty.wanted(kept, names)
  assert (wanted["family"] == -2).any() and (wanted["family"] >= 0).any()
  for rank, column in wanted.items():
    assert not np.isin(names[rank][column == -2], kept.names[rank]).any()
  assert ((wanted["family"] == -2) <= (wanted["species"] == -2)).all()


def test_the_more_queries_are_of_unknown_genera_the_less_likely_is_a_name(library):
  made, queries, _ = library
  said = [[call.probabilities["genus"] for call in dataclasses.replace(
      made, shares={"genus": share}).identify(queries)] for share in (.001, .05, .5, .99)]
  assert (np.diff(np.array(said), axis=0) <= 0).all() and np.mean(said[3]) < np.mean(said[0])


def test_the_share_of_unknown_genera_is_estimated_from_the_queries(library):
  """Queries with their genus in the library, and some without: the estimate follows."""
  made, queries, names = library
  genera = {name["genus"] for name in names}
  lost = sorted(genera)[: len(genera) // 2]
  column = made.references.names["genus"]
  gone = {made.references.vocabularies["genus"].index(name) for name in lost}
  fewer = fitting.fit(novelty.subset(made.references, np.flatnonzero(
      ~np.isin(column, list(gone)))), [made.features], say=lambda line: None)
  has = np.array([name["genus"] not in lost for name in names])
  shares = [fewer.expecting_like(list(enumerate(np.array(queries)[chosen]))).shares["genus"]
            for chosen in (has, np.ones(len(has), bool), ~has)]
  assert shares[0] < shares[1] < shares[2] and shares[0] < .2
  assert dataclasses.replace(made, shares={}).expecting_like([("a", queries[0])]).shares == {}


def test_a_comparison_scores_known_names_and_ranks_unknown_ones(library):
  made, queries, names = library
  wanted = novelty.number(made.references, names)
  assert (wanted["species"] == -2).all() and (wanted["genus"] >= 0).all()
  for method in ("identify", "features"):
    answers, reason = comparison.answer(made, queries, method)
    found = comparison.measure(answers, wanted)
    assert reason is None and found["genus"]["accuracy"] > .9
    assert np.isnan(found["species"]["accuracy"]) and found["species"]["num_unknown"] == len(
        queries)
  calls = made.identify(queries)
  answers, _ = comparison.answer(made, queries, "identify")
  np.testing.assert_allclose(answers.probabilities["genus"],
                             [call.probabilities["genus"] for call in calls])


def test_measures_are_the_definitions():
  answers = comparison.Answers(
      {"genus": np.array([0, 1, 1, 2])}, {"genus": np.array([9, 8, 3, 6])}, 1.0,
      {"genus": np.array([.9, .8, .3, .6])})
  found = comparison.measure(answers, {"genus": np.array([0, 0, -2, -1])})["genus"]
  assert found["accuracy"] == .5 and found["num"] == 2 and found["num_unknown"] == 1
  assert found["auroc"] == 1
  assert found["calibration_error"] == pytest.approx(calibration.expected_error(
      [.9, .8, .3], [True, False, False]))
