"""Agents choose actions and learn from data."""

from abc import ABC, abstractmethod

import numpy as np
import torch

from lagom.networks import Module, action_mask, check_mask
from lagom.utils import nested


class BaseAgent(Module, ABC):
    """Base class of all agents: networks, ``choose_action`` and ``learn``.

    An agent is a torch module: ``train()`` and ``eval()`` switch between exploring and greedy
    actions, and ``state_dict`` holds, beside the parameters, its generator, its optimizers, and
    whatever else among its attributes has ``state_dict`` and ``load_state_dict``.

    Args:
        config (dict): flat configuration, only read.
        env (VecEnv): for its spaces.
        device (torch.device or str): where the parameters live.
        **kwargs: for subclasses.

    Raises:
        ValueError: observations have an action mask that does not fit the actions.
    """

    def __init__(self, config, env, device, **kwargs):
        super().__init__()
        self.config = config
        self.env = env
        self.device = torch.device(device)
        self.observation_space = getattr(env, "single_observation_space", env.observation_space)
        self.action_space = getattr(env, "single_action_space", env.action_space)
        check_mask(self.observation_space, self.action_space)
        # One draw from torch's stream: agents built one after the other differ, seeded runs repeat.
        self.rng = np.random.default_rng(int(torch.randint(2**62, ())))

    @abstractmethod
    def choose_action(self, x, **kwargs):
        """Actions for a batch of observations.

        Args:
            x (ndarray): observations ``[B, *obs]``; of ``Dict`` and ``Tuple`` spaces, dictionaries
                and tuples of such, and likewise actions (:mod:`lagom.utils.nested`).
            **kwargs: whatever the runner was called with.

        Returns:
            dict: ``"action"`` ``[B, *action]`` as the environment takes it, and what should ride
            along in the trajectories, ``[B, ...]`` each; NumPy arrays.
        """

    def begin(self, rows):
        """Told by runners that episodes begin; agents that remember the past forget it there.

        Args:
            rows (ndarray): ``[B]`` bool, true where the next observation is an episode's first.
        """

    @abstractmethod
    def learn(self, D, **kwargs):
        """Update from data.

        Args:
            D (object): what the engine collects: a list of :class:`Trajectory` on-policy.
            **kwargs: ``timestep`` (int), environment steps before this data.

        Returns:
            dict: one row of metrics, Python floats; the same keys at each call.
        """

    @property
    def optimizers(self):
        """The attributes that are optimizers, by name."""
        return {
            name: value
            for name, value in vars(self).items()
            if isinstance(value, torch.optim.Optimizer)
        }

    @property
    def _others(self):
        """What has a state beside optimizers, networks and the environment."""
        known = {"env", *self.optimizers}
        has_state = lambda x: hasattr(x, "state_dict") and hasattr(x, "load_state_dict")
        return {k: x for k, x in vars(self).items() if k not in known and has_state(x)}

    def get_extra_state(self):
        """What ``state_dict`` holds beside parameters and buffers."""
        states = {name: x.state_dict() for name, x in (self.optimizers | self._others).items()}
        optimizers = {name: states.pop(name) for name in self.optimizers}
        return {"optimizers": optimizers, "rng": self.rng.bit_generator.state, **states}

    def set_extra_state(self, state):
        """Restore all of these, bit by bit."""
        self.rng.bit_generator.state = state["rng"]
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        for name, x in self._others.items():
            if name in state:  # it may be newer than the checkpoint
                x.load_state_dict(state[name])


class RandomAgent(BaseAgent):
    """Draws actions uniformly from the action space; learns nothing.

    Example:
        >>> from lagom.envs import make, make_vec_env
        >>> env = make_vec_env(lambda: make("CartPole-v1"), num_env=3, init_seed=0)
        >>> RandomAgent(None, env, "cpu").choose_action(env.reset()[0])["action"].shape
        (3,)
    """

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device if device is not None else "cpu", **kwargs)
        self.action_space.seed(int(self.rng.integers(2**31)))

    def choose_action(self, x, **kwargs):
        """One action a row of ``x``, from the space's own generator; what masks forbid is not."""
        mask = action_mask(x)
        if mask is None:
            draws = [self.action_space.sample() for _ in range(nested.num_rows(x))]
        else:
            cuts = np.cumsum(getattr(self.action_space, "nvec", ()))[:-1]  # MultiDiscrete has some
            parts = [tuple(np.split(row, cuts)) if len(cuts) else row for row in mask]
            draws = [self.action_space.sample(mask=part) for part in parts]
        return {"action": nested.stack(draws)}

    def learn(self, D, **kwargs):
        """Nothing."""
        return {}
