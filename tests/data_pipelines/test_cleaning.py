"""Cleaning: what is changed, what is dropped and why."""

import pytest

from data_pipelines import cleaning, kmer_text
from dnajax.shell import errors


@pytest.mark.parametrize("written, bases", [
    ("acgtACGT", b"ACGTACGT"), ("AC-GT--", b"ACGT"), ("AUGu", b"ATGT"),
    ("NNACNGTNnn", b"ACNGT"), ("-N-ACGT-N-", b"ACGT"), ("ACRYSWKMBDHVN", b"ACRYSWKMBDHV")])
def test_sequences_are_upper_cased_ungapped_and_stripped(written, bases):
  assert cleaning.take(written, cleaning.Policy()) == (bases, None)


@pytest.mark.parametrize("written", ["acgurt", "--ACG-TRT", "NNACGTRTN", "n-ACGURT-n"])
def test_gaps_case_u_and_outer_n_make_no_difference(written):
  assert cleaning.Cleaning().clean(written) == b"ACGTRT"
  assert cleaning.Cleaning().clean(written.encode()) == b"ACGTRT"


def test_kmers_are_joined_where_a_data_set_holds_them():
  joined = cleaning.Cleaning(trim=False, join_kmers=True)
  assert joined.clean("NACG ACGu CGUN") == b"NACGTN"
  assert joined.clean("NACGTN") == b"NACGTN"
  with pytest.raises(kmer_text.NoOverlapError):
    joined.clean("ACG TTT")


def test_ambiguity_codes_are_counted_and_n_is_none():
  assert cleaning.num_ambiguous("ACGTNRYNT") == 2


def test_outer_n_stay_if_wanted():
  assert cleaning.take("NACN", cleaning.Policy(cleaning.Cleaning(trim=False))) == (b"NACN", None)


@pytest.mark.parametrize("written, policy, reason", [
    ("", {}, "no_sequence"), ("--NN", {}, "no_sequence"),
    ("ACGT", dict(min_length=5), "too_short"), ("ACGT", dict(max_length=3), "too_long"),
    ("ACNNGT", dict(max_unknown=1), "too_many_unknown"),
    ("ACNRGT", dict(max_unknown=.3), "too_many_unknown"),
    ("ACRT", dict(alphabet="acgtn"), "ambiguity_letters"),
    ("ACXT", dict(on_bad_letters="drop"), "letters_outside_iupac"),
    ("ACGTÄ", dict(on_bad_letters="drop"), "letters_outside_iupac")])
def test_a_dropped_sequence_has_one_reason(written, policy, reason):
  assert cleaning.take(written, cleaning.Policy(**policy)) == (None, reason)


@pytest.mark.parametrize("written, policy", [
    ("ACGT", dict(min_length=4, max_length=4)), ("ACNNGT", dict(max_unknown=2)),
    ("ACNRGTAAAA", dict(max_unknown=.2)), ("ACNT", dict(alphabet="acgtn")),
    ("ACGT", dict(max_unknown=0))])
def test_limits_are_included(written, policy):
  assert cleaning.take(written, cleaning.Policy(**policy)) == (written.encode(), None)


def test_letters_outside_iupac_are_named():
  with pytest.raises(cleaning.BadLettersError, match="EÄ"):
    cleaning.take("acgteeÄ", cleaning.Policy())


@pytest.mark.parametrize("text, value", [("", -1), ("0", 0), ("0.02", .02), ("2%", .02),
                                         ("12", 12)])
def test_max_unknown_is_a_share_or_a_number(text, value):
  assert cleaning.parse_max_unknown(text) == value


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "200%"])
def test_a_senseless_max_unknown_is_refused(text):
  with pytest.raises(errors.UserError, match="max_unknown"):
    cleaning.parse_max_unknown(text)
