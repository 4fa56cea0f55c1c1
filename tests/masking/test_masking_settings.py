import ast
import pathlib

import maskings
import pytest

from dnajax import masking
from dnajax.config import build
from dnajax.shell import errors, parts


def check(**values):
  build.check(maskings.make(**values), parts.Setup(tokenizer=maskings.TOKENIZER), "masking")


@pytest.mark.parametrize("values, message", [
    (dict(selection=dict(ratio=1.5)), "masking.selection.ratio=1.5 must be between"),
    (dict(selection=dict(name="kmer_span", ratio=0.0)), "selection.ratio"),
    (dict(selection=dict(name="gene_mask", probability=2.0)), "selection.probability"),
    (dict(selection=dict(name="gene_mask", span=(1, 2))), "selection.span"),
    (dict(selection=dict(name="gene_mask", order="set")), "'sorted' or 'public'"),
    (dict(selection=dict(name="global_pmi", rank_by="place")), "'token' or 'position'"),
    (dict(selection=dict(name="global_pmi", reach=-1)), "selection.reach"),
    (dict(selection=dict(name="global")), "did you mean 'global_pmi'"),
    (dict(selection=dict(name="uniform", probability=.1)), "no config.masking.selection.p"),
    (dict(corruption=dict(mask_share=-.1)), "corruption.mask_share"),
    (dict(corruption=dict(mask_share=.8, random_share=.3)), "corruption.random_share=0.3"),
    (dict(curriculum=dict(name="cm_gem")), "did you mean 'cm_gems'"),
    (dict(curriculum=dict(name="cm_gems")), "curriculum.evaluator='masked_loss'"),
    (dict(curriculum=dict(name="cm_gems", threshold=0.0)), "curriculum.threshold"),
    (dict(curriculum=dict(name="cm_gems", change="rise")), "'drop' or 'absolute'"),
    (dict(curriculum=dict(name="cm_step", num_blocks=0)), "curriculum.num_blocks"),
    (dict(curriculum=dict(name="cm_step", hard=dict(ratio=2.0))), "curriculum.hard.ratio"),
    (dict(rate=dict(boundaries=(3,), factors=())), "rate.factors"),
    (dict(rate=dict(boundaries=(3, 2), factors=(1., 1.))), "rate.boundaries"),
    (dict(round_to=0), "round_to"), (dict(slot_quantile=0.0), "slot_quantile"),
    (dict(capacity_sds=-1.0), "capacity_sds"), (dict(num_kept=-1), "num_kept"),
])
def test_a_wrong_masking_is_refused_by_name(values, message):
  with pytest.raises(errors.UserError, match=message):
    check(**values)


def test_every_part_is_right_as_it_is_and_comes_back_from_its_table():
  for name in ("uniform", "kmer_span", "random_window", "gene_mask", "global_pmi"):
    for corruption in ("replace", "drop", "hide"):
      settings = maskings.make(selection=dict(name=name), corruption=dict(name=corruption),
                               curriculum=dict(name="cm_step"))
      build.check(settings, parts.Setup(tokenizer=maskings.TOKENIZER), "masking")
      assert maskings.make(**build.to_dict(settings)) == settings
      assert settings.selection.name == name and hash(settings)


def test_no_file_of_the_package_knows_the_config_or_asks_for_a_part_by_name():
  for path in pathlib.Path(masking.__file__).parent.glob("*.py"):
    tree = ast.parse(path.read_text())
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [name for name in imported if name and name.startswith("dnajax.config")]
    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)
                and isinstance(node.left, ast.Attribute) and node.left.attr == "name"]
    assert not compared, path
