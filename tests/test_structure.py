"""The tree keeps its promises: downward imports, small files, few modules at the root."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = sorted([*(ROOT / "dnajax").rglob("*.py"), *(ROOT / "data_pipelines").rglob("*.py")])
# Parts and what they stand on know nothing of the config that chooses them.
BELOW_CONFIG = ("shell", "devices", "tokens", "data", "masking", "models",
                "training/objectives", "training/losses", "inference", "evaluators")


def module(path):
  names = path.relative_to(ROOT).with_suffix("").parts
  return ".".join(names[:-1] if names[-1] == "__init__" else names)


MODULES = {module(path): path for path in FILES}


def imports(path):
  """Modules of the project that a file imports anywhere in it, lazily too."""
  found = set()
  for node in ast.walk(ast.parse(path.read_text("utf-8"))):
    if isinstance(node, ast.ImportFrom) and node.module:
      found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    elif isinstance(node, ast.Import):
      found |= {alias.name for alias in node.names}
  return {name for name in found if name in MODULES
          and MODULES[name].name != "__init__.py"}


def test_no_module_imports_itself_by_a_circle():
  graph = {name: imports(path) for name, path in MODULES.items()}
  done = set()

  def visit(name, above):
    assert name not in above, " -> ".join([*above[above.index(name):], name])
    if name not in done:
      for other in sorted(graph[name]):
        visit(other, [*above, name])
      done.add(name)

  for name in graph:
    visit(name, [])


@pytest.mark.parametrize("folder", BELOW_CONFIG)
def test_parts_do_not_import_the_config(folder):
  for path in (ROOT / "dnajax" / folder).rglob("*.py"):
    wrong = [name for name in imports(path) if name.startswith("dnajax.config")]
    assert not wrong, f"{path} imports {wrong}"


def test_few_modules_lie_at_the_root_and_no_file_is_long():
  root = [path.name for path in (ROOT / "dnajax").glob("*.py") if path.name != "__init__.py"]
  assert len(root) <= 6, root
  for path in [*FILES, *(ROOT / "tests").rglob("*.py"), *(ROOT / "configs").glob("*.py")]:
    assert len(path.read_text("utf-8").splitlines()) <= 300, path
    assert path.stem != "utils", path


def test_only_models_import_linen_and_only_checkpointing_imports_orbax():
  for path in FILES:
    text = path.read_text("utf-8")
    if "models" not in path.parts and path.name not in ("partitioning.py", "state.py"):
      assert "flax.linen" not in text and "import linen" not in text, path
    if "import orbax" in text:
      assert path.parent.name == "workdir", path


def test_training_run_keeps_the_order_of_events_in_a_hundred_lines():
  assert len((ROOT / "dnajax/training/run.py").read_text().splitlines()) <= 100
