"""Exploration that depends on the state, and is smooth in time.

Raffin et al., Smooth Exploration for Robotic Reinforcement Learning, 2020 (arXiv:2005.05719).
"""

import math

import numpy as np
import torch
from torch import distributions as D
from torch import nn

from lagom.networks.layers import Linear, ortho_init
from lagom.networks.module import Module


class KeptNoise:
    r"""Noise :math:`z^\top W`, linear in the features, whose ``W`` stays for some steps.

    Each sub-environment has its own ``W``.  Kept is ``W`` in units of its scale, so that what is
    learned about the scale counts at once.

    Args:
        every (int): steps until ``W`` is drawn anew, >= 1.

    Raises:
        ValueError: ``every`` is less.
    """

    def __init__(self, every):
        if every < 1:
            raise ValueError(f"sde_every: got {every!r}; expected at least one step")
        self.every, self.age, self.noise = every, 0, None  # noise: W / sigma, [B, F, action_dim]

    def __call__(self, features, logstd, rng):
        """Noise ``[B, action_dim]`` of the next step.

        Args:
            features (ndarray): ``[B, F]`` float32; with another ``B`` than before, all is new.
            logstd (Tensor): ``[F, action_dim]``, logarithm of the scale of ``W``.
            rng (numpy.random.Generator): draws ``W``.
        """
        shape = (len(features), *logstd.shape)
        if self.age % self.every == 0 or self.noise.shape != shape:
            self.noise, self.age = rng.standard_normal(shape, np.float32), 0
        self.age += 1
        W = self.noise * np.exp(logstd.detach().cpu().numpy())
        return np.einsum("bf,bfa->ba", features, W)

    def state_dict(self):
        """The noise that is kept, and for how many steps it has been."""
        return {"noise": self.noise, "age": self.age}

    def load_state_dict(self, state):
        """Go on from ``state``."""
        self.noise, self.age = state["noise"], state["age"]


def marginal_logstd(features, logstd):
    r"""Log standard deviation of :math:`z^\top W` where ``W`` is not known, ``[N, action_dim]``.

    The variance is :math:`\sum_i z_i^2 \sigma_{ij}^2` (eq. 8).  Features get no gradient from it:
    they are there to choose actions well, not to be loud or quiet.

    Args:
        features (Tensor): ``[N, F]``.
        logstd (Tensor): ``[F, action_dim]``, logarithm of ``sigma``.
    """
    var = features.detach().square() @ (2 * logstd).exp()
    return 0.5 * (var + 1e-6).log()


class StateDependentHead(Module):
    r"""A diagonal Gaussian, unbounded, whose noise is a random linear function of the features.

    .. math:: a = \mu(s) + z(s)^\top W, \quad W_{ij} \sim N(0, \sigma_{ij}^2)

    While acting, ``W`` stays for some steps (:class:`KeptNoise`): the same state gets the same
    noise, and what follows from it is seen.  Densities are those of the marginal distribution,
    with a scale for each state (:func:`marginal_logstd`).

    Args:
        feature_dim (int): size of the features.
        action_dim (int): number of action dimensions.
        device (torch.device): where the parameters live.
        logstd0 (float): initial logarithm of all ``sigma``; actions begin with a standard deviation
            of ``exp(logstd0)`` times the norm of the features.
        every (int): steps for which ``W`` is kept while acting, >= 1.

    Raises:
        ValueError: ``every`` is less.

    Example:
        >>> action_head = StateDependentHead(4, 2, "cpu", logstd0=0.0, every=8)
        >>> action_dist = action_head(torch.tensor([[3.0, 4.0, 0.0, 0.0]]))
        >>> action_dist.stddev.detach()
        tensor([[5., 5.]])

    Reference:
        Raffin et al., Smooth Exploration for Robotic Reinforcement Learning, 2020
        (arXiv:2005.05719), eq. 5 to 8.
    """

    def __init__(self, feature_dim, action_dim, device, logstd0, every):
        super().__init__()
        self.mean_head = ortho_init(Linear(feature_dim, action_dim), weight_scale=0.01)
        self.logstd = nn.Parameter(torch.full((feature_dim, action_dim), float(logstd0)))
        self.noise = KeptNoise(every)
        self.to(device)

    def forward(self, features):
        """Features ``[N, feature_dim]`` to an ``Independent(Normal)`` over ``[action_dim]``."""
        std = marginal_logstd(features, self.logstd).exp()
        return D.Independent(D.Normal(self.mean_head(features), std), 1)

    def evaluate(self, features, action, mask=None):
        """Log-probabilities of ``action`` ``[N, action_dim]``, and entropies; each ``[N]``.

        Continuous actions have no ``mask``: it is None.
        """
        logstd = marginal_logstd(features, self.logstd)  # [N, action_dim]
        z = (action - self.mean_head(features)) * torch.exp(-logstd)
        constant = logstd.sum(-1) + 0.5 * math.log(2 * math.pi) * z.shape[-1]  # [N]
        return -0.5 * z.square().sum(-1) - constant, constant + 0.5 * z.shape[-1]

    def act(self, features, rng, greedy=False, mask=None):
        """Actions ``[B, action_dim]`` float32 for features as in ``CategoricalHead.act``.

        Greedy ones leave the noise that is kept as it is.
        """
        mean = self.mean_head.numpy(features)
        return mean if greedy else mean + self.noise(features, self.logstd, rng)

    def get_extra_state(self):
        """That of the noise."""
        return self.noise.state_dict()

    def set_extra_state(self, state):
        """Go on from ``state``."""
        self.noise.load_state_dict(state)
