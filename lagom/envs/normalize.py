"""Observations and rewards on a scale that networks like."""

from math import sqrt

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector.utils import batch_space

from lagom.envs.wrapper import VecEnvWrapper
from lagom.transform.statistics import RunningMeanVar
from lagom.utils import nested

_EPS = 1e-8


class NormalizeObservation(VecEnvWrapper):
    r"""Observations with mean 0 and variance 1, clipped.

    .. math::
        \hat o = \mathrm{clip}\left(\frac{o - \mu}{\sqrt{\sigma^2 + 10^{-8}}}, -c, c\right)

    The moments are those of all observations returned so far by all sub-environments, the present
    ones included.  ``info["final_obs"]`` is normalized with them too.  Of ``Dict`` and ``Tuple``
    observations each entry of floats has moments of its own; the others pass unchanged.

    Args:
        env (VecEnv or Env): what to normalize.
        clip (float): bound :math:`c` of the result.
        constant_moments (tuple): ``(mean, var)``, each ``[*obs]``, structured as observations are;
            nothing is estimated then.  The second is the variance, not the standard deviation.
        moments (RunningMeanVar): another wrapper's ``obs_moments``; they are used as they stand at
            each step, and never updated from here.

    Attributes:
        obs_moments (RunningMeanVar): the moments in use, float64; for ``Dict`` and ``Tuple``
            observations a dictionary or tuple of them, None where nothing is normalized.

    Raises:
        ValueError: if both ``constant_moments`` and ``moments`` are given, or their shape is not
            that of an observation.
    """

    def __init__(self, env, clip=5.0, constant_moments=None, moments=None):
        super().__init__(env)
        if constant_moments is not None and moments is not None:
            raise ValueError(
                "NormalizeObservation: got constant_moments and moments; expected at most one"
            )
        self.clip = clip
        spaces = nested.simple_spaces(self.env.single_observation_space)
        alone = not isinstance(spaces, dict | tuple)  # then it is normalized, whatever its dtype
        own = nested.map_leaves(
            lambda space: RunningMeanVar(space.shape) if alone or _has_floats(space) else None,
            spaces,
        )
        self.obs_moments = own if moments is None else moments
        if constant_moments is not None:
            nested.map_leaves(_fix, own, *constant_moments)
        elif _shapes(self.obs_moments) != _shapes(own):
            raise ValueError(
                f"NormalizeObservation: got moments of shape {_shapes(self.obs_moments)}; "
                f"expected {_shapes(own)}"
            )
        self._owns_moments = constant_moments is None and moments is None
        self.training = True
        self.single_observation_space = nested.joint_space(
            nested.map_leaves(
                lambda m, space: space if m is None else Box(-clip, clip, m.shape, np.float32),
                *(own, spaces),
            )
        )
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)

    def train(self, mode=True):
        """Update the moments from now on (unless they are constant or another's)."""
        self.training = mode

    def eval(self):
        """Leave the moments as they are from now on."""
        self.training = False

    def reset(self, *, seed=None, options=None):
        observations, info = self.env.reset(seed=seed, options=options)
        return self._update_and_normalize(observations), info

    def step(self, actions):
        observations, rewards, terminated, truncated, info = self.env.step(actions)
        observations = self._update_and_normalize(observations)
        if "final_obs" in info:
            final = info["final_obs"]
            normalize = lambda x: nested.map_leaves(self._normalize, self.obs_moments, x)
            info["final_obs"] = [None if x is None else normalize(x) for x in final]
        return observations, rewards, terminated, truncated, info

    def _update_and_normalize(self, observations):
        if self.training and self._owns_moments:
            nested.map_leaves(_update, self.obs_moments, observations)
        return nested.map_leaves(self._normalize, self.obs_moments, observations)

    def _normalize(self, moments, x):
        if moments is None:
            return x
        x = (x - moments.mean) / np.sqrt(moments.var + _EPS)  # float64
        return np.minimum(np.maximum(x, -self.clip), self.clip).astype(np.float32)

    def state_dict(self):
        """Return the moments, where they are this wrapper's own, and the environment's state."""
        if not self._owns_moments:
            return super().state_dict()
        moments = nested.map_leaves(lambda m: m and m.state_dict(), self.obs_moments)
        return {**super().state_dict(), "obs_moments": moments}

    def load_state_dict(self, state):
        """Go on where ``state_dict`` was taken."""
        super().load_state_dict(state)
        if self._owns_moments:
            load = lambda moments, saved: moments and moments.load_state_dict(saved)
            nested.map_leaves(load, self.obs_moments, state["obs_moments"])


def _has_floats(space):
    return isinstance(space, Box) and space.dtype.kind == "f"


def _update(moments, x):
    if moments is not None:
        moments(x)


def _fix(moments, mean, var):
    if moments is not None:
        moments.load_state_dict({"n": 0, "mean": mean, "var": var})


def _shapes(moments):
    return nested.map_leaves(lambda m: m and m.shape, moments)


class NormalizeReward(VecEnvWrapper):
    r"""Rewards over the standard deviation of discounted returns, clipped; the mean stays.

    .. math::
        R \leftarrow r + \gamma R, \qquad
        \hat r = \mathrm{clip}\left(\frac{r}{\sqrt{\mathrm{Var}[R] + 10^{-8}}}, -c, c\right)

    :math:`R` is kept for each sub-environment, and zero again after the end of an episode and after
    ``reset``; the variance is shared.

    Args:
        env (VecEnv or Env): what to normalize.
        clip (float): bound :math:`c` of the result.
        gamma (float): discount, in (0, 1).
        constant_var (float): variance to divide by; nothing is estimated then.

    Attributes:
        reward_moments (RunningMeanVar): moments of :math:`R`; ``None`` with ``constant_var``.

    Raises:
        ValueError: if ``gamma`` is not in (0, 1).
    """

    def __init__(self, env, clip=10.0, gamma=0.99, constant_var=None):
        super().__init__(env)
        if not 0 < gamma < 1:
            raise ValueError(
                f"NormalizeReward: gamma is {gamma!r}; expected a number between 0 and 1, both "
                "excluded; or train without normalized rewards"
            )
        self.clip, self.gamma, self.constant_var = clip, gamma, constant_var
        self.reward_moments = RunningMeanVar(()) if constant_var is None else None
        self._returns = np.zeros(self.num_envs)  # R

    def reset(self, *, seed=None, options=None):
        self._returns = np.zeros(self.num_envs)
        return self.env.reset(seed=seed, options=options)

    def step(self, actions):
        observations, rewards, terminated, truncated, info = self.env.step(actions)
        var = self.constant_var
        if var is None:
            self._returns = rewards + self.gamma * self._returns
            self.reward_moments(self._returns)
            var = self.reward_moments.var
            if "final_obs" in info:
                self._returns[terminated | truncated] = 0.0
        rewards = rewards / sqrt(var + _EPS)
        rewards = np.minimum(np.maximum(rewards, -self.clip), self.clip)
        return observations, rewards, terminated, truncated, info

    def state_dict(self):
        """Return the moments, the running returns and the environment's state."""
        if self.reward_moments is None:
            return super().state_dict()
        return {
            **super().state_dict(),
            "reward_moments": self.reward_moments.state_dict(),
            "returns": self._returns.copy(),
        }

    def load_state_dict(self, state):
        """Go on where ``state_dict`` was taken."""
        super().load_state_dict(state)
        if self.reward_moments is not None:
            self.reward_moments.load_state_dict(state["reward_moments"])
            self._returns = state["returns"].copy()
