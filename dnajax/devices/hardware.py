"""Published peak figures of accelerators, and what a step takes at least on them."""

import dataclasses

SHARE = 0.5        # of the peak that matrix products of a training step are taken to reach
_GB, _GIB, _T = 1e9, 2**30, 1e12


@dataclasses.dataclass(frozen=True)
class Accelerator:
  """One chip. Link figures are of one direction: half of what is published for both."""
  flops: float        # dense bfloat16, operations/s
  memory: float       # bytes
  memory_rate: float  # bytes/s
  link_rate: float    # bytes/s that a chip sends to others of the slice or the host
  host: int = 0       # chips that `link_rate` connects; 0: all of a slice
  network_rate: float = 0.0  # bytes/s that a chip sends to other hosts


# Half of "bidirectional ICI bandwidth per chip" for TPUs; half of NVLink's 900 GB/s for
# GPUs, and between hosts one 400 Gb/s adapter for each GPU: eight ConnectX-7 in a DGX H100 or
# H200 (docs.nvidia.com/dgx-basepod/reference-architecture-infrastructure-foundation-enterprise-ai
# /latest/core-components.html). Looked up 2026-11-28.
ACCELERATORS = {
    # docs.cloud.google.com/tpu/docs/v5e: 197 TFLOPs, 16 GB, 819 GBps, ICI 400 GBps
    "v5e": Accelerator(197 * _T, 16 * _GB, 819 * _GB, 200 * _GB),
    # docs.cloud.google.com/tpu/docs/v5p: 459 TFLOPs, 95 GiB, 2,575 GiBps (older versions:
    # 2,765 GBps, the same), ICI 1,200 GBps
    "v5p": Accelerator(459 * _T, 95 * _GIB, 2_575 * _GIB, 600 * _GB),
    # docs.cloud.google.com/tpu/docs/v6e: 918 TFLOPs, 32 GB, 1,638 GBps, ICI 800 GBps
    "v6e": Accelerator(918 * _T, 32 * _GB, 1_638 * _GB, 400 * _GB),
    # SXM, as archive-lib.hpctech.co.jp/gpuproduct/nvidia-h100.html repeats NVIDIA's datasheet:
    # 1,979 TFLOPS with sparsity, half without; 80 GB, 3,350 GB/s, NVLink 900 GB/s
    "H100": Accelerator(989 * _T, 80 * _GB, 3.35 * _T, 450 * _GB, 8, 50 * _GB),
    # SXM: the same with 141 GB and NVLink 900 GB/s (NVIDIA's own description of a machine,
    # github.com/mlcommons/inference_results_v4.1, H200-SXM-141GBx8_TRT_MaxQ.json)
    # and 4.8 TB/s (aiwiki.ai/wiki/nvidia_h200, which cites NVIDIA's datasheet)
    "H200": Accelerator(989 * _T, 141 * _GB, 4.8 * _T, 450 * _GB, 8, 50 * _GB),
}


def step_seconds(chip, *, num_devices, flops, memory_bytes, sent_bytes):
  """Seconds that a step takes for each of what bounds it; the largest is the estimate.

  Products at SHARE of the peak, memory and links at their peaks, everything overlapped,
  no latency, all links of a chip in use.

  Args:
    chip: Accelerator.
    num_devices: of the mesh.
    flops, memory_bytes, sent_bytes: of one device.

  Returns:
    {"products": s, "memory": s, "links": s}.
  """
  inside = not chip.host or num_devices <= chip.host
  return {"products": flops / (SHARE * chip.flops),
          "memory": memory_bytes / chip.memory_rate,
          "links": sent_bytes / (chip.link_rate if inside else chip.network_rate)}
