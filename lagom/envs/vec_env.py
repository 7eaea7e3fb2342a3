"""Several environments stepped one after another, as one."""

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from lagom.envs import state as env_state
from lagom.utils import Seeder, nested


class VecEnv(VectorEnv):
    """``B`` environments with equal spaces, stepped in turn; what they return is stacked.

    An episode that ends is reset in the same step (``AutoresetMode.SAME_STEP``), so every row is a
    real transition: the row of ``observations`` then begins the next episode, and what the episode
    ended on is in ``info["final_obs"]``.  Observations of 64-bit floats become float32 here, once.
    Returned arrays are fresh; later steps do not write into them.

    Observations of ``Dict`` and ``Tuple`` spaces are dictionaries and tuples of arrays ``[B, ...]``
    (:mod:`lagom.utils.nested`), and so are actions.

    Args:
        list_make_env (list): functions without arguments, each of which returns an environment of
            its own.
        seeds (list): one seed for each; the first reset uses them, and the action spaces are seeded
            with them at once.  Without seeds both are random.

    Attributes:
        seeds (list): as given; ``env.reset(seed=env.seeds)`` begins all over again.
        single_observation_space (Space): as returned here, so float32 where it was float64.
        can_capture (bool): whether ``state_dict`` holds the environments themselves, exactly.

    Raises:
        ValueError: if there is no environment, one appears twice, their spaces differ, or
            observations are neither arrays nor made of such (``Text``, ``Graph``, ...).
    """

    _viewer = None
    _awake = None  # what is stepped, if some environments rest

    def __init__(self, list_make_env, seeds=None):
        self.envs = [make_env() for make_env in list_make_env]
        self.seeds = seeds
        self._first_seeds = seeds  # until the first reset
        self.num_envs = len(self.envs)
        self._check()

        first = self.envs[0]
        self.spec, self.render_mode = first.spec, first.render_mode
        self.metadata = {**first.metadata, "autoreset_mode": AutoresetMode.SAME_STEP}
        if seeds is not None:
            for env, seed in zip(self.envs, self._seeds(seeds), strict=True):
                env.action_space.seed(seed)
        self.single_action_space = first.action_space
        spaces = nested.map_leaves(_as_float32, nested.simple_spaces(first.observation_space))
        self.single_observation_space = nested.joint_space(spaces)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self._dtypes = nested.map_leaves(lambda space: space.dtype, spaces)
        self._nests_actions = self.single_action_space.shape is None

    def _check(self):
        if not self.envs:
            raise ValueError("VecEnv: got no environment; expected at least one")
        if len({id(env) for env in self.envs}) < len(self.envs):
            raise ValueError(
                "VecEnv: the same environment appears twice; expected functions that make new ones"
            )
        first = self.envs[0]
        spaces = nested.flat(nested.simple_spaces(first.observation_space))
        if not spaces or any(space.shape is None for space in spaces):
            raise ValueError(
                f"VecEnv: observation space {first.observation_space} is not one of arrays; "
                "expected Box, Discrete, MultiDiscrete or MultiBinary, or Dict and Tuple of these; "
                "wrap the environment in gymnasium.wrappers.TransformObservation"
            )
        for env in self.envs[1:]:
            for name in ("observation_space", "action_space"):
                a, b = getattr(first, name), getattr(env, name)
                if a != b:
                    raise ValueError(f"VecEnv: {name} is {a} and {b}; expected the same for all")

    def reset(self, *, seed=None, options=None):
        """Begin new episodes everywhere.

        Args:
            seed (int or list): one seed for each environment, or ``seed, seed + 1, ...``; ``None``
                goes on with the random streams there are.
            options (dict): handed to each environment.

        Returns:
            tuple: observations ``[B, *obs]`` and ``{"row_infos": [...]}``, the list of what the
            ``B`` environments told.

        Raises:
            ValueError: if there are not ``B`` seeds, or an environment follows the old gym API.
        """
        seeds = self._seeds(self._first_seeds if seed is None else seed)
        self._first_seeds = self._awake = None
        rows = [
            _reset(env, seed=seed, options=options)
            for env, seed in zip(self.envs, seeds, strict=True)
        ]
        observations, infos = zip(*rows, strict=True)
        return _batch(observations, self._dtypes), {"row_infos": list(infos)}

    def reset_row(self, b, *, seed=None, options=None):
        """Begin a new episode in one environment; the others stay where they are.

        Args:
            b (int): which; all of them must have been ``reset`` before.
            seed (int): of the episode; ``None`` goes on with the random stream there is.
            options (dict): handed to the environment.

        Returns:
            tuple: observation ``[*obs]``, and what the environment told.
        """
        if self._awake is not None:
            self._awake[b] = self.envs[b]
        obs, info = _reset(self.envs[b], seed=seed, options=options)
        return nested.map_leaves(_copy, self._dtypes, obs), info

    def rest(self, b):
        """Leave one environment alone until it is reset; it saves time where steps are dear.

        Until ``reset`` or ``reset_row``, what ``step`` returns of its row means nothing, and
        whether the environment is stepped is left to the backend.  Only after a reset.

        Args:
            b (int): which.
        """
        if self._awake is None:
            self._awake = list(self.envs)
        self._awake[b] = _Resting(nested.simple_spaces(self.single_observation_space))

    def _seeds(self, seed):
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            return [int(seed) + b for b in range(self.num_envs)]
        if len(seed) != self.num_envs:
            raise ValueError(f"VecEnv: got {len(seed)} seeds; expected {self.num_envs}")
        return seed

    def step(self, actions):
        """Step every environment; reset those whose episode ended.

        Args:
            actions (ndarray or list): ``[B, *action]``; for ``Dict`` and ``Tuple`` spaces a
                dictionary or tuple of such, or a list of ``B`` actions.

        Returns:
            tuple: observations ``[B, *obs]``; rewards ``[B]`` float64; terminated ``[B]`` bool;
            truncated ``[B]`` bool; info.  ``info["row_infos"]`` lists what the ``B`` environments
            told about the observations returned.  Only if an episode ended, ``info["final_obs"]``
            and ``info["final_info"]`` list the last observation and info of each row that did,
            ``None`` for the others.

        Raises:
            ValueError: if there are not ``B`` actions, or an environment follows the old gym API.
        """
        if self._nests_actions and isinstance(actions, dict | tuple):
            actions = nested.rows(actions)
        if len(actions) != self.num_envs:
            raise ValueError(f"VecEnv.step: got {len(actions)} actions; expected {self.num_envs}")
        observations, rewards, terminated, truncated, row_infos = [], [], [], [], []
        info = {"row_infos": row_infos}
        for env, action in zip(self._awake or self.envs, actions, strict=True):
            try:
                obs, reward, terminal, time_limit, row_info = env.step(action)
            except ValueError as error:  # from here or from a wrapper of Gymnasium's
                if "not enough values to unpack (expected 5, got 4)" not in str(error):
                    raise
                raise _old_api(env, "step returned 4 values; expected 5") from error
            if terminal or time_limit:
                b = len(rewards)
                last = nested.map_leaves(_copy, self._dtypes, obs)
                info.setdefault("final_obs", [None] * self.num_envs)[b] = last
                info.setdefault("final_info", [None] * self.num_envs)[b] = row_info
                obs, row_info = _reset(env)
            observations.append(obs)
            rewards.append(reward)
            terminated.append(terminal)
            truncated.append(time_limit)
            row_infos.append(row_info)
        return (
            _batch(observations, self._dtypes),
            np.array(rewards, np.float64),
            np.array(terminated, bool),
            np.array(truncated, bool),
            info,
        )

    def get_images(self):
        """Return a picture of every environment, ``[B, H, W, 3]`` uint8.

        Raises:
            ValueError: if the environments were not made with ``render_mode="rgb_array"``.
        """
        if self.render_mode != "rgb_array":
            raise ValueError(
                f"VecEnv: environments were made with render_mode={self.render_mode!r}; "
                "expected 'rgb_array'; pass render_mode='rgb_array' to make"
            )
        return np.stack([env.render() for env in self.envs])

    def get_image(self, b):
        """Return a picture of sub-environment ``b``, as it renders it."""
        return self.envs[b].render()

    def get_viewer(self):
        """Return the :class:`~lagom.vis.ImageViewer` of this object; ``close`` closes it."""
        from lagom.vis.viewer import ImageViewer

        if self._viewer is None:
            self._viewer = ImageViewer()
        return self._viewer

    def render(self, mode="rgb_array"):
        """Make one picture of all environments, five in a row.

        Args:
            mode (str): ``"rgb_array"`` to have it returned, ``"human"`` to see it in a window.

        Returns:
            ndarray: ``[H, W, 3]`` uint8; ``None`` if it is shown.

        Raises:
            ValueError: if ``mode`` is neither, or the environments were not made with
                ``render_mode="rgb_array"``.
        """
        from lagom.vis.grid import GridImage

        if mode not in ("rgb_array", "human"):
            raise ValueError(f"render: mode is {mode!r}; expected 'rgb_array' or 'human'")
        grid = GridImage(ncol=5, padding=5)
        grid.add(self.get_images().transpose(0, 3, 1, 2))
        return grid() if mode == "rgb_array" else self.get_viewer()(grid())

    def close(self, **kwargs):
        """Close the window of ``render``, then every environment; a second call does nothing."""
        if self._viewer is not None:
            self._viewer.close()
        super().close(**kwargs)

    def close_extras(self, **kwargs):
        """Close every environment; called by ``close``, and only once."""
        for env in self.envs:
            env.close()

    @property
    def can_capture(self):
        return all(env_state.can_capture(env) for env in self.envs)

    def state_dict(self):
        """Return where every environment stands, as numbers, strings, lists and arrays.

        If ``can_capture`` is false, ``"envs"`` is ``None``: whoever loads such a state must begin
        new episodes by a seeded ``reset``.
        """
        return {
            "envs": [env_state.capture(env) for env in self.envs] if self.can_capture else None,
            "action_space": env_state.capture_rng(self.action_space),
            "first_seeds": list(self._first_seeds or ()),
        }

    def load_state_dict(self, state):
        """Go on exactly where ``state_dict`` was taken; if it could capture, no reset is needed.

        Raises:
            ValueError: if the state is of other environments, or of another number of them.
        """
        envs = state["envs"]
        if envs is not None:
            if len(envs) != self.num_envs:
                raise ValueError(
                    f"VecEnv: got the state of {len(envs)} environments; expected {self.num_envs}"
                )
            for env, env_dict in zip(self.envs, envs, strict=True):
                env_state.restore(env, env_dict)
        env_state.restore_rng(self.action_space, state["action_space"])
        self._first_seeds = state["first_seeds"] or None

    def __len__(self):
        return self.num_envs

    def __getitem__(self, index):
        return self.envs[index]

    def __iter__(self):
        return iter(self.envs)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()

    def __repr__(self):
        name = self.spec.id if self.spec else type(self.envs[0].unwrapped).__name__
        return f"<{type(self).__name__}: {self.num_envs}, {name}>"


