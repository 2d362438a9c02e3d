"""Memory that a model takes where it runs."""

from __future__ import annotations

import resource

from xmodal_ros.runtime.backends import Target


def memory_bytes(target: Target) -> int:
    """Bytes allocated by torch on the GPU, or the most that this process has had on the CPU."""
    if target.kind == "cuda":
        import torch

        return torch.cuda.memory_allocated(target.index)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB
