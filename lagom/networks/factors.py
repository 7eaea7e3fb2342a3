"""Heads for actions of several parts, independent given the observation.

Log-probabilities and entropies of the parts add up.  Only ``MultiDiscrete`` has masks; the others
take None, so that agents need not ask.
"""

import numpy as np
import torch
from gymnasium import spaces
from torch import distributions as D
from torch import nn
from torch.nn import functional as F

from lagom.networks.heads import FORBIDDEN, CategoricalHead, DiagGaussianHead, draw
from lagom.networks.layers import Linear, ortho_init
from lagom.networks.module import Module
from lagom.networks.sde import StateDependentHead
from lagom.utils import nested


class MultiCategoricalHead(Module):
    """One categorical distribution for each number of a ``MultiDiscrete`` action.

    Args:
        feature_dim (int): size of the features.
        nvec (list): number of values of each.
        device (torch.device): where the parameters live.
    """

    def __init__(self, feature_dim, nvec, device, **kwargs):
        super().__init__()
        self.nvec = [int(n) for n in nvec]
        self.logits = ortho_init(Linear(feature_dim, sum(self.nvec)), weight_scale=0.01)
        self.to(device)

    def forward(self, features, mask=None):
        """A list of ``Categorical``, one for each number."""
        return [D.Categorical(logits=part) for part in self._parts(features, mask)]

    def _parts(self, features, mask):
        logits = self.logits(features)  # [N, sum(nvec)]
        if mask is not None:
            logits = logits.masked_fill(mask == 0, FORBIDDEN)
        return logits.split(self.nvec, -1)

    def evaluate(self, features, action, mask=None):
        """Log-probabilities of ``action`` ``[N, len(nvec)]`` int64, and entropies; each ``[N]``.

        ``mask`` ``[N, sum(nvec)]`` is nonzero where values are allowed.
        """
        logprob, entropy = 0.0, 0.0
        for logits, column in zip(self._parts(features, mask), action.unbind(-1), strict=True):
            logprobs = torch.log_softmax(logits, -1)
            logprob = logprob + logprobs.gather(-1, column[:, None]).squeeze(-1)
            entropy = entropy - (logprobs.exp() * logprobs).sum(-1)
        return logprob, entropy

    def act(self, features, rng, greedy=False, mask=None):
        """Actions ``[B, len(nvec)]`` int64 for features as in ``CategoricalHead.act``."""
        logits = self.logits.numpy(features)
        if mask is not None:
            logits = np.where(mask, logits, np.float32(FORBIDDEN))
        parts = np.split(logits, np.cumsum(self.nvec)[:-1], -1)
        return np.stack([draw(part, rng, greedy) for part in parts], -1)


class BernoulliHead(Module):
    """One coin for each bit of a ``MultiBinary`` action.

    Args:
        feature_dim (int): size of the features.
        num_bit (int): number of bits.
        device (torch.device): where the parameters live.
    """

    def __init__(self, feature_dim, num_bit, device, **kwargs):
        super().__init__()
        self.logits = ortho_init(Linear(feature_dim, num_bit), weight_scale=0.01)
        self.to(device)

    def forward(self, features):
        """Features ``[N, feature_dim]`` to an ``Independent(Bernoulli)`` over ``[num_bit]``."""
        return D.Independent(D.Bernoulli(logits=self.logits(features)), 1)

    def evaluate(self, features, action, mask=None):
        """Log-probabilities of ``action`` ``[N, num_bit]`` of 0 and 1, and entropies."""
        logits = self.logits(features)
        bce = F.binary_cross_entropy_with_logits
        entropy = bce(logits, logits.sigmoid(), reduction="none").sum(-1)
        return -bce(logits, action.float(), reduction="none").sum(-1), entropy

    def act(self, features, rng, greedy=False, mask=None):
        """Actions ``[B, num_bit]`` int8 for features as in ``CategoricalHead.act``."""
        logits = self.logits.numpy(features)
        if greedy:
            return (logits > 0).astype(np.int8)
        u = rng.random(logits.shape, np.float32)
        return (u < 1 / (1 + np.exp(-logits))).astype(np.int8)