def make_vec_env(make_env, num_env, init_seed):
    """Return ``num_env`` environments as one, each with a random seed of its own.

    Args:
        make_env (function): called without arguments ``num_env`` times.
        num_env (int): number of environments.
        init_seed (int): seed of the ``Seeder`` that draws theirs.

    Example:
        >>> import gymnasium
        >>> make_vec_env(lambda: gymnasium.make("CartPole-v1"), num_env=3, init_seed=0)
        <VecEnv: 3, CartPole-v1>
    """
    return VecEnv([make_env] * num_env, seeds=Seeder(init_seed)(num_env))


class _Resting:
    """Stands in the place of an environment that rests."""

    def __init__(self, spaces):
        self.obs = nested.map_leaves(lambda space: np.zeros(space.shape, space.dtype), spaces)

    def step(self, action):
        return self.obs, 0.0, False, False, {}


def _reset(env, **kwargs):
    out = env.reset(**kwargs)
    if not (isinstance(out, tuple) and len(out) == 2):
        raise _old_api(env, "reset returned an observation alone; expected (observation, info)")
    return out


def _old_api(env, what):
    return ValueError(f"VecEnv: {env}: {what}; the environment follows the old gym API")


def _batch(observations, dtypes):
    """Fresh arrays ``[B, ...]`` of ``dtypes``, which also say how observations are nested."""
    if isinstance(dtypes, dict | tuple):
        return nested.map_leaves(lambda dtype, *x: np.array(x, dtype), dtypes, *observations)
    return np.array(observations, dtypes)


def _copy(dtype, x):
    return np.array(x, dtype)


def _as_float32(space):
    if not (isinstance(space, Box) and space.dtype == np.float64):
        return space
    with np.errstate(over="ignore"):  # the largest float64 becomes infinity
        low, high = space.low.astype(np.float32), space.high.astype(np.float32)
    return Box(low, high, dtype=np.float32)
