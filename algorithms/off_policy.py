"""What algorithms share that learn from a replay buffer, most of them continuous actions."""

import math

import numpy as np
import torch
from gymnasium.spaces import Box
from torch import nn

from lagom.networks import MLP, Module, make_encoder
from lagom.transform import OUNoise
from lagom.utils import tensorify
from lagom.utils.nested import to_tensors


class Critics(Module):
    """Networks side by side, run one after the other: their activations then stay in the cache.

    All read the same features of the observations: vectors as they are, the rest as
    :func:`make_encoder` has it.

    Args:
        observation_space (Space): of single observations.
        action_dim (int): size of the actions that go in; 0 where values of all of them come out.
        hidden_sizes (list): of each network.
        activation (str): ``"tanh"`` or ``"relu"``.
        num_critic (int): number of networks.
        out_features (int): values for each input; several for quantiles, or for discrete actions.
        cnn (str): for pictures.
        init (str): as of :class:`MLP`.
    """

    def __init__(
        self,
        observation_space,
        action_dim,
        hidden_sizes,
        activation,
        num_critic=2,
        out_features=1,
        cnn="auto",
        init="orthogonal",
    ):
        super().__init__()
        self.encoder = make_encoder(observation_space, [], cnn=cnn)
        in_features = self.encoder.out_features + action_dim
        self.Q = nn.ModuleList(
            MLP(in_features, hidden_sizes, out_features, activation=activation, init=init)
            for _ in range(num_critic)
        )

    def forward(self, obs, action=None, num=None):
        """What the first ``num`` networks, or all, say: ``[N]``, or ``[N, out_features]``, each."""
        x = self.encoder(obs)
        x = x if action is None else torch.cat([x, action], -1)
        return [Q(x).squeeze(-1) for Q in self.Q[:num]]


WAY_BACK = 0.1  # the least slope of an action's tanh in the direction of 0


class Squash(torch.autograd.Function):
    """tanh, with a way back for actions that have come to their bounds.

    Beyond 9 its slope is 0 in float32, so a policy that has come there in all states, as DDPG's do
    now and then, would stay for good.  Gradients that lead to smaller actions get a slope of
    ``WAY_BACK`` at least; those that lead further out get the slope there is.  The inverted
    gradients of Hausknecht and Stone, 2016 (arXiv:1511.04143), do the same for actions without
    tanh.
    """

    @staticmethod
    def forward(ctx, x):
        action = x.tanh()
        ctx.save_for_backward(action)
        return action

    @staticmethod
    def backward(ctx, d_action):
        (action,) = ctx.saved_tensors
        slope = 1 - action.square()
        return d_action * torch.where(d_action * action > 0, slope.clamp(min=WAY_BACK), slope)


class DeterministicActor(Module):
    """Observations to actions in (-1, 1), near 0 at the beginning."""

    def __init__(self, observation_space, hidden_sizes, action_dim, **kinds):
        super().__init__()
        kinds = {"out_scale": 0.01, **kinds}
        self.net = make_encoder(observation_space, hidden_sizes, action_dim, **kinds)

    def forward(self, obs):
        """``[N, *obs]`` to ``[N, action_dim]``."""
        return Squash.apply(self.net(obs))

    def numpy(self, obs):
        """The same on an array, without autograd."""
        return np.tanh(self.net.numpy(obs))


def network_kinds(config):
    """What ``config`` says of networks beside their sizes, for :func:`make_encoder`."""
    return {name: config[f"agent.{name}"] for name in ("activation", "cnn", "init")}


def action_size(name, space):
    """The length of the actions of a ``Box`` for the algorithm called ``name``.

    Raises:
        ValueError: the space is another; the message names algorithms for it.
    """
    if not (isinstance(space, Box) and len(space.shape) == 1):
        raise ValueError(
            f"{name}: action space is {space}; expected Box with one axis; for discrete actions "
            "use algo=dqn, algo=sac_discrete or algo=ppo"
        )
    return space.shape[0]


def tensors(D, device):
    """A replay sample as ``obs, action, reward, next_obs, discount``, 0 where it terminated."""
    obs, next_obs = (to_tensors(D[name], device) for name in ("observation", "next_observation"))
    action, reward = (tensorify(D[name], device) for name in ("action", "reward"))
    return obs, action, reward, next_obs, tensorify(D["discount"] * ~D["terminated"], device)


def arrays(D):
    """The same without torch: float32, but for ``action``, which stays as it is."""
    names = "observation", "reward", "next_observation"
    obs, reward, next_obs = (np.asarray(D[name], np.float32) for name in names)
    discount = np.asarray(D["discount"] * ~D["terminated"], np.float32)
    return obs, D["action"], reward, next_obs, discount


def make_log_alpha(alpha, device):
    """The logarithm of the temperature ``agent.alpha``, a parameter; ``auto`` begins at 1."""
    value = 0.0 if alpha == "auto" else math.log(alpha)
    return nn.Parameter(torch.tensor(value, device=device))


class Noise:
    """Exploration noise for deterministic actions, as ``agent.noise`` says.

    ``gaussian`` is drawn anew at each step, with standard deviation ``agent.noise_scale``.  ``ou``
    is an Ornstein-Uhlenbeck process for each sub-environment, with that for its diffusion, and
    ``agent.ou_theta`` and ``agent.ou_dt``; it runs on through the ends of episodes.
    """

    def __init__(self, config):
        self.scale = config["agent.noise_scale"]
        self.process = None
        if config["agent.noise"] == "ou":
            self.process = OUNoise(self.scale, config["agent.ou_theta"], config["agent.ou_dt"])

    def __call__(self, action, rng):
        """``action`` ``[B, action_dim]`` with noise, within [-1, 1]."""
        if self.process is None:
            noise = self.scale * rng.standard_normal(action.shape, np.float32)
        else:
            noise = self.process(action.shape, rng).astype(np.float32)
        return np.minimum(np.maximum(action + noise, -1), 1)

    def state_dict(self):
        """What the next noise depends on, beside the generator."""
        return {} if self.process is None else self.process.state_dict()

    def load_state_dict(self, state):
        """Go on from ``state``."""
        if self.process is not None:
            self.process.load_state_dict(state)