class NestedHead(Module):
    """A head for each entry of a ``Dict`` or ``Tuple`` of actions.

    Args:
        feature_dim (int): size of the features.
        action_space (Space): of actions; see :func:`make_head` for what its entries may be.
        device (torch.device): where the parameters live.
        **kwargs: go to the heads.

    Raises:
        ValueError: there is no head for an entry.
    """

    def __init__(self, feature_dim, action_space, device, **kwargs):
        super().__init__()
        tree = nested.simple_spaces(action_space)
        self.heads = nn.ModuleList(
            make_head(feature_dim, space, device, **kwargs) for space in nested.flat(tree)
        )
        numbers = iter(range(len(self.heads)))
        self.tree = nested.map_leaves(lambda space: next(numbers), tree)

    def forward(self, features):
        """The entries' distributions, structured as actions are."""
        return nested.map_leaves(lambda i: self.heads[i](features), self.tree)

    def evaluate(self, features, action, mask=None):
        """Log-probabilities of ``action``, and entropies; each ``[N]``."""
        parts = nested.flat(nested.map_leaves(lambda i, part: part, self.tree, action))
        pairs = [h.evaluate(features, part) for h, part in zip(self.heads, parts, strict=True)]
        logprobs, entropies = zip(*pairs, strict=True)
        return sum(logprobs), sum(entropies)

    def act(self, features, rng, greedy=False, mask=None):
        """Actions, structured as the space is, for features as in ``CategoricalHead.act``."""
        return nested.map_leaves(lambda i: self.heads[i].act(features, rng, greedy), self.tree)


def make_head(feature_dim, action_space, device, sde=None, **kwargs):
    """The head that fits ``action_space``; of ``kwargs`` (``std0``) heads take what they know.

    Args:
        feature_dim (int): size of the features.
        action_space (Space): of single actions.
        device (torch.device): where the parameters live.
        sde (dict, optional): ``logstd0`` and ``every`` of :class:`StateDependentHead`, for noise
            that depends on the state; actions are then ``Box``, or ``Dict`` and ``Tuple`` of these.
        **kwargs: go to the heads.

    Raises:
        ValueError: no head serves this space.
    """
    if isinstance(action_space, spaces.Dict | spaces.Tuple) and len(action_space.spaces):
        return NestedHead(feature_dim, action_space, device, sde=sde, **kwargs)
    if sde is not None:
        if not _is_vector(action_space):
            raise ValueError(
                f"agent.sde: got actions {action_space}; expected Box with one axis, or Dict and "
                "Tuple of these; noise that depends on the state needs numbers to add it to"
            )
        return StateDependentHead(feature_dim, action_space.shape[0], device, **sde)
    if isinstance(action_space, spaces.Discrete) and action_space.start == 0:
        return CategoricalHead(feature_dim, int(action_space.n), device, **kwargs)
    if _is_vector(action_space):
        return DiagGaussianHead(feature_dim, action_space.shape[0], device, **kwargs)
    if isinstance(action_space, spaces.MultiDiscrete) and _begins_at_0(action_space):
        return MultiCategoricalHead(feature_dim, action_space.nvec, device, **kwargs)
    if isinstance(action_space, spaces.MultiBinary) and len(action_space.shape) == 1:
        return BernoulliHead(feature_dim, action_space.shape[0], device, **kwargs)
    raise ValueError(
        f"action space: got {action_space}; expected Discrete or MultiDiscrete from 0, Box or "
        "MultiBinary with one axis, or Dict and Tuple of these"
    )


def _is_vector(space):
    return isinstance(space, spaces.Box) and len(space.shape) == 1


def _begins_at_0(space):
    return len(space.shape) == 1 and not space.start.any()
