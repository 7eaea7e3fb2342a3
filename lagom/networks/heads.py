"""Heads turn features into distributions over actions.

``forward`` gives the distribution object, for reading and for new ideas.  ``evaluate`` and ``act``
compute the same in closed form, on tensors and on arrays: distribution objects are as dear as
everything else in a small update.
"""

import math

import numpy as np
import torch
from torch import distributions as D
from torch import nn
from torch.nn import functional as F

from lagom.networks.layers import Linear, ortho_init
from lagom.networks.module import Module

# Logit of what a mask forbids, finite so that entropies are: Huang and Ontanon, A Closer Look at
# Invalid Action Masking in Policy Gradient Algorithms, 2020 (arXiv:2006.14171).
FORBIDDEN = -1e8


def draw(logits, rng, greedy=False):
    """Indices ``[B]`` int64, drawn as ``logits`` ``[B, K]`` say, or the likeliest."""
    if greedy:
        return logits.argmax(-1)
    probs = np.exp(logits - logits.max(-1, keepdims=True))
    cumulative = probs.cumsum(-1)
    u = rng.random((len(logits), 1), np.float32) * cumulative[:, -1:]  # in [0, sum)
    return (cumulative <= u).sum(-1)  # inverse of the cumulative distribution


class CategoricalHead(Module):
    """A categorical distribution; nearly uniform at the beginning.

    Args:
        feature_dim (int): size of the features.
        num_action (int): number of actions.
        device (torch.device): where the parameters live.

    Example:
        >>> action_head = CategoricalHead(30, 4, "cpu")
        >>> action_head(torch.randn(2, 30))
        Categorical(logits: torch.Size([2, 4]))
    """

    def __init__(self, feature_dim, num_action, device, **kwargs):
        super().__init__()
        self.logits = ortho_init(Linear(feature_dim, num_action), weight_scale=0.01)
        self.to(device)

    def forward(self, features, mask=None):
        """Features ``[N, feature_dim]`` to a ``Categorical`` with batch shape ``[N]``."""
        return D.Categorical(logits=self._masked_logits(features, mask))

    def _masked_logits(self, features, mask):
        logits = self.logits(features)  # [N, num_action]
        return logits if mask is None else logits.masked_fill(mask == 0, FORBIDDEN)

    def evaluate(self, features, action, mask=None):
        """Log-probabilities of ``action`` ``[N]`` int64, and entropies; each ``[N]``.

        ``mask`` ``[N, num_action]`` is nonzero where actions are allowed.
        """
        logprobs = torch.log_softmax(self._masked_logits(features, mask), -1)
        entropy = -(logprobs.exp() * logprobs).sum(-1)
        return logprobs.gather(-1, action[:, None]).squeeze(-1), entropy

    def act(self, features, rng, greedy=False, mask=None):
        """Actions ``[B]`` int64 for an array of features ``[B, feature_dim]``.

        Args:
            features (ndarray): float32.
            rng (numpy.random.Generator): draws the actions.
            greedy (bool): take the likeliest instead.
            mask (ndarray): ``[B, num_action]``, nonzero where actions are allowed; where none is,
                all are.
        """
        logits = self.logits.numpy(features)
        if mask is not None:
            logits = np.where(mask, logits, np.float32(FORBIDDEN))
        return draw(logits, rng, greedy)


