"""Names out of data, as cells of tables that people and programs open."""

import re

_FORMULA = ("=", "+", "-", "@")
_MARKDOWN = re.compile(r"[\\`*\[\]|]")
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def printable(text):
  """A text with "?" for what is no letter, sign or blank: a terminal may act on it."""
  return "".join(c if c.isprintable() else "?" for c in text)


def plain(text):
  """A text as one line: runs of blanks and line ends are one blank, characters that a terminal
  or an editor acts on are "?"."""
  return printable(" ".join(text.split()))


def for_people(text):
  """`plain`, with an apostrophe before what a spreadsheet would take for a formula (OWASP,
  CSV injection)."""
  text = plain(text)
  return f"'{text}" if text.startswith(_FORMULA) else text


def markdown(text):
  """`plain`, so that Markdown and HTML show it as it is."""
  return _MARKDOWN.sub(r"\\\g<0>", plain(text)).translate(_HTML)
