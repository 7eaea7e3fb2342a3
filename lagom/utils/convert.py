"""Between arrays and tensors."""

import numpy as np


def tensorify(x, device):
    """``x`` as a tensor on ``device``.

    Tensors keep their dtype; arrays, lists and numbers become float32.
    """
    import torch

    if isinstance(x, torch.Tensor):
        return x.to(device)
    return torch.as_tensor(np.asarray(x, np.float32), device=device)


def numpify(x, dtype):
    """``x``, a tensor with or without gradient, an array or a list, as an array of ``dtype``."""
    if hasattr(x, "detach"):
        x = x.detach().cpu().numpy()
    return np.asarray(x, dtype)
