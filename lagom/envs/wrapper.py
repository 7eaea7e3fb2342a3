"""The base of lagom's wrappers: written for batches, and good for one environment as well."""

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper

from lagom.envs.vec_env import VecEnv
from lagom.utils import nested


class VecEnvWrapper(VectorWrapper):
    """Changes what goes into or comes out of a vectorized environment.

    Subclasses are written for arrays ``[B, ...]`` only.  Given a single Gymnasium environment, the
    constructor returns a single Gymnasium environment again: the same wrapper around a batch of
    one, with the batch axis taken away (:class:`SingleEnv`).

    Public attributes the wrapper lacks are those of the environment inside.

    Args:
        env (VecEnv or Env): what to wrap.

    Raises:
        TypeError: if ``env`` is neither.
    """

    def __new__(cls, env=None, *args, **kwargs):
        if env is None or isinstance(env, VectorEnv):  # None: copy and pickle pass no arguments
            return super().__new__(cls)
        if isinstance(env, SingleEnv):
            return SingleEnv(env.env, cls(env.batch, *args, **kwargs))
        return SingleEnv(env, cls(_BatchOfOne(env), *args, **kwargs))

    def get_images(self):
        """Return a picture of every environment, ``[B, H, W, 3]`` uint8."""
        return self.env.get_images()

    def reset_row(self, b, *, seed=None, options=None):
        """Begin a new episode in one environment; see :meth:`VecEnv.reset_row`.

        Raises:
            TypeError: this wrapper remembers or changes what episodes begin with.
        """
        if type(self).reset is not VectorWrapper.reset:
            raise TypeError(
                f"{type(self).__name__}.reset_row: it sees resets of the whole batch only; "
                "expected the environment inside, its attribute env"
            )
        return self.env.reset_row(b, seed=seed, options=options)

    render = VecEnv.render  # of what ``get_images`` returns here

    def state_dict(self) -> dict:
        """Return the state of the environment inside, under ``"env"``; subclasses add theirs."""
        return {"env": self.env.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        """Go on where ``state_dict`` was taken."""
        self.env.load_state_dict(state["env"])

    def __getattr__(self, name):
        if name.startswith("_") or name == "env":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.env, name)

    def __len__(self):
        return self.num_envs

    def __getitem__(self, index):
        return self.env[index]

    def __iter__(self):
        return iter(self.env)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


class SingleEnv(gymnasium.Wrapper):
    """A single environment seen through a wrapper of batches.

    Args:
        env (Env): the environment.
        batch (VecEnvWrapper): a wrapper around a batch of this one environment.
    """

    def __init__(self, env, batch):
        super().__init__(env)
        self.batch = batch
        self.observation_space = batch.single_observation_space
        self.action_space = batch.single_action_space

    def reset(self, *, seed=None, options=None):
        observations, info = self.batch.reset(seed=seed, options=options)
        return nested.index(observations, 0), _row(info)

    def step(self, action):
        observations, *batches, info = self.batch.step([action])
        obs = nested.index(observations, 0)
        reward, terminated, truncated = (batch[0] for batch in batches)
        return obs, float(reward), bool(terminated), bool(truncated), _row(info)

    def __getattr__(self, name):
        if name.startswith("_") or name == "batch":
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return getattr(self.batch, name)

    def __str__(self):
        names, batch = [], self.batch
        while isinstance(batch, VecEnvWrapper):
            names.append(type(batch).__name__)
            batch = batch.env
        return "".join(f"<{name}" for name in names) + str(self.env) + ">" * len(names)


class _BatchOfOne(VecEnv):
    """One environment with a batch axis; whoever steps it resets it."""

    def __init__(self, env):
        if not isinstance(env, gymnasium.Env):
            raise TypeError(f"VecEnvWrapper: got {env!r}; expected a VecEnv or a Gymnasium Env")
        self.envs, self.num_envs = [env], 1
        self.seeds = self._first_seeds = None
        self.spec, self.render_mode = env.spec, env.render_mode
        self.metadata = {**env.metadata, "autoreset_mode": AutoresetMode.DISABLED}
        self.single_observation_space = self.observation_space = env.observation_space
        self.single_action_space = self.action_space = env.action_space
        self._spaces = nested.simple_spaces(env.observation_space)

    def reset(self, *, seed=None, options=None):
        obs, info = self.envs[0].reset(seed=seed, options=options)
        return self._batch(obs), {"row_infos": [info]}

    def step(self, actions):
        obs, reward, terminated, truncated, row_info = self.envs[0].step(nested.index(actions, 0))
        obs, info = self._batch(obs), {"row_infos": [row_info]}
        if terminated or truncated:
            info |= {"final_obs": [nested.index(obs, 0)], "final_info": [row_info]}
        return (
            obs,
            np.array([reward], np.float64),
            np.array([terminated], bool),
            np.array([truncated], bool),
            info,
        )

    def _batch(self, obs):
        # What is no array (a text, a graph) stays as it is.
        batch = lambda space, x: [x] if space.shape is None else np.asarray(x)[None]
        return nested.map_leaves(batch, self._spaces, obs)


def _row(info):
    """The info of the one environment, and what wrappers added to it without the batch axis."""
    added = {
        key: {name: value[0].item() for name, value in values.items()}
        for key, values in info.items()
        if key not in ("row_infos", "final_obs", "final_info")
    }
    return {**info["row_infos"][0], **added}
