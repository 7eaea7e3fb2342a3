"""Heads turn features into distributions over actions.

``forward`` gives the distribution object, for reading and for new ideas.  ``evaluate`` and ``act``
compute the same in closed form, on tensors and on arrays: distribution objects are as dear as
everything else in a small update.
"""

import math

import numpy as np
import torch
from gymnasium import spaces
from torch import distributions as D
from torch import nn

from lagom.networks.layers import Linear, ortho_init
from lagom.networks.module import Module


class CategoricalHead(Module):
    """A categorical distribution; nearly uniform at the beginning.

    Args:
        feature_dim (int): size of the features.
        num_action (int): number of actions.
        device (torch.device): where the parameters live.
    """

    def __init__(self, feature_dim, num_action, device, **kwargs):
        super().__init__()
        self.logits = ortho_init(Linear(feature_dim, num_action), weight_scale=0.01)
        self.to(device)

    def forward(self, features):
        """Features ``[N, feature_dim]`` to a ``Categorical`` with batch shape ``[N]``."""
        return D.Categorical(logits=self.logits(features))

    def evaluate(self, features, action):
        """Log-probabilities of ``action`` ``[N]`` int64, and entropies; each ``[N]``."""
        logprobs = torch.log_softmax(self.logits(features), -1)  # [N, num_action]
        entropy = -(logprobs.exp() * logprobs).sum(-1)
        return logprobs.gather(-1, action[:, None]).squeeze(-1), entropy

    def act(self, features, rng, greedy=False):
        """Actions ``[B]`` int64 for an array of features ``[B, feature_dim]``.

        Args:
            features (ndarray): float32.
            rng (numpy.random.Generator): draws the actions.
            greedy (bool): take the likeliest instead.
        """
        logits = self.logits.numpy(features)
        if greedy:
            return logits.argmax(-1)
        probs = np.exp(logits - logits.max(-1, keepdims=True))
        cumulative = probs.cumsum(-1)
        u = rng.random((len(logits), 1), np.float32) * cumulative[:, -1:]  # in [0, sum)
        return (cumulative <= u).sum(-1)  # inverse of the cumulative distribution


class DiagGaussianHead(Module):
    """A Gaussian with diagonal covariance whose scale does not depend on the state; unbounded.

    Args:
        feature_dim (int): size of the features.
        action_dim (int): number of action dimensions.
        device (torch.device): where the parameters live.
        std0 (float): initial standard deviation, > 0.

    Raises:
        ValueError: ``std0`` is not positive.
    """

    def __init__(self, feature_dim, action_dim, device, std0=1.0, **kwargs):
        super().__init__()
        if not std0 > 0:
            raise ValueError(f"DiagGaussianHead: std0 is {std0!r}; expected a number > 0")
        self.mean_head = ortho_init(Linear(feature_dim, action_dim), weight_scale=0.01)
        self.logstd_head = nn.Parameter(torch.full((action_dim,), math.log(std0)))
        self.to(device)

    def forward(self, features):
        """Features ``[N, feature_dim]`` to an ``Independent(Normal)`` over ``[action_dim]``."""
        mean = self.mean_head(features)
        return D.Independent(D.Normal(mean, self.logstd_head.exp().expand_as(mean)), 1)

    def evaluate(self, features, action):
        """Log-probabilities of ``action`` ``[N, action_dim]``, and entropies; each ``[N]``."""
        logstd = self.logstd_head
        z = (action - self.mean_head(features)) * torch.exp(-logstd)  # [N, action_dim]
        constant = logstd.sum() + 0.5 * math.log(2 * math.pi) * len(logstd)
        logprob = -0.5 * z.square().sum(-1) - constant
        return logprob, (constant + 0.5 * len(logstd)).expand(len(z))

    def act(self, features, rng, greedy=False):
        """Actions ``[B, action_dim]`` float32 for features as in ``CategoricalHead.act``."""
        mean = self.mean_head.numpy(features)
        if greedy:
            return mean
        std = np.exp(self.logstd_head.detach().cpu().numpy())
        return mean + std * rng.standard_normal(mean.shape, np.float32)


def make_head(feature_dim, action_space, device, **kwargs):
    """The head that fits ``action_space``; of ``kwargs`` (``std0``) heads take what they know.

    Raises:
        ValueError: no head serves this space.
    """
    if isinstance(action_space, spaces.Discrete) and action_space.start == 0:
        return CategoricalHead(feature_dim, int(action_space.n), device, **kwargs)
    if isinstance(action_space, spaces.Box) and len(action_space.shape) == 1:
        return DiagGaussianHead(feature_dim, action_space.shape[0], device, **kwargs)
    raise ValueError(
        f"action space: got {action_space}; expected Discrete from 0, or Box with one axis"
    )
