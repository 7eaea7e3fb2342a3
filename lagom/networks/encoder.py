"""Features of observations of any kind: vectors, numbers, pictures, and dictionaries of these."""

import numpy as np
import torch
from gymnasium import spaces
from torch import nn
from torch.nn import functional as F

from lagom.networks.images import make_image_network
from lagom.networks.layers import MLP
from lagom.networks.module import Module
from lagom.utils import nested

MASK = "action_mask"  # an entry of observations that says what is allowed, not how things stand


def make_encoder(
    observation_space,
    hidden_sizes,
    out_features=None,
    activation="tanh",
    cnn="auto",
    out_scale=1.0,
    init="orthogonal",
):
    """A network from observations of ``observation_space`` to features.

    Vectors of floats go straight into an :class:`MLP`.  Everything else goes through an
    :class:`Encoder` first: pictures through convolutions, ``Discrete`` and ``MultiDiscrete`` as one
    indicator for each value, all the rest as flat numbers (bytes are divided by 255).  What the
    entries of ``Dict`` and ``Tuple`` spaces give is concatenated.  An entry ``"action_mask"`` of a
    ``Dict`` is left out: heads get it (:func:`action_mask`).

    Both kinds have ``out_features``, take tensors ``[N, *obs]`` when called, and arrays in
    ``numpy(x)``, for acting.

    Args:
        observation_space (Space): of single observations.
        hidden_sizes (list): of the MLP at the end; may be empty.
        out_features (int): size of a last layer without activation; none by default.
        activation (str): of the MLP, ``"tanh"`` or ``"relu"``.
        cnn (str): for pictures: ``"nature"``, ``"impala"``, ``"small"``, or ``"auto"``, see
            :func:`make_image_network`.
        out_scale (float): gain of the last layer's orthogonal weights.
        init (str): of the MLP, ``"orthogonal"`` or ``"uniform"``.

    Raises:
        ValueError: the space has entries that are no arrays, or pictures too small for ``cnn``.
    """
    last = {"out_features": out_features, "activation": activation}
    last |= {"out_scale": out_scale, "init": init}
    space = observation_space
    if isinstance(space, spaces.Box) and len(space.shape) == 1 and space.dtype.kind == "f":
        return MLP(space.shape[0], hidden_sizes, **last)
    return Encoder(space, hidden_sizes, cnn=cnn, **last)


def action_mask(obs):
    """The entry of ``obs`` that says which actions are allowed, ``[N, num_action]``; or None.

    It is nonzero where they are; that of ``MultiDiscrete`` has the values of all factors in a row.
    """
    return obs.get(MASK) if isinstance(obs, dict) else None


def check_mask(observation_space, action_space):
    """Refuse an entry ``"action_mask"`` of observations that does not fit the actions.

    Raises:
        ValueError: actions are neither ``Discrete`` nor ``MultiDiscrete``, or of another number.
    """
    tree = nested.simple_spaces(observation_space)
    mask = tree.get(MASK) if isinstance(tree, dict) else None
    if mask is None:
        return
    num = None
    if isinstance(action_space, spaces.Discrete):
        num = int(action_space.n)
    elif isinstance(action_space, spaces.MultiDiscrete):
        num = int(action_space.nvec.sum())
    if mask.shape != (num,):
        raise ValueError(
            f"action_mask: got {mask} for actions {action_space}; expected one number for each "
            "value of Discrete or MultiDiscrete actions, or an entry by another name"
        )


