"""Layers that run on tensors with autograd, and on NumPy arrays in the same memory without."""

from itertools import pairwise

import numpy as np
import torch
from torch import nn

from lagom.networks.module import Module

_ZERO = np.float32(0)  # a number of Python's takes NumPy longer
ACTIVATIONS = {  # name -> (on tensors, on arrays, perhaps in place)
    "tanh": (torch.tanh, np.tanh),
    "relu": (torch.relu, lambda x, out=None: np.maximum(x, _ZERO, out=out)),
}

ORTHOGONAL = (
    *(nn.Linear, nn.RNNBase, nn.RNNCellBase),
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)


def ortho_init(module, nonlinearity=None, weight_scale=1.0, constant_bias=0.0):
    """Orthogonal weights and constant biases, in place; returns the module.

    A convolution's weights are one matrix with a row for each item of their first axis; so are a
    recurrent layer's, all gates together.

    Args:
        module (nn.Module): a linear layer, a convolution, transposed or not, or a recurrent layer
            or cell; with or without biases.
        nonlinearity (str): name for ``nn.init.calculate_gain``; its gain replaces ``weight_scale``.
        weight_scale (float): gain of the orthogonal weights.
        constant_bias (float): value of the biases.

    Raises:
        TypeError: the module is another: initialize the layers it consists of.

    Example:
        >>> layer = ortho_init(nn.Linear(2, 3), weight_scale=2.0, constant_bias=10.0)
        >>> (layer.weight.T @ layer.weight).detach().round(decimals=4).abs()
        tensor([[4., 0.],
                [0., 4.]])
        >>> layer.bias.tolist()
        [10.0, 10.0, 10.0]

    Reference:
        Saxe et al., Exact solutions to the nonlinear dynamics of learning in deep linear neural
        networks, 2014 (arXiv:1312.6120).
    """
    if not isinstance(module, ORTHOGONAL):
        raise TypeError(
            f"ortho_init: got {type(module).__name__}; expected one linear, convolutional or "
            "recurrent layer; initialize the layers of other modules one by one"
        )
    gain = weight_scale if nonlinearity is None else nn.init.calculate_gain(nonlinearity)
    for name, parameter in module.named_parameters():
        if name.startswith("weight"):
            nn.init.orthogonal_(parameter, gain)
        elif name.startswith("bias"):
            nn.init.constant_(parameter, constant_bias)
    return module


def _as_made(layer, **kwargs):
    """Torch's own: weights and biases uniform within 1 / sqrt(in_features)."""
    return layer


INITS = {"orthogonal": ortho_init, "uniform": _as_made}


class Linear(nn.Linear):
    """``nn.Linear`` that can also be called on arrays."""

    _shared = (None, None, None)  # addresses of weight and bias, and their memory as arrays

    def numpy(self, x):
        """The layer on a float32 array ``[..., in_features]``: same memory, no autograd, no copies.

        Small inputs run several times faster here than through torch.  Parameters on another device
        are copied at each call.
        """
        weight, bias = self._parameters.get("weight"), self._parameters.get("bias")
        if weight is None:  # computed from other parameters; as an attribute it costs a product
            weight, bias = self.weight, self.bias
        addresses = weight.data_ptr(), 0 if bias is None else bias.data_ptr()
        known, W, b = self._shared
        if addresses != known:  # moved, for instance into ``Module.flat``
            W = weight.detach().cpu().numpy().T
            b = np.zeros(1, np.float32) if bias is None else bias.detach().cpu().numpy()
            b = b[None]  # NumPy adds rows of one shape in 0.2 us, and takes 0.4 more to spread one
            self._shared = (addresses if weight.is_cpu else None, W, b)
        if x.ndim == 2:
            y = x.dot(W)  # matmul takes 0.4 us more to begin
            y += b
        else:
            y = x @ W
            y += b[0]
        return y

    def __getstate__(self):
        # A copy's parameters may be put where the original's were: addresses hold for this object.
        return {key: value for key, value in vars(self).items() if key != "_shared"}


def input_size(observation_space):
    """The length of the observations, for networks that take vectors.

    Raises:
        ValueError: they are not vectors, but images or single numbers.
    """
    if observation_space.shape is None or len(observation_space.shape) != 1:
        raise ValueError(
            f"observation space: got {observation_space}; expected one axis, vectors; wrap the "
            "environment in gymnasium.wrappers.FlattenObservation, or use an algorithm that takes "
            "every kind, such as algo=ppo"
        )
    return observation_space.shape[0]


class MLP(Module):
    """Fully connected layers, an activation after each; none after the one of ``out_features``.

    Args:
        in_features (int): size of the input.
        hidden_sizes (list): sizes of the hidden layers; may be empty.
        out_features (int): size of a last layer without activation; none by default.
        activation (str): ``"tanh"`` or ``"relu"``.
        out_scale (float): gain of the last layer's orthogonal weights.
        init (str): of weights and biases: ``"orthogonal"`` by the gain of the activation, or
            ``"uniform"``, as torch does it, 2.4 times smaller before a ReLU.

    Raises:
        ValueError: unknown activation or ``init``.
    """

    def __init__(
        self,
        in_features,
        hidden_sizes,
        out_features=None,
        activation="tanh",
        out_scale=1.0,
        init="orthogonal",
    ):
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"MLP: activation {activation!r}; expected one of {[*ACTIVATIONS]}")
        if init not in INITS:
            raise ValueError(f"MLP: init {init!r}; expected one of {[*INITS]}")
        self.activation, self.np_activation = ACTIVATIONS[activation]
        initialize = INITS[init]
        sizes = [in_features, *hidden_sizes]
        self.layers = nn.ModuleList(
            initialize(Linear(i, o), nonlinearity=activation) for i, o in pairwise(sizes)
        )
        self.out = None
        if out_features is not None:
            self.out = initialize(Linear(sizes[-1], out_features), weight_scale=out_scale)
        self.out_features = sizes[-1] if out_features is None else out_features

    def forward(self, x):
        """``[N, in_features]`` to ``[N, out_features]``."""
        for layer in self.layers:
            x = self.activation(layer(x))
        return x if self.out is None else self.out(x)

    def numpy(self, x):
        """The same on a float32 array, without autograd."""
        # Past the attributes of nn.Module, which take as long as a small product.
        layers, out = self._modules["layers"], self._modules.get("out")
        for layer in layers:
            x = layer.numpy(x)
            self.np_activation(x, out=x)
        return x if out is None else out.numpy(x)