class DiagGaussianHead(Module):
    """A Gaussian with diagonal covariance whose scale does not depend on the state; unbounded.

    Args:
        feature_dim (int): size of the features.
        action_dim (int): number of action dimensions.
        device (torch.device): where the parameters live.
        std0 (float): initial standard deviation, > 0.

    Raises:
        ValueError: ``std0`` is not positive.

    Example:
        >>> action_head = DiagGaussianHead(10, 4, "cpu", 0.45)
        >>> action_dist = action_head(torch.randn(2, 10))
        >>> action_dist.base_dist
        Normal(loc: torch.Size([2, 4]), scale: torch.Size([2, 4]))
        >>> action_dist.base_dist.stddev.detach()
        tensor([[0.4500, 0.4500, 0.4500, 0.4500],
                [0.4500, 0.4500, 0.4500, 0.4500]])
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

    def evaluate(self, features, action, mask=None):
        """Log-probabilities of ``action`` ``[N, action_dim]``, and entropies; each ``[N]``.

        Continuous actions have no ``mask``: it is None.
        """
        logstd = self.logstd_head
        z = (action - self.mean_head(features)) * torch.exp(-logstd)  # [N, action_dim]
        constant = logstd.sum() + 0.5 * math.log(2 * math.pi) * len(logstd)
        logprob = -0.5 * z.square().sum(-1) - constant
        return logprob, (constant + 0.5 * len(logstd)).expand(len(z))

    def act(self, features, rng, greedy=False, mask=None):
        """Actions ``[B, action_dim]`` float32 for features as in ``CategoricalHead.act``."""
        mean = self.mean_head.numpy(features)
        if greedy:
            return mean
        std = np.exp(self.logstd_head.detach().cpu().numpy())
        return mean + std * rng.standard_normal(mean.shape, np.float32)


class TanhGaussianHead(Module):
    r"""A diagonal Gaussian squashed by tanh into bounds; mean and scale depend on the state.

    The log standard deviation is clamped to [-20, 2], as by the authors of SAC, for whom the bounds
    only matter at the beginning (github.com/rail-berkeley/softlearning, issue 77).  Stretching a
    tanh to them is the other custom, but then a new head, with outputs near 0, has a standard
    deviation of exp(-9) and does not explore; here it is near 1, close to uniform after squashing.

    There is no ``evaluate``: the entropy has no closed form, and log-probabilities of given actions
    are imprecise near the bounds.  ``forward`` gives them nevertheless.

    Args:
        feature_dim (int): size of the features.
        action_dim (int): number of action dimensions.
        device (torch.device): where the parameters live.
        low (float or ndarray): lower bounds, ``[action_dim]`` or the same for all.
        high (float or ndarray): upper bounds; kept up to float32 rounding.  Densities are those of
            actions between these bounds: SAC's target entropy of ``-action_dim`` is meant for -1
            and 1, and grows by ``log((high - low) / 2)`` in each dimension.

    Raises:
        ValueError: bounds are not finite, or not in order.

    Reference:
        Haarnoja et al., Soft Actor-Critic Algorithms and Applications, 2018 (arXiv:1812.05905),
        appendix C.
    """

    def __init__(self, feature_dim, action_dim, device, low=-1.0, high=1.0, **kwargs):
        super().__init__()
        low, high = (np.broadcast_to(np.float64(x), action_dim) for x in (low, high))
        if not (np.isfinite(high - low).all() and (low < high).all()):
            raise ValueError(
                f"TanhGaussianHead: bounds are {low.tolist()} and {high.tolist()}; "
                "expected finite ones, low < high"
            )
        center, scale = 0.5 * low + 0.5 * high, 0.5 * high - 0.5 * low
        self.np_center, self.np_scale = center.astype(np.float32), scale.astype(np.float32)
        self.register_buffer("center", torch.from_numpy(self.np_center), persistent=False)
        self.register_buffer("scale", torch.from_numpy(self.np_scale), persistent=False)
        # What the log-probability owes to neither noise nor network.
        self.constant = float(np.log(scale).sum()) + 0.5 * math.log(2 * math.pi) * action_dim
        self.out = ortho_init(Linear(feature_dim, 2 * action_dim), weight_scale=0.01)
        self.to(device)

    def forward(self, features):
        """Features ``[N, feature_dim]`` to a distribution over actions ``[action_dim]``."""
        mean, logstd = self.moments(features)
        squash = D.TanhTransform(cache_size=1)  # its own samples are not inverted
        stretch = D.AffineTransform(self.center, self.scale, cache_size=1)
        gaussian = D.Independent(D.Normal(mean, logstd.exp()), 1)
        return D.TransformedDistribution(gaussian, [squash, stretch])

    def moments(self, features):
        """Mean and log standard deviation before squashing, ``[N, action_dim]`` each."""
        mean, logstd = self.out(features).chunk(2, -1)
        return mean, logstd.clamp(-20.0, 2.0)

    def sample(self, features):
        """Actions ``[N, action_dim]`` and their log-probabilities ``[N]``, both differentiable.

        The noise is from torch's stream.
        """
        mean, logstd = self.moments(features)
        noise = torch.randn_like(mean)
        x = mean + logstd.exp() * noise  # [N, action_dim]
        log_slope = 2 * (math.log(2) - x - F.softplus(-2 * x))  # log(1 - tanh(x)^2)
        logprob = -(0.5 * noise.square() + logstd + log_slope).sum(-1) - self.constant
        return torch.addcmul(self.center, self.scale, x.tanh()), logprob

    def act(self, features, rng, greedy=False):
        """Actions ``[B, action_dim]`` float32 for features as in ``CategoricalHead.act``.

        The greedy action is the squashed mean, which is the median of each dimension.
        """
        x, logstd = np.split(self.out.numpy(features), 2, -1)
        if not greedy:
            x = x + np.exp(logstd.clip(-20.0, 2.0)) * rng.standard_normal(x.shape, np.float32)
        return self.np_center + self.np_scale * np.tanh(x)
