"""Batch renormalization, and fully connected networks with it."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from lagom.networks.layers import ACTIVATIONS, INITS, Linear
from lagom.networks.module import Module

_EPS = 1e-3  # added to variances


class BatchRenorm(Module):
    r"""Normalizes features by moments of minibatches, corrected towards moments of all.

    While learning, with minibatch moments :math:`\mu, s` and running ones :math:`m, \sigma`,

    .. math:: y = w \left(\frac{x - \mu}{s} r + d\right) + b, \quad
        r = \frac{s}{\sigma}, \; d = \frac{\mu - m}{\sigma}

    where ``r`` is within ``[1 / r_max, r_max]``, ``d`` within ``[-d_max, d_max]``, and both count
    as constants; in the first ``warmup`` minibatches they are 1 and 0, which is plain batch
    normalization.  Otherwise running moments alone are used, as when acting.

    Args:
        num_features (int): size of the features.
        warmup (int): minibatches before the correction sets in.
        momentum (float): weight of a minibatch in the running moments, in (0, 1].
        r_max (float): largest ratio of standard deviations, at least 1.
        d_max (float): largest distance of means, in running standard deviations.

    Reference:
        Ioffe, Batch Renormalization, 2017 (arXiv:1702.03275).
    """

    def __init__(self, num_features, warmup=100_000, momentum=0.01, r_max=3.0, d_max=5.0):
        super().__init__()
        self.warmup, self.momentum, self.r_max, self.d_max = warmup, momentum, r_max, d_max
        self.weight = nn.Parameter(torch.ones(num_features))
        self.bias = nn.Parameter(torch.zeros(num_features))
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("var", torch.ones(num_features))
        self.num_batch = 0

    def forward(self, x, learn=False):
        """``[N, num_features]`` to the same; ``learn`` uses, and notes, the moments of ``x``."""
        if not learn:
            scale = self.weight * torch.rsqrt(self.var + _EPS)
            return torch.addcmul(self.bias - self.mean * scale, x, scale)
        mean = x.mean(0)
        centred = x - mean
        var = centred.square().mean(0)  # torch.var_mean takes thirty times as long
        std = (var + _EPS).sqrt()
        y = centred / std
        with torch.no_grad():
            if self.num_batch >= self.warmup:
                std_all = (self.var + _EPS).sqrt()
                r = (std / std_all).clamp(1 / self.r_max, self.r_max)
                d = ((mean - self.mean) / std_all).clamp(-self.d_max, self.d_max)
            self.mean.lerp_(mean, self.momentum)
            self.var.lerp_(var, self.momentum)
        if self.num_batch >= self.warmup:
            y = y * r + d
        self.num_batch += 1
        return torch.addcmul(self.bias, y, self.weight)

    def numpy(self, x):
        """The same on a float32 array, by the running moments."""
        mean, var, weight, bias = (
            p.detach().cpu().numpy() for p in (self.mean, self.var, self.weight, self.bias)
        )
        return (x - mean) * (weight / np.sqrt(var + np.float32(_EPS))) + bias

    def get_extra_state(self):
        """The number of minibatches seen."""
        return {"num_batch": self.num_batch}

    def set_extra_state(self, state):
        """Go on from ``state``."""
        self.num_batch = state["num_batch"]


class RenormMLP(Module):
    """Fully connected layers, each behind a batch renormalization, and activations in between.

    Args:
        in_features (int): size of the input.
        hidden_sizes (list): sizes of the hidden layers.
        out_features (int): size of a last layer without activation; none by default.
        activation (str): ``"tanh"`` or ``"relu"``.
        warmup (int): of each :class:`BatchRenorm`.
        init (str): as of :class:`MLP`.

    Raises:
        ValueError: unknown activation or ``init``.

    Example:
        >>> net = RenormMLP(3, [8], 2)
        >>> net(torch.randn(5, 3), learn=True).shape
        torch.Size([5, 2])

    Reference:
        Bhatt et al., CrossQ, 2024 (arXiv:1902.05605).
    """

    def __init__(
        self,
        in_features,
        hidden_sizes,
        out_features=None,
        activation="relu",
        warmup=100_000,
        init="orthogonal",
    ):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"RenormMLP: activation {activation!r}; expected one of {[*ACTIVATIONS]}"
            )
        if init not in INITS:
            raise ValueError(f"RenormMLP: init {init!r}; expected one of {[*INITS]}")
        self.activation, self.np_activation = ACTIVATIONS[activation]
        sizes = [in_features, *hidden_sizes, *([] if out_features is None else [out_features])]
        self.num_hidden = len(hidden_sizes)
        self.norms = nn.ModuleList(BatchRenorm(size, warmup) for size in sizes[:-1])
        self.layers = nn.ModuleList(
            INITS[init](Linear(i, o), nonlinearity=activation if n < self.num_hidden else "linear")
            for n, (i, o) in enumerate(pairwise(sizes))
        )
        self.out_features = sizes[-1]

    def forward(self, x, learn=False):
        """``[N, in_features]`` to ``[N, out_features]``; ``learn`` as in :class:`BatchRenorm`."""
        for n, (norm, layer) in enumerate(zip(self.norms, self.layers, strict=True)):
            x = layer(norm(x, learn))
            if n < self.num_hidden:
                x = self.activation(x)
        return x

    def numpy(self, x):
        """The same on a float32 array, by the running moments."""
        for n, (norm, layer) in enumerate(zip(self.norms, self.layers, strict=True)):
            x = layer.numpy(norm.numpy(x))
            if n < self.num_hidden:
                x = self.np_activation(x)
        return x
