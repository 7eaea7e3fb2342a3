"""Returns and lengths of episodes, before anything is normalized."""

from collections import deque
from time import perf_counter

import numpy as np

from lagom.envs.wrapper import VecEnvWrapper


class RecordEpisodeStatistics(VecEnvWrapper):
    """Adds up rewards and counts steps; must sit inside ``NormalizeReward`` to see raw rewards.

    On a step that ends an episode ``info["episode"]`` holds ``"return"`` (sum of rewards),
    ``"horizon"`` (steps) and ``"time"`` (seconds since the wrapper was made, to four decimals):
    numbers for a single environment; for a ``VecEnv`` arrays ``[B]``, NaN where no episode ended.
    An episode that is aborted by ``reset`` is not counted.

    Args:
        env (VecEnv or Env): what to watch.
        deque_size (int): how many of the last episodes the queues hold.

    Attributes:
        return_queue (deque): returns of the last episodes.
        horizon_queue (deque): their lengths, in steps.
        num_episode (int): episodes finished so far.
    """

    _max_unread = 100_000  # episodes; memory must not grow where nobody calls pop_episodes

    def __init__(self, env, deque_size=100):
        super().__init__(env)
        self.start = perf_counter()
        self.return_queue, self.horizon_queue = deque(maxlen=deque_size), deque(maxlen=deque_size)
        self.num_episode = 0
        self._unread = deque(maxlen=self._max_unread)
        self._clear()

    def _clear(self):
        self._returns = np.zeros(self.num_envs)
        self._step, self._begun = 0, np.zeros(self.num_envs, int)  # at which step episodes have

    def reset(self, *, seed=None, options=None):
        self._clear()
        return self.env.reset(seed=seed, options=options)

    def step(self, actions):
        observations, rewards, terminated, truncated, info = self.env.step(actions)
        self._returns += rewards
        self._step += 1
        if "final_obs" in info:
            info["episode"] = self._finish(terminated | truncated)
        return observations, rewards, terminated, truncated, info

    def _finish(self, done):
        """Record the episodes that are ``done``, ``[B]``, and begin new ones there."""
        horizons = self._step - self._begun
        for b in np.flatnonzero(done):
            episode = float(self._returns[b]), int(horizons[b])
            self.return_queue.append(episode[0])
            self.horizon_queue.append(episode[1])
            self._unread.append(episode)
            self.num_episode += 1
        time = round(perf_counter() - self.start, 4)
        columns = {"return": self._returns, "horizon": horizons, "time": time}
        episode = {key: np.where(done, value, np.nan) for key, value in columns.items()}
        self._returns[done], self._begun[done] = 0.0, self._step
        return episode

    def pop_episodes(self) -> list[tuple[float, int]]:
        """Return ``(return, length)`` of the episodes finished since the last call, in order.

        Of more than 100,000 only the last are kept.
        """
        episodes = list(self._unread)
        self._unread.clear()
        return episodes

    def state_dict(self):
        """Return queues, counters and the running episodes, with the environment's state."""
        return {
            **super().state_dict(),
            "returns": self._returns.copy(),
            "horizons": self._step - self._begun,
            "return_queue": list(self.return_queue),
            "horizon_queue": list(self.horizon_queue),
            "unread": [list(episode) for episode in self._unread],
            "num_episode": self.num_episode,
        }

    def load_state_dict(self, state):
        """Go on where ``state_dict`` was taken."""
        super().load_state_dict(state)
        self._returns = state["returns"].copy()
        self._step, self._begun = 0, -state["horizons"]
        self.num_episode = state["num_episode"]
        for queue, values in (
            (self.return_queue, state["return_queue"]),
            (self.horizon_queue, state["horizon_queue"]),
            (self._unread, map(tuple, state["unread"])),
        ):
            queue.clear()
            queue.extend(values)
