"""Layouts of known releases are found from the header line."""

import pytest

from data_pipelines import presets

BIOSCAN = ("processid,sampleid,taxon,phylum,class,order,family,subfamily,genus,species,"
           "dna_bin,dna_barcode,country,split").split(",")
BOLD = ("processid nucleotides phylum class_name order_name family_name genus_name "
        "species_name bin_uri split").split()


@pytest.mark.parametrize("names, preset, sequence, bin_column", [
    (BIOSCAN, "bioscan5m", "dna_barcode", "dna_bin"),
    ([{"dna_bin": "bin_uri", "dna_barcode": "nucleotides"}.get(n, n) for n in BIOSCAN],
     "bioscan5m", "nucleotides", "bin_uri"),
    (BOLD, "bold", "nucleotides", "bin_uri"),
    (["id", "sequence", "genus", "bin"], "plain", "sequence", "bin")])
def test_auto_picks_the_preset_that_finds_most(names, preset, sequence, bin_column):
  layout = presets.resolve(names, path="f")
  assert layout.preset == preset
  assert layout.columns["sequence"] == sequence and layout.columns["bin"] == bin_column


def test_every_preset_knows_only_known_fields():
  for preset in presets.PRESETS.values():
    assert set(preset.columns) <= set(presets.FIELDS)


def test_explicit_columns_count_before_the_preset():
  layout = presets.resolve(BOLD, path="f", columns={"genus": "family_name"})
  assert layout.columns["genus"] == "family_name"
  assert layout.columns["species"] == "species_name"


@pytest.mark.parametrize("name", presets.PRESETS)
def test_na_and_nan_are_names_in_every_preset(name):
  assert not {"NA", "nan", "Nan", "NaN", "null"} & set(presets.PRESETS[name].absent)
