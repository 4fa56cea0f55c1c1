"""Names with probabilities: a library that was searched against itself first."""

import dataclasses
import functools
import itertools
from concurrent import futures

import numpy as np

from data_pipelines import cleaning as cleaning_lib
from data_pipelines import kmer_text
from dnajax.data import records
from dnajax.identification import calibration, columns, shortlist
from dnajax.inference import strands
from dnajax.shell import errors
from dnajax.tokens import bases as base_codes

UNKNOWN = 0.05         # share of the queries whose genus (family, …) no reference is of
UNKNOWN_SPECIES = 0.5  # most species of animals have no barcode
SAMPLE = 4_000         # queries that say how many there are of unknown taxa
_SHORTEST = 30         # base pairs of a query of which anything is said
_MOST_PROFILED = 10_000  # references that say what the right strand looks like


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
  """What is said of one query.

  Attributes:
    query: its id.
    names: {rank: name of the likeliest taxon, "" if no candidate has one}, high to low.
    probabilities: {rank: that the name is right}; 0 without a name.
    is_called: {rank: whether it is likely enough}.
    hits: [(id of a reference, cosine, identity, overlap in bp)], the best first; empty
      for a query that cannot be read.
    length: base pairs of the query.
    is_reversed: whether its other strand was read.
  """
  query: str
  names: dict
  probabilities: dict
  is_called: dict
  hits: list
  length: int
  is_reversed: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class Identifier:
  """References, what they are searched by, and how far an answer can be trusted.

  Attributes:
    references: references.References.
    features: of features.py.
    keys: [N, D] features of the references less `centre`.
    centre: [D].
    middles: centroids.Centroids of the references' taxa at the main rank.
    weights: shortlist.Weights of a score.
    calibrators: {rank: by_length.ByLength}; of a rank without one nothing is known beyond
      what is known of those below it.
    thresholds: {rank: the lowest probability at which a call is made by default}.
    report: what was found when the library was searched against itself, JSON-serialisable.
    strand: "forward", "reverse" or "either", see `inference.strands`.
    cleaning: of the queries' letters.
    shares: {rank: of the queries, how many are taken to be of a taxon that the references
      lack, among those that they lack one rank below}; None: UNKNOWN and UNKNOWN_SPECIES,
      until `expecting` has seen queries, of which `identify` takes care.
    graph: approximate.Graph of the references; None: the search is exact.
    learned: learned.Learned of the encoder; None where it has learned no names.
    sampled: {text of a query: its shortlist.Candidates}, what `expecting_like` has searched
      already.
  """
  references: object
  features: object
  keys: object
  centre: np.ndarray
  middles: object
  weights: shortlist.Weights
  calibrators: dict
  thresholds: dict
  report: dict
  strand: str = "forward"
  cleaning: cleaning_lib.Cleaning = cleaning_lib.Cleaning()
  shares: dict | None = None
  graph: object = None
  learned: object = None
  sampled: dict = dataclasses.field(default_factory=dict)

  def identify(self, sequences, *, ids=None, min_probability=None, batch_size=512):
    """Calls for some sequences.

    Args:
      sequences: list of str as they are written.
      ids: their names; default 0, 1, ….
      min_probability: of a call; default what the calibration found for each rank; 0
        calls always.
      batch_size: sequences per step.

    Returns:
      List of Call.
    """
    ids = [str(i) for i in range(len(sequences))] if ids is None else ids
    pairs = list(zip(ids, sequences, strict=True))
    made = self.expecting_like([pairs[i] for i in records.fixed_sample(len(pairs), SAMPLE)],
                               batch_size=batch_size)
    return list(made.stream(pairs, min_probability=min_probability, batch_size=batch_size))

  def stream(self, pairs, *, min_probability=None, batch_size=512):
    """Yields a Call for each (id, sequence), in constant memory; order kept.

    The next batch is searched on the device while one is aligned.
    """
    with futures.ThreadPoolExecutor(1) as pool:
      source, waiting = iter(pairs), None
      while chunk := list(itertools.islice(source, batch_size)):
        coming = pool.submit(self._search, chunk, batch_size)
        if waiting is not None:
          yield from self._calls(*waiting.result(), min_probability)
        waiting = coming
      if waiting is not None:
        yield from self._calls(*waiting.result(), min_probability)

  def candidates(self, sequences, *, pad_to=0, groups=None, is_blind=None, known=None):
    """shortlist.Candidates of cleaned sequences; `pad_to` keeps shapes, hence programs.
    groups, is_blind: see `learned.Learned.evidence`; known: see `shortlist.align`."""
    found, learned = self._nearest(sequences, pad_to, groups, is_blind)
    return shortlist.align(*found, sequences, self.references.sequences, learned, known)

  def candidates_of_all(self, sequences, batch_size=512):
    """The same of any number of sequences, at least one."""
    size = min(batch_size, len(sequences))
    return columns.concatenate([self.candidates(sequences[i:i + size], pad_to=size)
                                  for i in range(0, len(sequences), size)])

  def _nearest(self, sequences, pad_to, groups=None, is_blind=None):
    """(what `shortlist.search` found, what `learned.Learned.evidence` says of it or None)."""
    padded = sequences + ["A" * 60] * max(pad_to - len(sequences), 0)
    read = self.features.read(padded)
    rows = self.features.less(self.features.of(read), self.centre)
    found = shortlist.search(rows, self.keys, middles=self.middles, groups=groups,
                             graph=self.graph)
    return found, self.learned and self.learned.evidence(
        read, found[0], groups=groups, is_blind=is_blind)

  def _search(self, chunk, pad_to):
    """(ids, texts, which were turned, texts that had to be searched, what was found for
    these) of (id, sequence) pairs."""
    bases, is_reversed = self._turn([self._clean(*pair) for pair in chunk])
    texts = [text.decode("ascii", "replace") for text in bases]
    new = [text for text in dict.fromkeys(texts) if text not in self.sampled]
    return [name for name, _ in chunk], texts, is_reversed, new, (
        self._nearest(new, pad_to) if new else None)

  def probabilities(self, candidates, lengths):
    """(numbers of names, probabilities, that the taxon is known), {rank: [Q]} each.

    Calibration says how likely a name is if the one below it is wrong or unknown; and
    where the one below is right, it is right.
    """
    found = shortlist.lineages(candidates, candidates.scores(self.weights),
                               self.references.names)
    likely, known = {}, {}
    below, known_below = np.zeros(len(lengths)), np.zeros(len(lengths))
    for rank, (label, evidence) in reversed(found.items()):
      has, right = np.zeros(len(lengths)), np.zeros(len(lengths))
      if rank in self.calibrators:
        calibrator = self.calibrators[rank]
        has = calibration.known(calibrator.ratio(evidence, lengths), self.unknown(rank))
        right = has * calibrator.right(evidence, lengths)
      likely[rank] = np.where(label >= 0, _either(below, right), 0)
      known[rank] = np.where(label >= 0, _either(known_below, has), 0)
      below, known_below = np.maximum(below, likely[rank]), np.maximum(known_below, known[rank])
    return ({rank: label for rank, (label, _) in found.items()},
            {rank: likely[rank] for rank in found}, {rank: known[rank] for rank in found})

  def unknown(self, rank):
    """Share of the queries whose taxon no reference is of, see `shares`."""
    return (self.shares or {}).get(rank, UNKNOWN_SPECIES if rank == "species" else UNKNOWN)

  def expecting(self, candidates, lengths):
    """This Identifier with the shares of unknown taxa that some queries look like.

    Args:
      candidates: shortlist.Candidates of the queries.
      lengths: [Q] base pairs of them.
    """
    shares, below = {}, np.zeros(len(lengths))
    found = shortlist.lineages(candidates, candidates.scores(self.weights),
                               self.references.names)
    for rank, (label, evidence) in reversed(found.items()):
      if rank in self.calibrators:
        has = label >= 0
        ratio = self.calibrators[rank].ratio(evidence[has], lengths[has])
        shares[rank] = calibration.unknown_share(ratio, 1 - below[has], self.unknown(rank))
        below[has] = _either(below[has], calibration.known(ratio, shares[rank]))
    return dataclasses.replace(self, shares=shares)

  def expecting_like(self, pairs, *, batch_size=512):
    """The same by a sample of the queries, (id, sequence) each; as it is if `shares` are given."""
    if self.shares is not None or not self.calibrators:
      return self
    texts = [text.decode("ascii", "replace") for text in self._turn(
        [self._clean(*pair) for pair in pairs])[0]]
    texts = [text for text in texts if _is_read(text)]
    if not texts:
      return self
    different = list(dict.fromkeys(texts))
    sampled = shortlist.by_text(different, self.candidates_of_all(different, batch_size))
    made = self.expecting(columns.concatenate([sampled[text] for text in texts]),
                          np.array([len(text) for text in texts]))
    return dataclasses.replace(made, sampled=sampled)

  def _turn(self, bases):
    if self.strand == "forward":
      return bases, [False] * len(bases)
    turn = [True] * len(bases)
    if self.strand == "either":
      turn = [bool(strands.is_reversed(base_codes.encode(text)[None], self._gain)[0])
              for text in bases]
    return [strands.reverse_complement(text) if one else text
            for text, one in zip(bases, turn, strict=True)], turn

  def _clean(self, name, text):
    try:
      return self.cleaning.clean(text)
    except kmer_text.NoOverlapError as error:
      raise errors.UserError(f"Sequence {name!r} has blanks: {error}.") from error

  @functools.cached_property
  def _gain(self):
    """Of the references, see `strands.gain`."""
    some = self.references.sequences[:_MOST_PROFILED]
    return strands.gain(strands.profile(base_codes.encode_batch(
        [text.encode() for text in some], max(map(len, some)))))

  def _calls(self, ids, texts, is_reversed, new, found, least):
    known = self.sampled
    if new:
      nearest, learned = found
      known = known | shortlist.by_text(
          new, shortlist.align(*nearest, new, self.references.sequences, learned))
    candidates = columns.concatenate([known[text] for text in texts])
    labels, likely, _ = self.probabilities(candidates, [len(text) for text in texts])
    scores = candidates.scores(self.weights)
    order = np.argsort(-scores, axis=1, kind="stable")
    for q, (name, text) in enumerate(zip(ids, texts, strict=True)):
      is_read = _is_read(text)
      names = {rank: self.references.name(rank, column[q]) if is_read else ""
               for rank, column in labels.items()}
      values = {rank: float(column[q]) if is_read else 0.0 for rank, column in likely.items()}
      called = {rank: bool(names[rank]) and values[rank] >= (
          self.thresholds.get(rank, np.inf) if least is None else least) for rank in names}
      hits = [(self.references.ids[candidates.ids[q, m]], float(candidates.cosines[q, m]),
               float(candidates.identities[q, m]), int(candidates.overlaps[q, m]))
              for m in order[q] if np.isfinite(scores[q, m]) and is_read]
      yield Call(name, names, values, called, hits, len(text), is_reversed[q])


def _either(below, own):
  """That the rank below is right (known), or if not, this one by what is said of it alone."""
  return below + (1 - below) * own


def _is_read(text):
  return sum(map(text.count, "ACGT")) >= _SHORTEST
