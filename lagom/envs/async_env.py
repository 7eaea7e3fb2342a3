"""Several environments stepped in other processes, as one."""

import os
import pickle
import sys
from itertools import pairwise

import numpy as np
from gymnasium.vector.utils import batch_space

from lagom.envs import state as env_state
from lagom.envs.async_pool import Pool
from lagom.envs.vec_env import VecEnv
from lagom.utils import nested
from lagom.utils.process import dumps


class AsyncVecEnv(VecEnv):
    """``B`` environments in worker processes, each of which steps a share of them in turn.

    For environments that are slow: a step costs some 50 us for the exchange, whatever is stepped,
    and pays once ``B`` steps take several times that and cores are free.  Numbers are those of
    :class:`VecEnv` from the same seeds, however many workers there are, and so are states.

    Observations, actions, rewards and flags go through shared memory, the infos through pipes.
    Processes are spawned, so a script needs the usual ``if __name__ == "__main__":``.  They end
    with this object and with this process, however it ends; Ctrl-C is left to this process.
    After any failure all of them are stopped.

    Args:
        list_make_env (list): functions without arguments, each of which returns an environment;
            called in the workers, to which they travel by cloudpickle.
        seeds (list): one seed for each, as for ``VecEnv``.
        workers (int): how many processes; by default the cores that this process may use.
        timeout (float): seconds that one sub-environment may take for a step, a reset or the like.

    Attributes:
        seeds, single_observation_space, can_capture: as of ``VecEnv``.

    Raises:
        ValueError: as ``VecEnv``; or ``workers`` or ``timeout`` is not positive.
        RuntimeError: a worker died; its signal is told.
        TimeoutError: a sub-environment gave no answer in time; its number is told.
        Exception: whatever an environment raises, with the traceback of its process as a note.

    Example:
        >>> import gymnasium
        >>> with AsyncVecEnv([lambda: gymnasium.make("CartPole-v1")] * 3, workers=2) as env:
        ...     env
        <AsyncVecEnv: 3, CartPole-v1>
    """

    _pool = None

    def __init__(self, list_make_env, seeds=None, workers=None, timeout=60.0):
        makers = [_pack(make_env) for make_env in list_make_env]
        self.num_envs = len(makers)
        self.seeds = self._first_seeds = seeds
        if not makers:
            raise ValueError("AsyncVecEnv: got no environment; expected at least one")
        if workers is not None and workers < 1:
            raise ValueError(f"AsyncVecEnv: workers is {workers!r}; expected 1 or more")
        if not timeout > 0:
            raise ValueError(f"AsyncVecEnv: timeout is {timeout!r}; expected seconds, more than 0")
        seeds = self._seeds(seeds)

        chunks = _chunks(self.num_envs, workers or _usable_cores())
        self._pool = Pool(chunks, timeout)
        parts = [
            (makers[c[0] : c[-1] + 1], None if self.seeds is None else seeds[c[0] : c[-1] + 1])
            for c in chunks
        ]
        told = self._pool.ask("make", parts)
        try:
            # Environments bring their modules; ``make`` may have found these where we do not look.
            sys.path += [path for path in told[0][0] if path not in sys.path]
            self._agree([pickle.loads(facts) for _, facts in told])
            self._share()
        except BaseException:
            self._pool.kill()
            raise

    def _agree(self, facts):
        """Take what workers told of their environments, which must have the same spaces."""
        first = facts[0]
        for other in facts[1:]:
            for name in ("single_observation_space", "single_action_space"):
                if first[name] != other[name]:
                    raise ValueError(
                        f"VecEnv: {name.removeprefix('single_')} is {first[name]} and "
                        f"{other[name]}; expected the same for all"
                    )
        self.spec, self.render_mode, self.metadata, self._name = (
            first[key] for key in ("spec", "render_mode", "metadata", "name")
        )
        self._can_capture = all(fact["can_capture"] for fact in facts)
        self.single_action_space = first["single_action_space"]
        if first["one_action_space"] and self.seeds is not None:  # seeded last by the last
            self.single_action_space.seed(self._seeds(self.seeds)[-1])
        self.single_observation_space = first["single_observation_space"]
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)

    def _share(self):
        B, spaces = self.num_envs, nested.simple_spaces(self.observation_space)
        is_array = isinstance(self.action_space.shape, tuple) and self.action_space.dtype
        self._action = (
            (self.action_space.shape, self.action_space.dtype) if is_array else ((0,), bool)
        )
        flags = [((B,), np.float64), ((B,), bool), ((B,), bool)]
        leaves = [(space.shape, space.dtype) for space in nested.flat(spaces)]
        arrays = iter(self._pool.share([self._action, *flags, *leaves]))
        self._actions, self._rewards, self._terminated, self._truncated, *rest = arrays
        arrays = iter(rest)
        self._batch = nested.map_leaves(lambda space: next(arrays), spaces)

    def reset(self, *, seed=None, options=None):
        seeds = self._seeds(self._first_seeds if seed is None else seed)
        self._first_seeds = None
        parts = [(seeds[c[0] : c[-1] + 1], options) for c in self._pool.chunks]
        answers = self._pool.ask("reset", parts)
        return self._observations(), {"row_infos": [row for rows in answers for row in rows]}

    def reset_row(self, b, *, seed=None, options=None):
        chunks = self._pool.chunks
        parts = [(b if b in chunk else None, seed, options) for chunk in chunks]
        answers = self._pool.ask("reset_row", parts)
        (row_info,) = (answer for answer in answers if answer is not None)
        return nested.map_leaves(lambda x: np.array(x[b]), self._batch), row_info

    def rest(self, b):
        pass  # it is stepped beside the others

    def step(self, actions):
        if isinstance(actions, dict | tuple) and self.single_action_space.shape is None:
            actions = nested.rows(actions)
        if len(actions) != self.num_envs:
            raise ValueError(f"VecEnv.step: got {len(actions)} actions; expected {self.num_envs}")
        chunks = self._pool.chunks
        if isinstance(actions, np.ndarray) and (actions.shape, actions.dtype) == self._action:
            self._actions[:] = actions
            answers = self._pool.ask("step", [()] * len(chunks))
        else:  # lists, other dtypes: environments get them as they would from VecEnv
            parts = [(actions[c[0] : c[-1] + 1],) for c in chunks]
            answers = self._pool.ask("step", parts)
        return (
            self._observations(),
            self._rewards.copy(),
            self._terminated.copy(),
            self._truncated.copy(),
            self._info(answers),
        )

    def _observations(self):
        return nested.map_leaves(np.copy, self._batch)

    def _info(self, answers):
        """What the workers told, as one dictionary; ``None`` is told where there is nothing."""
        info = {"row_infos": []}
        for chunk, answer in zip(self._pool.chunks, answers, strict=True):
            info["row_infos"] += [{} for _ in chunk] if answer is None else answer["row_infos"]
            for key in ("final_obs", "final_info") if answer and "final_obs" in answer else ():
                rows = info.setdefault(key, [None] * self.num_envs)
                rows[chunk[0] : chunk[-1] + 1] = answer[key]
        return info

    def get_images(self):
        if self.render_mode != "rgb_array":
            return super().get_images()  # which says so
        return np.concatenate(self._pool.ask("get_images", [()] * len(self._pool.chunks)))

    def get_image(self, b):
        return self.get_images()[b]

    def close_extras(self, **kwargs):
        """Close every environment and end the processes; called by ``close``, and only once."""
        if self._pool is not None:  # the constructor may have failed
            self._pool.close()

    @property
    def can_capture(self):
        return self._can_capture

    def state_dict(self):
        answers = [None]
        if self.can_capture:
            answers = self._pool.ask("state_dict", [()] * len(self._pool.chunks))
        return {
            "envs": [row for rows in answers for row in rows] if self.can_capture else None,
            "action_space": env_state.capture_rng(self.action_space),
            "first_seeds": list(self._first_seeds or ()),
        }

    def load_state_dict(self, state):
        envs = state["envs"]
        if envs is not None:
            if len(envs) != self.num_envs:
                raise ValueError(
                    f"VecEnv: got the state of {len(envs)} environments; expected {self.num_envs}"
                )
            parts = [(envs[c[0] : c[-1] + 1],) for c in self._pool.chunks]
            self._pool.ask("load_state_dict", parts)
        env_state.restore_rng(self.action_space, state["action_space"])
        self._first_seeds = state["first_seeds"] or None

    @property
    def envs(self):
        """Not to be had: the environments live in other processes, which raises ``TypeError``."""
        raise TypeError(
            "AsyncVecEnv: its environments live in other processes; expected no access to them; "
            "with env.backend=serial there is"
        )

    def __repr__(self):
        name = self.spec.id if self.spec else self._name
        return f"<{type(self).__name__}: {self.num_envs}, {name}>"


def _pack(make_env):
    try:
        return dumps(make_env)
    except Exception as error:  # anything may be in the way of its own pickling
        raise ValueError(
            f"AsyncVecEnv: {make_env!r} cannot be sent to another process ({error}); expected what "
            "cloudpickle takes; make inside it what cannot travel, or use env.backend=serial"
        ) from error


def _chunks(num_env, workers):
    """Numbers of sub-environments in as many ranges, equally long but for one.

    >>> _chunks(5, 2)
    [range(0, 3), range(3, 5)]
    """
    num = min(num_env, workers)
    ends = [-(-num_env * k // num) for k in range(num + 1)]
    return [range(i, j) for i, j in pairwise(ends)]


def _usable_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
