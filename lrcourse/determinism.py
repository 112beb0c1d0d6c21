"""Where randomness is tamed: seeds, and the flags that make two machines print the same numbers."""

import random
import sys

import numpy as np

from .validation import random_seed

# Vector instructions differ between CPUs and change the last digits; a long training amplifies them. These
# variables choose code paths that every x86-64 CPU has. Libraries read them when they load, so they are set for
# kernels and test runs before Python starts.
ENVIRONMENT = {
    "ATEN_CPU_CAPABILITY": "default",
    "MKL_CBWR": "COMPATIBLE",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX",
    "OPENBLAS_CORETYPE": "Haswell",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "OMP_NUM_THREADS": "1",
    "PYTHONHASHSEED": "0",
}


def seed_everything(seed: int) -> None:
    """Seed Python and NumPy, and PyTorch and Keras if they are imported; ask them for deterministic operations.

    Raises: `ValueError` if `seed` is not a whole number ≥ 0.

    >>> seed_everything(0)
    >>> first = np.random.rand()
    >>> seed_everything(0)
    >>> first == np.random.rand()
    True
    """
    seed = random_seed("seed", seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if torch := sys.modules.get("torch"):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
    if keras := sys.modules.get("keras"):
        keras.utils.set_random_seed(seed % 2**32)
