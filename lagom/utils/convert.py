"""Between arrays and tensors."""

import numpy as np


def tensorify(x, device):
    """``x`` as a tensor on ``device``; what needs no conversion is not copied.

    Tensors keep their dtype and history; all else becomes float32.

    Args:
        x (Tensor, ndarray, list or number): of any shape.
        device (torch.device or str): where the result lives.
    """
    import torch

    if isinstance(x, torch.Tensor):
        return x.to(device)
    return torch.as_tensor(np.asarray(x, np.float32), device=device)


def numpify(x, dtype):
    """``x`` as an array of ``dtype``; what needs no conversion is not copied.

    Args:
        x (Tensor, ndarray, list or number): a tensor may be on any device and have a history.
        dtype (numpy.dtype): of the result.
    """
    if hasattr(x, "detach"):
        x = x.detach().cpu().numpy()
    return np.asarray(x, dtype)
