"""From bases to tokens as one run does it: vocabulary, stride, length, frame, strand."""

import dataclasses
import functools
from typing import Literal

import jax

from dnajax.tokens import align, kmers
from dnajax.tokens import frames as frames_lib
from dnajax.tokens import vocabulary as vocabulary_lib


@dataclasses.dataclass(frozen=True)
class TokenSettings:
  """config.tokens."""
  vocabulary: Literal["barcodebert", "dnabert", "logo"] = "barcodebert"
  k: int = 6                # letters per token, 1..8
  stride: int = 6           # bases from one token to the next
  # one: a token is its k-mer; all: it also stands for those that start inside it and end
  # in the next, where the encoder sees that one (tokens.frames; this project's own)
  frames: Literal["one", "all"] = "one"
  # "": rows as they are; letters: rows are shifted to this consensus; train: to that of
  # the training split (tokens.align)
  align_to: str = ""
  n_policy: Literal["unk", "in_vocabulary"] = "unk"  # what a k-mer with an N is
  add_cls: bool = False     # [CLS] in front
  add_sep: bool = False     # [SEP] behind; only with dnabert
  random_offset: bool = False      # training shifts the frame by 0..k-1 bases
  reverse_complement: float = 0.0  # chance that training reads the other strand

  def check(self, setup):
    """What the vocabulary cannot be, and lengths."""
    if self.frames == "all":
      if self.stride > self.k:
        yield "frames", f"'one' with stride={self.stride} above k={self.k}: letters are missing"
      if setup.encoder is not None and not getattr(setup.encoder, "reads_frames", False):
        yield "frames", "'one': config.encoder.name reads tokens of one frame only"
    if self.align_to != "train" and set(self.align_to) - set("ACGTN"):
      yield "align_to", "'', 'train' or letters A, C, G, T and N"
    if not 1 <= self.k <= 8:
      yield "k", "between 1 and 8"
    if self.stride < 1:
      yield "stride", "at least 1"
    if not 0 <= self.reverse_complement <= 1:
      yield "reverse_complement", "between 0 and 1"
    specials, _ = vocabulary_lib.LAYOUTS[self.vocabulary]
    if self.n_policy == "in_vocabulary" and self.vocabulary != "barcodebert":
      yield "n_policy", ("'unk' unless tokens.vocabulary='barcodebert': the k-mers of "
                         f"{self.vocabulary!r} hold no N")
    if self.add_sep and "[SEP]" not in specials:
      yield "add_sep", f"False: tokens.vocabulary={self.vocabulary!r} has no [SEP]"


@dataclasses.dataclass(frozen=True)
class Tokenizer:
  """Bases to tokens; hashable, so that it can be a static argument.

  Attributes:
    vocabulary: ids and special tokens.
    stride: bases from one token to the next.
    length: base pairs of a row that are tokenised.
    frames: tokens.frames.Frames for encoders, None where a token is its k-mer alone.
    consensus: letters that rows are shifted to first; "": they stay.
    random_offset: `augmented` shifts the frame by 0..k-1 bases.
    reverse_complement: chance that `augmented` reads the other strand.
  """
  vocabulary: vocabulary_lib.Vocabulary
  stride: int
  length: int
  frames: frames_lib.Frames | None = None
  consensus: str = ""
  random_offset: bool = False
  reverse_complement: float = 0.0

  @functools.cached_property
  def num_tokens(self):
    """L, tokens of a row, [CLS] and [SEP] included."""
    return kmers.num_tokens(self.length, k=self.vocabulary.k, stride=self.stride,
                            add_cls=self.vocabulary.add_cls, add_sep=self.vocabulary.add_sep)

  @property
  def poolings(self):
    """What one vector per sequence can be made of: "mean", and "cls" where there is a [CLS]."""
    return ("mean", "cls") if self.vocabulary.add_cls else ("mean",)

  @property
  def read_length(self):
    """Base pairs of a row that `augmented` wants: a shifted frame needs k-1 more."""
    return self.length + (self.vocabulary.k - 1 if self.random_offset else 0)

  def __call__(self, bases):
    """Frame 0, strand as read: [B, bp] uint8 -> Tokens of num_tokens positions.

    Rows may be longer (cut) or shorter (then there are fewer tokens) than `length`.
    """
    bases = self._aligned(bases)[:, :self.length]
    tokens = kmers.tokenize(bases, vocabulary=self.vocabulary, stride=self.stride)
    return tokens.replace(bases=bases)

  def augmented(self, key, bases):
    """As training reads it: [B, read_length] uint8 -> Tokens; draws belong to (key, row)."""
    offset_key, strand_key = jax.random.split(key)
    if self.reverse_complement:
      bases = kmers.randomly_reverse_complement(
          strand_key, bases, probability=self.reverse_complement)
    bases = self._aligned(bases)
    offset = None
    if self.random_offset:
      offset = jax.random.randint(offset_key, bases.shape[:1], 0, self.vocabulary.k)
    tokens = kmers.tokenize(bases, vocabulary=self.vocabulary, stride=self.stride,
                            offset=offset, length=self.length)
    return tokens.replace(bases=bases[:, :self.length])

  def _aligned(self, bases):
    return align.to_consensus(bases, self.consensus) if self.consensus else bases


def make(settings, length):
  """The Tokenizer of config.tokens for rows of `length` base pairs."""
  vocabulary = vocabulary_lib.Vocabulary(
      settings.k, settings.n_policy, settings.add_cls, layout=settings.vocabulary,
      add_sep=settings.add_sep)
  frames = (frames_lib.Frames(settings.k, settings.stride, vocabulary.num_special)
            if settings.frames == "all" else None)
  return Tokenizer(vocabulary, settings.stride, length, frames, settings.align_to,
                   settings.random_offset,
                   settings.reverse_complement)
