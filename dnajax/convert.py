"""Hugging Face weights in and out, no remote code: `python -m dnajax.convert`.

  --from_hf=FOLDER_OR_FILE --workdir=NEW   published weights -> a workdir
  --to_hf=NEW_FOLDER --workdir=RUN         a run -> a folder that stock transformers loads
"""

from absl import app, flags, logging
from ml_collections import config_flags

from dnajax.shell import command_line, errors

FLAGS = flags.FLAGS


def define_flags():
  """Flags of the command; not at import, where several commands would clash."""
  flags.DEFINE_string("from_hf", None, "Folder of published weights, or the file of weights: "
                      ".safetensors, or .bin, .pt with torch.")
  flags.DEFINE_string("to_hf", None, "Folder to write.")
  flags.DEFINE_string("workdir", None, "Directory of a run: made by --from_hf, read by --to_hf.")
  flags.DEFINE_string("step", "best", "--to_hf: checkpoint to use: best, latest, or a number.")
  flags.DEFINE_string("licence", "", "--to_hf: licence of the weights, as cc-by-4.0.")
  flags.DEFINE_alias("license", "licence")
  config_flags.DEFINE_config_file(
      "config", None, "--from_hf: config file whose data, evals and optimizer the workdir "
      "gets; its model is that of the weights.")
  # What files do not say of the weights; what they do say must agree.
  flags.DEFINE_enum("vocabulary", None, ["barcodebert", "dnabert", "logo"],
                    "Order of the ids.")
  flags.DEFINE_integer("k", None, "Letters per token.", lower_bound=1, upper_bound=8)
  flags.DEFINE_integer("stride", None, "Bases from one token to the next.", lower_bound=1)
  flags.DEFINE_enum("n_policy", None, ["unk", "in_vocabulary"], "What a k-mer with an N is.")
  flags.DEFINE_bool("add_cls", None, "Whether [CLS] is in front of every sequence.")
  flags.DEFINE_bool("add_sep", None, "Whether [SEP] is behind every sequence.")
  flags.DEFINE_integer("max_length", None, "Base pairs of a sequence that are read; default "
                       "what the positions hold.", lower_bound=1)
  flags.DEFINE_integer("num_heads", None, "Attention heads.", lower_bound=1)
  flags.DEFINE_string("hidden_act", None, "Activation, as BertConfig names it.")
  flags.DEFINE_float("layer_norm_eps", None, "Epsilon of LayerNorm.")


@errors.exit_cleanly
def main(argv):
  """Flags -> workdir or folder."""
  if argv[1:]:
    raise errors.UserError(f"Unexpected arguments: {' '.join(argv[1:])}.")
  if bool(FLAGS.from_hf) == bool(FLAGS.to_hf) or not FLAGS.workdir:
    raise errors.UserError("Give --workdir and one of --from_hf and --to_hf. See --help.")
  logging.set_verbosity(logging.WARNING)
  if FLAGS.to_hf:
    from dnajax.hugging_face import exporting
    exporting.convert(FLAGS.workdir, FLAGS.to_hf, step=FLAGS.step, licence=FLAGS.licence)
    return
  import dataclasses

  from dnajax.config import overrides
  from dnajax.hugging_face import claims, importing
  values = None
  if FLAGS.config is not None:
    values = overrides.apply(*command_line.read_config(FLAGS.config, "config"))
  importing.convert(
      FLAGS.from_hf, FLAGS.workdir, values=values, claims=claims.Claims(
          **{field.name: FLAGS[field.name].value for field in dataclasses.fields(claims.Claims)}))


if __name__ == "__main__":
  define_flags()
  app.run(main, flags_parser=command_line.parse_flags)
