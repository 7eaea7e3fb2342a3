"""Convolutional networks for pictures: Mnih et al. 2015, Espeholt et al. 2018, and a small one."""

import torch
from torch import nn
from torch.nn import functional as F

from lagom.networks.layers import Linear, ortho_init
from lagom.networks.make import make_cnn
from lagom.networks.module import Module

KINDS = ("auto", "nature", "impala", "small")
_NATURE = {"channels": [32, 64, 64], "kernels": [8, 4, 3], "strides": [4, 2, 1]}
_SMALL = {"channels": [16, 32, 32], "kernels": [3, 3, 3], "strides": [1, 2, 2]}


def make_image_network(channel, height, width, kind="auto"):
    """A network from pictures ``[N, channel, height, width]`` to features ``[N, out_features]``.

    Args:
        channel (int): channels, of all stacked frames.
        height (int): in pixels.
        width (int): in pixels.
        kind (str): ``"nature"``, 512 features, from 36 pixels on; ``"impala"``, 256 features;
            ``"small"``, 128 features, for pictures of 8 pixels and more; ``"auto"``, the first if
            the pictures are large enough, else the last.

    Raises:
        ValueError: unknown kind, or the pictures are too small for it.

    Reference:
        Mnih et al., Human-level control through deep reinforcement learning, 2015, Methods.
        Espeholt et al., IMPALA, 2018 (arXiv:1802.01561), figure 3, right, without the LSTM.
    """
    size = min(height, width)
    if kind not in KINDS:
        raise ValueError(f"make_image_network: kind is {kind!r}; expected one of {list(KINDS)}")
    if kind == "auto":
        kind = "nature" if size >= 36 else "small"
    least = {"nature": 36, "impala": 8, "small": 8}[kind]
    if size < least:
        raise ValueError(
            f"make_image_network: pictures are {height} x {width}; expected at least {least} pixels"
            f" for {kind!r}"
        )
    if kind == "impala":
        return _with_features(ImpalaCNN(channel), channel, height, width, 256)
    layers, paddings = (_NATURE, [0, 0, 0]) if kind == "nature" else (_SMALL, [1, 1, 1])
    num_feature = 512 if kind == "nature" else 128
    return _with_features(PlainCNN(channel, layers, paddings), channel, height, width, num_feature)


class PlainCNN(Module):
    """Convolutions, a ReLU after each."""

    def __init__(self, channel, layers, paddings):
        super().__init__()
        self.layers = make_cnn(channel, **layers, paddings=paddings)
        for layer in self.layers:
            ortho_init(layer, nonlinearity="relu")

    def forward(self, x):
        """``[N, channel, H, W]`` to ``[N, channel', H', W']``."""
        for layer in self.layers:
            x = F.relu(layer(x))
        return x


class ImpalaCNN(Module):
    """Three times: a convolution, pooling by two, and two residual blocks of two convolutions."""

    def __init__(self, channel):
        super().__init__()
        self.stages = nn.ModuleList()
        for num in (16, 32, 32):
            self.stages.append(make_cnn(channel, [num] * 5, [3] * 5, [1] * 5, [1] * 5))
            channel = num

    def forward(self, x):
        """``[N, channel, H, W]`` to ``[N, 32, H / 8, W / 8]``, rounded up."""
        for first, *blocks in self.stages:
            x = F.max_pool2d(first(x), 3, 2, padding=1)
            for a, b in zip(blocks[::2], blocks[1::2], strict=True):
                x = x + b(F.relu(a(F.relu(x))))
        return F.relu(x)


class _Features(Module):
    """What convolutions give, flattened, through one layer with a ReLU."""

    def __init__(self, cnn, num_flat, out_features):
        super().__init__()
        self.cnn, self.out_features = cnn, out_features
        self.layer = ortho_init(Linear(num_flat, out_features), nonlinearity="relu")

    def forward(self, x):
        return F.relu(self.layer(self.cnn(x).flatten(1)))


def _with_features(cnn, channel, height, width, out_features):
    with torch.no_grad():
        num_flat = cnn(torch.zeros(1, channel, height, width)).numel()
    return _Features(cnn, num_flat, out_features)
