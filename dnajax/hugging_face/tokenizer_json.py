"""tokenizer.json: plain DNA to the ids of one of our tokenizers, in stock `tokenizers`.

The library's parts are a normalizer, which cleans the letters as `data_pipelines.cleaning`
does, a pre-tokenizer, which cuts them into k-mers, and a table of words.

A pattern cannot match the same letter twice, so it cannot cut overlapping k-mers. There the
normalizer writes every k-mer out first: behind each letter it puts k-1 numbered places
("A123" for k=4), then fills place j with the letter j further on, which stands at a fixed
distance whatever is filled already; a letter whose places were not all filled begins no whole
k-mer and goes. ACGTA becomes ACGT CGTA, without the blank.
"""

_BASES = "ACGT"
_LETTERS = _BASES + "N"


def make(tokenizer, cleaning):
  """Content of a tokenizer.json.

  Args:
    tokenizer: tokens.tokenizer.Tokenizer whose tokens are their k-mers alone (no
      `frames`, no `consensus`); it reads frame 0 of what is given. Long sequences are cut
      by whoever calls (`truncation=True`, `model_max_length`).
    cleaning: data_pipelines.cleaning.Cleaning. K-mers that were written with blanks are
      not joined: plain DNA is expected.

  Returns:
    dict for JSON. A last partial k-mer is dropped, one with an unknown letter is [UNK]
    or, with n_policy="in_vocabulary", has its own id.
  """
  vocabulary, stride = tokenizer.vocabulary, tokenizer.stride
  steps = _clean(cleaning)
  if stride < vocabulary.k:
    steps += _write_out(vocabulary.k)
  return {
      "version": "1.0", "truncation": None, "padding": None,
      "added_tokens": [
          {"id": i, "content": text, "single_word": False, "lstrip": False,
           "rstrip": False, "normalized": False, "special": True}
          for i, text in enumerate(vocabulary.specials)],
      "normalizer": {"type": "Sequence", "normalizers": steps},
      "pre_tokenizer": {"type": "Sequence", "pretokenizers": _cut(vocabulary.k, stride)},
      "post_processor": _frame(vocabulary),
      "decoder": {"type": "Fuse"} if stride == vocabulary.k else None,
      "model": {"type": "WordLevel", "unk_token": vocabulary.specials[vocabulary.unk_id],
                "vocab": {name: i for i, name in enumerate(vocabulary.names())}}}


def make_config(tokenizer):
  """Content of a tokenizer_config.json: which special token is what, and the length."""
  vocabulary = tokenizer.vocabulary
  ids = {"unk_token": vocabulary.unk_id, "pad_token": vocabulary.pad_id,
         "mask_token": vocabulary.mask_id, "cls_token": vocabulary.cls_id,
         "sep_token": vocabulary.sep_id}
  return {"tokenizer_class": "PreTrainedTokenizerFast",
          "model_max_length": tokenizer.num_tokens, "padding_side": "right",
          "truncation_side": "right", "clean_up_tokenization_spaces": False,
          # The model has one token type; zeros for it would only cost.
          "model_input_names": ["input_ids", "attention_mask"],
          **{role: vocabulary.specials[i] for role, i in ids.items() if i is not None}}


def _clean(cleaning):
  """Normalizers that do what `Cleaning.clean` does; then all that is no base is N."""
  steps = [_replace(f"[{base}{base.lower()}{'Uu' if base == 'T' else ''}]", base)
           for base in _BASES]
  steps += [_replace("n", "N"), _replace("-", "")]
  if cleaning.trim:
    steps += [_replace("^N+", ""), _replace("N+$", "")]
  return steps + [_replace("[^ACGTN]", "N")]


def _write_out(k):
  """Normalizers from a sequence to all its overlapping k-mers, one behind the other."""
  places = "".join(str(j) for j in range(1, k))
  steps = [_replace(letter, letter + places) for letter in _LETTERS]
  for j in range(1, k):
    # What is left of this letter's places, then whole letters with theirs.
    distance = k - 1 - j + (j - 1) * k
    steps += [_replace(f"{j}(?=.{{{distance}}}{letter})", letter.lower())
              for letter in _LETTERS]
  steps.append(_replace("[ACGTN][acgtn]*[1-9]+", ""))
  return steps + [_replace(letter.lower(), letter) for letter in _LETTERS]


def _cut(k, stride):
  """Pre-tokenizers that keep k letters of every step and drop what is no whole k-mer."""
  step = stride if stride >= k else stride * k  # written out, each letter is k letters
  keep = lambda pattern: {"type": "Split", "pattern": {"Regex": pattern},
                          "behavior": "Removed", "invert": True}
  if step == k:
    return [keep(f".{{{k}}}")]
  return [{"type": "Split", "pattern": {"Regex": f".{{1,{step}}}"},
           "behavior": "Isolated", "invert": False}, keep(f"^.{{{k}}}")]


def _frame(vocabulary):
  """Post-processor with [CLS] in front and [SEP] behind, as the model has them."""
  first = [vocabulary.cls_id] if vocabulary.add_cls else []
  last = [vocabulary.sep_id] if vocabulary.add_sep else []
  if not first + last:
    return None
  name = vocabulary.specials.__getitem__
  special = lambda ids: [{"SpecialToken": {"id": name(i), "type_id": 0}} for i in ids]
  sequence = lambda letter: [{"Sequence": {"id": letter, "type_id": 0}}]
  single = special(first) + sequence("A") + special(last)
  return {"type": "TemplateProcessing", "single": single,
          "pair": single + sequence("B") + special(last),
          "special_tokens": {name(i): {"id": name(i), "ids": [i], "tokens": [name(i)]}
                             for i in first + last}}


def _replace(pattern, content):
  return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}
