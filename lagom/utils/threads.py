"""Threads of the mathematics: torch's, and those of the BLAS that NumPy has."""

import os

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_num = _num_blas = None  # of the process; of NumPy's products; None: not known


def one_thread_by_default():
    """Let programs that start from here on compute on one thread until they are told otherwise.

    Without this a BLAS takes all cores for each of several jobs.
    """
    for name, num in ONE_THREAD.items():
        os.environ.setdefault(name, num)


def set_num_threads(num):
    """Compute on ``num`` threads in this process; torch has them until NumPy is preferred.

    Args:
        num (int): at least 1.
    """
    global _num
    _num = num
    _give(to_numpy=False)


def prefer_numpy(yes):
    """Give the threads of this process to NumPy's products, or back to torch.

    Never to both: a thread without work waits for some at full speed, so that those of one keep
    those of the other from the cores.  Steps of SAC took 50 times as long.

    Args:
        yes (bool): whether what follows computes with NumPy.
    """
    if _num not in (None, 1) and yes != (_num_blas == _num):
        _give(to_numpy=yes)


def numpy_has_the_threads():
    """Whether NumPy's products run on all threads that the process has, as far as is known."""
    import torch

    return _num_blas is not None and torch.get_num_threads() <= _num_blas


def _give(to_numpy):
    global _num_blas
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1 if to_numpy else _num)
    _num_blas = _num if to_numpy else 1
    threadpool_limits(_num_blas, user_api="blas")


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
