"""Threads of the mathematics: torch's, and those of the BLAS that NumPy has."""

import os

_num_blas = None  # of NumPy's; None: not known


def one_thread_by_default():
    """Let programs that start from here on compute on one thread until they are told otherwise.

    Without this a BLAS takes all cores for each of several jobs.
    """
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


def set_num_threads(num):
    """Compute on ``num`` threads in this process, with torch and with NumPy.

    Args:
        num (int): at least 1.
    """
    global _num_blas
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(num)
    threadpool_limits(num, user_api="blas")
    _num_blas = num


def numpy_keeps_to_threads():
    """Whether NumPy's products run on as many threads as torch's, as far as is known."""
    import torch

    return torch.get_num_threads() == _num_blas


def blas():
    """What makes NumPy's products: name, version and kernels, such as ``openblas 0.3.31 SkylakeX``.

    Their kernels round differently; ``OPENBLAS_CORETYPE`` chooses others.
    """
    import numpy  # noqa: F401, so that it is there to be found
    from threadpoolctl import threadpool_info

    found = [x for x in threadpool_info() if x["user_api"] == "blas"]
    found.sort(key=lambda x: "numpy" not in x["filepath"])  # others may have one of their own
    keys = ("internal_api", "version", "architecture")
    return " ".join(str(found[0][key]) for key in keys if found[0].get(key)) if found else None
