"""Exploration that depends on the state, and is smooth in time."""

import numpy as np
import torch
from torch import nn

from lagom.networks import Linear, TanhGaussianHead, ortho_init


class StateDependentHead(TanhGaussianHead):
    r"""Squashed actions whose noise is a random linear function of the features.

    .. math:: a = \tanh(\mu(s) + z(s)^\top W), \quad W_{ij} \sim N(0, \sigma_{ij}^2)

    While acting, ``W`` stays for ``every`` steps, for each sub-environment its own, so that the
    same state gets the same noise.  Learning needs the marginal distribution only, a Gaussian with
    variance :math:`\sum_i z_i^2 \sigma_{ij}^2`; features get no gradient from it.

    Args:
        feature_dim (int): size of the features.
        action_dim (int): number of action dimensions.
        device (torch.device): where the parameters live.
        logstd0 (float): initial logarithm of all ``sigma``.
        every (int): steps for which ``W`` is kept.

    Reference:
        Raffin et al., Smooth Exploration for Robotic Reinforcement Learning, 2020
        (arXiv:2005.05719), eq. 5 to 8.
    """

    def __init__(self, feature_dim, action_dim, device, logstd0, every):
        super().__init__(feature_dim, action_dim, device)
        self.out = ortho_init(Linear(feature_dim, action_dim), weight_scale=0.01)
        self.logstd = nn.Parameter(torch.full((feature_dim, action_dim), float(logstd0)))
        self.every, self.age, self.noise = every, 0, None  # noise: W / sigma, [B, F, action_dim]
        self.to(device)

    def moments(self, features):
        """Mean, within [-2, 2], and log standard deviation, ``[N, action_dim]`` each."""
        var = features.detach().square() @ (2 * self.logstd).exp()  # eq. 8
        return self.out(features).clamp(-2, 2), 0.5 * (var + 1e-6).log()

    def act(self, features, rng, greedy=False):
        """Actions ``[B, action_dim]`` float32 for features as in ``CategoricalHead.act``."""
        mean = self.out.numpy(features).clip(-2, 2)
        if greedy:
            return np.tanh(mean)
        shape = (*features.shape, mean.shape[-1])
        if self.age % self.every == 0 or self.noise.shape != shape:
            self.noise, self.age = rng.standard_normal(shape, np.float32), 0
        self.age += 1
        W = self.noise * np.exp(self.logstd.detach().cpu().numpy())
        return np.tanh(mean + np.einsum("bf,bfa->ba", features, W))

    def get_extra_state(self):
        """The noise that is kept, and for how many steps it has been."""
        return {"noise": self.noise, "age": self.age}

    def set_extra_state(self, state):
        """Go on from ``state``."""
        self.noise, self.age = state["noise"], state["age"]
