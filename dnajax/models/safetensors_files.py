"""Files of named arrays in the format of the package safetensors (extra "hf")."""

from dnajax.shell import errors, files


def read(path):
  """{name: array} of a .safetensors file.

  Raises:
    UserError: it is not one, or the package is not installed.
  """
  safetensors, numpy_format = _package()
  try:
    return numpy_format.load_file(path)
  except (OSError, safetensors.SafetensorError, KeyError, TypeError) as error:
    raise errors.UserError(f"{path} could not be read as .safetensors: {error}. "
                           "Give a file of float32 or float16 tensors.") from error


def write(path, tensors):
  """Writes {name: array}; the file appears complete or not at all."""
  _, numpy_format = _package()
  # transformers refuses files that do not say where they come from.
  content = numpy_format.save(tensors, metadata={"format": "pt"})
  files.write_atomically(path, lambda part: part.write_bytes(content))


def _package():
  try:
    import safetensors
    from safetensors import numpy as numpy_format
  except ImportError as error:
    raise errors.UserError("Reading and writing .safetensors needs the package "
                           "safetensors; install it with: pip install 'dnajax[hf]'") from error
  return safetensors, numpy_format
