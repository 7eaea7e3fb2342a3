import numpy as np
import pytest
import torch

from lagom.utils import numpify, tensorify


@pytest.mark.parametrize(
    ("x", "dtype"),
    [
        ([1, 2, 3], torch.float32),
        (np.array([1.0, 2.0, 3.0]), torch.float32),
        (np.array([1, 2, 3]), torch.float32),
        (torch.tensor([1, 2, 3]), torch.int64),
        (torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64), torch.float64),
    ],
)
def test_tensorify(x, dtype):
    out = tensorify(x, "cpu")

    assert out.dtype == dtype
    assert out.device == torch.device("cpu")
    assert out.tolist() == [1, 2, 3]


def test_tensorify_numbers_and_keeps_history():
    assert tensorify(2, "cpu").shape == ()
    x = torch.ones(2, requires_grad=True)
    assert tensorify(x * 2, "cpu").requires_grad


@pytest.mark.parametrize(
    "x",
    [
        torch.tensor([1.0, 2.5], requires_grad=True),
        torch.tensor([1.0, 2.5], dtype=torch.float64),
        [1, 2.5],
        np.array([1, 2.5]),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numpify(x, dtype):
    out = numpify(x, dtype)

    assert type(out) is np.ndarray
    assert out.dtype == dtype
    assert out.tolist() == [1, 2.5]
