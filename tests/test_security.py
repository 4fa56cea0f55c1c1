"""What is read is data, never code or a path; what the package stands on is free to use."""

import ast
import importlib.metadata
import pathlib
import re

import pytest

from data_pipelines import prepare, write
from dnajax.identification import call_files, identifier
from dnajax.results import report, tables
from dnajax.shell import cells, errors
from tests.results import made_up

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = sorted(path for folder in ("dnajax", "data_pipelines", "configs", "launch")
               for path in (ROOT / folder).rglob("*.py"))
MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
CALLS = {"eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load"}
# Licences that ask for a notice and nothing else of who uses the package.
PERMISSIVE = re.compile(r"apache|\bmit\b|bsd|isc|psf|python software foundation|mpl", re.I)


def dotted(node):
  return ast.unparse(node) if isinstance(node, (ast.Name, ast.Attribute)) else ""


def dangers(text):
  """What in a piece of Python may run what it reads."""
  for node in ast.walk(ast.parse(text)):
    if isinstance(node, ast.Import):
      yield from (a.name for a in node.names if a.name.split(".")[0] in MODULES)
    elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in MODULES:
      yield node.module
    elif isinstance(node, ast.Call):
      name, given = dotted(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
      if name in CALLS or given.get("shell") == "True" or given.get("allow_pickle") == "True":
        yield ast.unparse(node)
      if name.endswith("read_pickle") or name == "torch.load" and (
          given.get("weights_only") != "True"):
        yield ast.unparse(node)


@pytest.mark.parametrize("text", [
    "import pickle", "from pickle import loads", "eval('1')", "subprocess.run(x, shell=True)",
    "np.load(f, allow_pickle=True)", "torch.load(f)", "yaml.load(f)", "pd.read_pickle(f)"])
def test_dangers_are_seen(text):
  assert list(dangers(text))


def test_nothing_that_is_read_is_run():
  assert len(FILES) > 100
  for path in FILES:
    assert not list(dangers(path.read_text("utf-8"))), path


@pytest.mark.parametrize("name", ["../../x", "a/b", "..", ".hidden", "x\0y", "C:\\x", "a b",
                                  "\n", "con:x", "ä"])
def test_a_name_that_leaves_its_folder_is_refused_or_changed(name):
  with pytest.raises(errors.UserError):
    write.config_name(name, "unused", otherwise="x")
  from_file = write.config_name(None, f"{name}.fa", otherwise="x")
  assert re.fullmatch(r"[\w+-][\w.+-]*", from_file, re.ASCII)


def _tree(folder):
  return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_names_in_data_name_no_files(tmp_path):
  odd = ["../../x", "/etc/x", "a" * 5000, "..", "x/y", "~", "$(touch x)", "-rf", "con", "Aus"]
  tables = []
  for name, values in (("plain", ["Aus"] * len(odd)), ("odd", odd)):
    path = tmp_path / f"{name}.tsv"
    path.write_text("processid\tnucleotides\tgenus\tspecies\n" + "".join(
        f"{value}\tACGTACGT{'ACGT' * i}\t{value}\t{value} x\n" for i, value in enumerate(values)))
    where = tmp_path / name
    prepare.prepare_barcodes([str(path)], str(where), name="set", show_progress=False)
    tables.append(_tree(where))
    assert (where / "barcodes/set/1.0.0/labels/genus.txt").read_text().splitlines() == (
        sorted(set(values)))
  assert tables[0] == tables[1]
  assert _tree(tmp_path) == {"plain", "odd", "plain.tsv", "odd.tsv"} | {
      f"{name}/{path}" for name in ("plain", "odd") for path in tables[0]}


@pytest.mark.parametrize("split", ["../../x", "a/b", "..", "x" * 5000 + "!", "all", "a b"])
def test_a_split_that_is_no_name_is_refused(tmp_path, split):
  path = tmp_path / "a.tsv"
  path.write_text(f"processid\tnucleotides\tsplit\na\tACGT\t{split}\n")
  with pytest.raises(errors.UserError, match="line 2"):
    prepare.prepare_barcodes([str(path)], str(tmp_path / "data"), show_progress=False)
  assert _tree(tmp_path) == {"a.tsv"}


ODD = ["../../x", "=HYPERLINK(\"http://x\",\"y\")", "+1", "-2+3", "@SUM(A1)", "a\nb\tc\r\nd",
       "\x1b[31mred\x00\u202egnp", "a|b", "<script>x</script>", "[x](y) `z` *w*", "Müller ° 1"]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("kind", call_files.FORMATS)
def test_calls_are_one_row_each_and_no_formula_whatever_names_say(tmp_path, kind, name):
  call = identifier.Call(
      query=name, length=99, names={"genus": name, "species": name},
      probabilities={"genus": 0.9, "species": 0.1}, is_called={"genus": True, "species": False},
      hits=[(name, 0.9, 0.95, 90)], is_reversed=False)
  path = tmp_path / "calls"
  with call_files.open_file(path, kind, ("genus", "species")) as write:
    write(call)
    write(call)
  lines = path.read_text("utf-8").split("\n")
  assert lines.pop() == ""
  rows = [line.split("\t") for line in lines]
  assert len(rows) == 2 + (kind == "tsv") and len({len(row) for row in rows}) == 1
  cells_ = [cell for row in rows for cell in row]
  assert all(cell.isprintable() for cell in cells_)
  if kind == "tsv":
    assert not [cell for cell in cells_ if len(cell) > 1 and cell[0] in "=+-@"]
  assert sorted(path.name for path in tmp_path.iterdir()) == ["calls"]


def test_an_apostrophe_stands_only_before_what_would_be_a_formula():
  assert [cells.for_people(name)[0] == "'" for name in ODD] == [
      False, True, True, True, True, *[False] * 6]
  assert cells.for_people("Apis mellifera") == "Apis mellifera"


@pytest.mark.parametrize("name", ODD)
def test_a_report_shows_names_as_they_are(name):
  rows = tables.markdown([["run", "n"], [name, "1"]], 1)
  assert len(rows) == 3 and all(row.isprintable() for row in rows)
  assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [3, 3, 3]
  assert "<" not in rows[2] and not re.search(r"(?<!\\)[`*\[\]]", rows[2])


@pytest.mark.parametrize("name", ODD)
def test_the_whole_report_holds_names_of_runs(name):
  found = made_up.found(name)
  text = report.markdown([found, made_up.found("other")])
  assert all(line.isprintable() for line in text.split("\n"))
  assert "<script" not in text and "\n## " in text


def test_names_in_figures_are_no_formulas(tmp_path):
  figure = pytest.importorskip("matplotlib.figure").Figure()
  figure.subplots().plot([1, 2], label=r"$\nosuch$ x")
  figure.axes[0].legend()
  (tmp_path / "run").mkdir()
  written = report.write(tmp_path / "report", [
      {**made_up.found("run"), "figures": {"map": figure}}], [tmp_path / "run"])
  assert (tmp_path / "report/map.png") in written


def requirements():
  """{package: least version} that setup.py asks for, without extras."""
  tree = ast.parse((ROOT / "setup.py").read_text("utf-8"))
  listed = next(k.value for node in ast.walk(tree) if isinstance(node, ast.Call)
                for k in node.keywords if k.arg == "install_requires")
  return dict(re.match(r"([\w.-]+)(?:\[.*\])?>=([\d.]+)", item.value).groups()
              for item in listed.elts)


def in_table():
  """{package: (least version, licence)} of .github/SECURITY.md."""
  rows = re.findall(r"^\| ([\w.-]+)[^|]* \| ([\d.]+) \| ([^|]+) \|$",
                    (ROOT / ".github/SECURITY.md").read_text("utf-8"), re.M)
  return {name: rest for name, *rest in rows}


def test_the_table_of_packages_is_that_of_setup():
  assert {name: least for name, (least, _) in in_table().items()} == requirements()


def numbers(version):
  return [int(part) for part in re.findall(r"\d+", version)[:3]]


@pytest.mark.parametrize("package", requirements())
def test_what_is_installed_has_the_licence_that_is_told_and_no_older_version(package):
  meta = importlib.metadata.metadata(package)
  stated = " ".join([meta.get("License-Expression") or "", (meta.get("License") or "")[:200],
                     *(c for c in meta.get_all("Classifier", []) if c.startswith("License"))])
  assert PERMISSIVE.search(stated), (package, stated)
  assert not re.search(r"\bA?GPL|GNU", stated), (package, stated)
  least, licences = in_table()[package]
  assert numbers(meta["Version"]) >= numbers(least)
  for licence in licences.split(", "):
    assert licence.partition("-")[0].lower() in stated.lower(), (package, stated)
