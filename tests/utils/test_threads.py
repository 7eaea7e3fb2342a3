"""How many threads compute, and with what."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_info

from lagom.utils import set_num_threads, threads


@pytest.fixture(autouse=True)
def _as_before():
    before = torch.get_num_threads()
    yield
    set_num_threads(before)


def numbers():
    """Threads of torch, and of what multiplies for NumPy."""
    (blas,) = {
        x["num_threads"]
        for x in threadpool_info()
        if x["user_api"] == "blas" and "scipy.libs" not in x["filepath"]  # imported at any time
    }
    return torch.get_num_threads(), blas


def test_either_torch_or_numpy_has_the_threads():
    set_num_threads(2)
    assert numbers() == (2, 1)
    assert not threads.numpy_has_the_threads()

    threads.prefer_numpy(True)
    assert numbers() == (1, 2)
    assert threads.numpy_has_the_threads()

    threads.prefer_numpy(False)
    assert numbers() == (2, 1)
    assert not threads.numpy_has_the_threads()


@pytest.mark.parametrize("yes", [True, False])
def test_one_thread_is_one_for_both(yes):
    set_num_threads(1)
    threads.prefer_numpy(yes)

    assert numbers() == (1, 1)
    assert threads.numpy_has_the_threads()


def test_a_number_that_only_torch_was_told():
    set_num_threads(1)
    torch.set_num_threads(2)

    assert not threads.numpy_has_the_threads()


def test_nothing_is_taken_from_who_never_said_a_number(monkeypatch):
    for name in ("_num", "_num_blas"):
        monkeypatch.setattr(threads, name, None)
    before = numbers()

    threads.prefer_numpy(True)

    assert numbers() == before
    assert not threads.numpy_has_the_threads()


def test_one_thread_is_a_default_that_a_user_may_change(monkeypatch):
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "")  # what is set is put back
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")

    threads.one_thread_by_default()

    code = "import os; print(os.environ['OMP_NUM_THREADS'], os.environ['OPENBLAS_NUM_THREADS'])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "3 1\n"


def test_what_numpy_computes_with_is_named_also_before_it_is_imported():
    code = "from lagom.utils.threads import blas; print(blas())"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip

    assert out.stdout.strip() == threads.blas()
    assert threads.blas().split()[0] in ("openblas", "mkl", "blis", "flexiblas")
