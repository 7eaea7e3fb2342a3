"""Squashed actions with exploration that depends on the state, and is smooth in time."""

import numpy as np
import torch
from torch import nn

from lagom.networks import KeptNoise, Linear, TanhGaussianHead, marginal_logstd, ortho_init


class StateDependentHead(TanhGaussianHead):
    r"""Squashed actions whose noise is a random linear function of the features.

    .. math:: a = \tanh(\mu(s) + z(s)^\top W), \quad W_{ij} \sim N(0, \sigma_{ij}^2)

    As :class:`lagom.networks.StateDependentHead`, before squashing; the mean is kept within
    (-2, 2), where tanh still has a slope, by :math:`2 \tanh(x / 2)`.  (The authors cut it off,
    which leaves no way back to a policy that is beyond in all states.)

    Args:
        feature_dim (int): size of the features.
        action_dim (int): number of action dimensions.
        device (torch.device): where the parameters live.
        logstd0 (float): initial logarithm of all ``sigma``.
        every (int): steps for which ``W`` is kept, >= 1.

    Raises:
        ValueError: ``every`` is less.

    Reference:
        Raffin et al., Smooth Exploration for Robotic Reinforcement Learning, 2020
        (arXiv:2005.05719), eq. 5 to 8.
    """

    def __init__(self, feature_dim, action_dim, device, logstd0, every):
        super().__init__(feature_dim, action_dim, device)
        self.out = ortho_init(Linear(feature_dim, action_dim), weight_scale=0.01)
        self.logstd = nn.Parameter(torch.full((feature_dim, action_dim), float(logstd0)))
        self.noise = KeptNoise(every)
        self.to(device)

    def moments(self, features):
        """Mean, within (-2, 2), and log standard deviation, ``[N, action_dim]`` each."""
        return 2 * (self.out(features) / 2).tanh(), marginal_logstd(features, self.logstd)

    def act(self, features, rng, greedy=False):
        """Actions ``[B, action_dim]`` float32 for features as in ``CategoricalHead.act``."""
        x = 2 * np.tanh(self.out.numpy(features) / 2)
        return np.tanh(x if greedy else x + self.noise(features, self.logstd, rng))

    def get_extra_state(self):
        """That of the noise."""
        return self.noise.state_dict()

    def set_extra_state(self, state):
        """Go on from ``state``."""
        self.noise.load_state_dict(state)
