"""The part of a vectorized environment that fast backends share: seeds, limits, resets, state."""

from collections.abc import Sequence
from copy import copy

import numpy as np
from gymnasium.error import ResetNeeded
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers import OrderEnforcing, TimeLimit

from lagom.envs import state as env_state
from lagom.envs.vec_env import VecEnv


class BatchedEnv(VecEnv):
    """``B`` environments of one kind, stepped together by arithmetic on arrays.

    Numbers, random draws, infos and ``state_dict`` are those of :class:`VecEnv` over the same
    environments, so one may go on where the other stopped.  Whatever happens once an episode
    (resets, saving, pictures) is left to one ordinary environment, the template: the row is put
    into it, and taken out again.

    Subclasses write ``_step``, ``_put`` and ``_take``.

    Args:
        make_env (function): makes the template, as it makes each of the serial environments.
        num_env (int): how many rows.
        seeds (list): one seed for each, as for :class:`VecEnv`.
        template (Env): if one is made already; it must not be used elsewhere.

    Attributes:
        envs (list): the template alone; ``env[b]`` is a copy of environment ``b``.

    Raises:
        ValueError: if there is not at least one row, or not one seed for each.
    """

    def __init__(self, make_env, num_env, seeds=None, template=None):
        if num_env < 1:
            raise ValueError(f"{type(self).__name__}: num_env is {num_env!r}; expected at least 1")
        first = make_env if template is None else lambda: template
        super().__init__([first], seeds=None if seeds is None else list(seeds[:1]))
        self._make_env, self.num_envs = make_env, num_env
        self.seeds = self._first_seeds = seeds
        self.action_space = batch_space(self.single_action_space, num_env)
        self.observation_space = batch_space(self.single_observation_space, num_env)

        *self._wrappers, self.core = env_state.layers(self.envs[0])
        self._rngs, self._rng_seeds = [None] * num_env, [None] * num_env
        self._elapsed, self._has_reset = np.zeros(num_env, int), False
        limits = [x._max_episode_steps for x in self._wrappers if type(x) is TimeLimit]
        self._limit = min(limits, default=np.iinfo(int).max)
        self._is_awake = None  # [B] bool, if some rest
        self._spaces = [{} for _ in range(num_env)]  # random states nobody here draws from
        if seeds is not None:
            space = copy(self.single_action_space)
            for b, seed in enumerate(self._seeds(seeds)):
                space.seed(seed)
                self._spaces[b] = env_state.capture_rng(space)

    def _step(self, actions):
        """Observations ``[B, *obs]``, rewards, terminated ``[B]``, and columns of row infos."""
        raise NotImplementedError

    def _put(self, b):
        """Bring the template's ``core`` where row ``b`` stands."""
        raise NotImplementedError

    def _take(self, b):
        """Bring row ``b`` where the template's ``core`` stands."""
        raise NotImplementedError

    def reset(self, *, seed=None, options=None):
        """Begin new episodes everywhere; see :meth:`VecEnv.reset`."""
        seeds = self._seeds(self._first_seeds if seed is None else seed)
        self._first_seeds, self._has_reset = None, True
        self._is_awake = None
        rows = [self._reset_row(b, seed=seeds[b], options=options) for b in range(self.num_envs)]
        observations, infos = zip(*rows, strict=True)
        return np.array(observations, self.single_observation_space.dtype), {
            "row_infos": list(infos)
        }

    def reset_row(self, b, *, seed=None, options=None):
        if self._is_awake is not None:
            self._is_awake[b] = True
        obs, info = self._reset_row(b, seed=seed, options=options)
        return np.array(obs, self.single_observation_space.dtype), info

    def rest(self, b):
        if self._is_awake is None:
            self._is_awake = np.ones(self.num_envs, bool)
        self._is_awake[b] = False

    def _reset_row(self, b, **kwargs):
        core = self.core
        core._np_random, core._np_random_seed = self._rngs[b], self._rng_seeds[b]
        obs, info = self.envs[0].reset(**kwargs)
        self._rngs[b], self._rng_seeds[b] = core._np_random, core._np_random_seed
        self._elapsed[b] = 0
        self._take(b)
        return obs, info

    def step(self, actions):
        """Step every environment; reset those whose episode ended; see :meth:`VecEnv.step`."""
        if len(actions) != self.num_envs:
            raise ValueError(f"VecEnv.step: got {len(actions)} actions; expected {self.num_envs}")
        if not self._has_reset:
            raise ResetNeeded("VecEnv.step: called before reset; expected reset first")
        observations, rewards, terminated, columns = self._step(actions)
        self._elapsed += 1
        truncated = self._elapsed >= self._limit
        row_infos = RowInfos(columns, self.num_envs)
        info = {"row_infos": row_infos}
        if self._is_awake is not None:
            terminated, truncated = terminated & self._is_awake, truncated & self._is_awake
        done = terminated | truncated
        if np.logical_or.reduce(done):
            info["final_obs"], info["final_info"] = [None] * len(done), [None] * len(done)
            for b in np.flatnonzero(done).tolist():
                info["final_obs"][b] = observations[b].copy()
                info["final_info"][b] = row_infos[b]
                observations[b], row_infos.others[b] = self._reset_row(b)
        return observations, rewards, terminated, truncated, info

    def get_images(self):
        """Return a picture of every environment, ``[B, H, W, 3]`` uint8."""
        if self.render_mode != "rgb_array":
            return super().get_images()  # says what is wrong
        return np.stack([self.get_image(b) for b in range(self.num_envs)])

    def get_image(self, b):
        self._show(b)
        return self.envs[0].render()

    @property
    def can_capture(self):
        return True

    def state_dict(self):
        """Return where every environment stands; see :meth:`VecEnv.state_dict`."""
        return {
            "envs": [self._capture(b) for b in range(self.num_envs)],
            "action_space": env_state.capture_rng(self.action_space),
            "first_seeds": list(self._first_seeds or ()),
        }

    def _capture(self, b):
        self._show(b)
        state = env_state.capture(self.envs[0])
        return state if b == 0 else {**state, "action_space": self._spaces[b]}

    def _show(self, b):
        """Bring the whole template where row ``b`` stands."""
        self.core._np_random, self.core._np_random_seed = self._rngs[b], self._rng_seeds[b]
        for wrapper in self._wrappers:
            if type(wrapper) is TimeLimit:
                wrapper._elapsed_steps = int(self._elapsed[b]) if self._has_reset else None
            elif type(wrapper) is OrderEnforcing:
                wrapper._has_reset = self._has_reset
        if self._has_reset:
            self._put(b)

    def load_state_dict(self, state):
        """Go on exactly where ``state_dict`` was taken, by this class or by :class:`VecEnv`.

        Raises:
            ValueError: if the state is of other environments, or of another number of them.
        """
        rows = state["envs"]
        if len(rows) != self.num_envs:
            raise ValueError(
                f"VecEnv: got the state of {len(rows)} environments; expected {self.num_envs}"
            )
        for b in reversed(range(self.num_envs)):  # the template keeps the action space of row 0
            env_state.restore(self.envs[0], rows[b])
            self._adopt(b, rows[b])
        env_state.restore_rng(self.action_space, state["action_space"])
        self._first_seeds = state["first_seeds"] or None

    def _adopt(self, b, row):
        self._rngs[b], self._rng_seeds[b] = self.core._np_random, self.core._np_random_seed
        if "np_random" not in row:
            self._rngs[b] = self._rng_seeds[b] = None
        self._spaces[b] = row["action_space"]
        counters = {name: x for counter in row["counters"] for name, x in counter.items()}
        self._elapsed[b] = counters.get("_elapsed_steps") or 0
        self._has_reset = bool(counters.get("_has_reset", True))
        if self._has_reset:
            self._take(b)

    def __getitem__(self, index):
        """Return an environment of its own that stands where environment ``index`` stands."""
        env = self._make_env()
        env_state.restore(env, self._capture(range(self.num_envs)[index]))
        return env

    def __iter__(self):
        return (self[b] for b in range(self.num_envs))


class RowInfos(Sequence):
    """What ``B`` environments told, as dictionaries that are made when somebody looks.

    Args:
        columns (dict): name -> array ``[B, ...]``.
        num_env (int): ``B``.

    Attributes:
        others (dict): row -> dictionary that stands in its place.
    """

    def __init__(self, columns, num_env):
        self.columns, self.num_env, self.others = columns, num_env, {}

    def __len__(self):
        return self.num_env

    def __getitem__(self, index):
        rows = range(self.num_env)[index]
        if isinstance(index, slice):
            return [self[b] for b in rows]
        if rows in self.others:
            return self.others[rows]
        return {name: column[rows] for name, column in self.columns.items()}

    def __eq__(self, other):
        return list(self) == list(other)

    def __repr__(self):
        return repr(list(self))
