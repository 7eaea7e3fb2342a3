"""What off-policy steps by hand for continuous actions share; see :mod:`lagom.algorithms.by_hand`.

Gradients of the negative mean of Q over ``N`` observations are written as those of Q itself; who
calls puts ``-1 / N`` before them.
"""

import numpy as np
from lagom.algorithms.off_policy import WAY_BACK

from lagom.networks import MLP
from lagom.networks.backprop import MLPBackprop


class CriticsBackprop:
    """``Critics`` of vectors of observations, networks that ``kind`` has by hand."""

    @staticmethod
    def applies(critics):
        """Whether ``critics`` are such, as far as :func:`is_plain` does not say."""
        return type(critics.encoder) is MLP and not critics.encoder.layers

    def __init__(self, critics, kind=MLPBackprop):
        self.Q = [kind(Q) for Q in critics.Q]

    def quantiles(self, obs, action, num=None):
        """What the first ``num`` networks, or all, say: ``[N, out_features]`` each."""
        self.columns = slice(obs.shape[1], None)  # those of the actions
        x = np.concatenate([obs, action], -1)
        return [Q.forward(x) for Q in self.Q[:num]]

    def forward(self, obs, action, num=None):
        """The same of networks with one output: ``[N]`` each."""
        return [Q[:, 0] for Q in self.quantiles(obs, action, num)]

    def regress(self, obs, action, target):
        """Gradients of the sum of the mean squared errors; returns it, and the values."""
        values, loss = self.forward(obs, action), 0.0
        for Q, value in zip(self.Q, values, strict=True):
            error = value - target
            loss += float(error @ error) / len(error)
            Q.backward((error * np.float32(2 / len(error)))[:, None])
        return loss, values

    def first(self, obs, action):
        """Values ``[N]`` of the first network, and their gradients ``[N, action_dim]``."""
        (value,) = self.forward(obs, action, num=1)
        return value, self.Q[0].to_inputs(
            np.ones((len(value), 1), np.float32), columns=self.columns
        )

    def least(self, obs, action):
        """The lesser values ``[N]`` of two networks, and their gradients ``[N, action_dim]``."""
        values = self.forward(obs, action)
        is_first, d_action = values[0] <= values[1], np.empty_like(action)
        for Q, chosen in zip(self.Q, (is_first, ~is_first), strict=True):
            rows = np.flatnonzero(chosen)  # of no others is anything needed
            ones = np.ones((len(rows), 1), np.float32)
            d_action[rows] = Q.to_inputs(ones, rows, self.columns)
        return np.minimum(*values), d_action

    def mean(self, obs, action):
        """The mean ``[N]`` of all outputs of all networks, and its gradients."""
        Z = np.stack(self.quantiles(obs, action), 1)
        share = np.full(Z[:, 0].shape, 1 / Z[0].size, np.float32)
        return Z.mean((1, 2)), sum(Q.to_inputs(share, columns=self.columns) for Q in self.Q)


class TanhBackprop:
    """A ``DeterministicActor`` of vectors of observations."""

    def __init__(self, actor):
        self.net = MLPBackprop(actor.net)

    def forward(self, obs):
        """``[N, obs_dim]`` to ``[N, action_dim]``."""
        x = self.net.forward(obs)
        self.action = np.tanh(x, out=x)
        return x

    def backward(self, d_action):
        """Gradients of the parameters from those of the actions, as of :class:`Squash`."""
        slope = 1 - self.action * self.action
        leads_back = d_action * self.action > 0
        np.maximum(slope, np.float32(WAY_BACK), out=slope, where=leads_back)
        self.net.backward(d_action * slope)