class Encoder(Module):
    """One part for each entry of an observation, and an :class:`MLP` on all they give.

    Args:
        observation_space (Space): of single observations.
        hidden_sizes (list): as of :func:`make_encoder`, and so are the others.
        cnn (str): for pictures.
        **kwargs: go to the :class:`MLP`.

    Raises:
        ValueError: as of :func:`make_encoder`.
    """

    def __init__(self, observation_space, hidden_sizes, cnn="auto", **kwargs):
        super().__init__()
        tree = nested.simple_spaces(observation_space)
        if isinstance(tree, dict):
            tree = {key: part for key, part in tree.items() if key != MASK}
        self.parts = nn.ModuleList(_make_part(space, cnn) for space in nested.flat(tree))
        numbers = iter(range(len(self.parts)))
        self.tree = nested.map_leaves(lambda space: next(numbers), tree)  # where each part belongs
        self.trunk = MLP(sum(part.out_features for part in self.parts), hidden_sizes, **kwargs)
        self.out_features = self.trunk.out_features
        self.is_plain = not any(isinstance(part, ImagePart) for part in self.parts)

    def forward(self, obs):
        """``[N, *obs]`` to ``[N, out_features]``."""
        entries = nested.map_leaves(lambda i, x: self.parts[i](x), self.tree, obs)
        return self.trunk(torch.cat(nested.flat(entries), -1))

    @torch.no_grad()
    def numpy(self, x):
        """The same on arrays, without autograd; pictures go through torch nevertheless."""
        if not self.is_plain:
            device = next(self.parameters()).device
            return self(nested.to_tensors(x, device)).cpu().numpy()
        convert = lambda i, part: self.parts[i](nested.to_tensors(part, "cpu")).numpy()
        entries = nested.map_leaves(convert, self.tree, x)
        return self.trunk.numpy(np.concatenate(nested.flat(entries), -1))


class NumberPart(Module):
    """Numbers in a row, as floats; bytes are divided by 255."""

    def __init__(self, space):
        super().__init__()
        self.out_features = int(np.prod(space.shape))
        self.scale = 1 / 255 if space.dtype == np.uint8 and isinstance(space, spaces.Box) else 1.0

    def forward(self, x):
        x = x.reshape(len(x), -1).float()
        return x if self.scale == 1.0 else x * self.scale


class OneHotPart(Module):
    """An indicator for each value of ``Discrete``, or of each factor of ``MultiDiscrete``."""

    def __init__(self, space):
        super().__init__()
        nvec = np.ravel(space.n if isinstance(space, spaces.Discrete) else space.nvec)
        self.nvec, self.out_features = nvec.tolist(), int(nvec.sum())
        self.start = np.ravel(space.start).tolist()

    def forward(self, x):
        columns = x.reshape(len(x), -1).long().unbind(-1)
        factors = zip(columns, self.nvec, self.start, strict=True)
        return torch.cat([F.one_hot(column - start, n) for column, n, start in factors], -1).float()


class ImagePart(Module):
    """A picture, channels first or last, through convolutions; bytes are divided by 255."""

    def __init__(self, space, cnn):
        super().__init__()
        shape = space.shape
        self.axes, shape = _channels_first(shape)
        self.scale = 1 / 255 if space.dtype == np.uint8 else 1.0
        self.network = make_image_network(*shape, kind=cnn)
        self.out_features = self.network.out_features

    def forward(self, x):
        x = x[:, None] if self.axes is None else x.permute(0, *self.axes)
        return self.network(x.float() * self.scale)


def _make_part(space, cnn):
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
        return OneHotPart(space)
    if isinstance(space, spaces.MultiBinary):
        return NumberPart(space)
    if not isinstance(space, spaces.Box):
        raise ValueError(
            f"observation space: got {space}; expected Box, Discrete, MultiDiscrete, MultiBinary, "
            "or Dict and Tuple of these"
        )
    return ImagePart(space, cnn) if is_image(space) else NumberPart(space)


def is_image(space):
    """Whether a space is one of pictures: height and width, at least 8 pixels, and channels.

    Without an axis of channels only bytes are taken for pictures.  The axis of channels is the
    first or the last, whichever is shorter.
    """
    if not isinstance(space, spaces.Box) or len(space.shape) not in (2, 3):
        return False
    _, (_, height, width) = _channels_first(space.shape)
    return min(height, width) >= 8 and (len(space.shape) == 3 or space.dtype == np.uint8)


def _channels_first(shape):
    """The order of axes (of a batch) that puts channels first, and the shape then."""
    if len(shape) == 2:
        return None, (1, *shape)
    axes = (0, 1, 2) if shape[0] <= shape[2] else (2, 0, 1)
    return tuple(axis + 1 for axis in axes), tuple(shape[axis] for axis in axes)
