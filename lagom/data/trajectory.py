"""The one container: what a runner collects, what agents and replay buffers eat."""

from dataclasses import dataclass, field

import numpy as np

from lagom.data.timestep import StepType, TimeStep
from lagom.utils import nested


@dataclass(slots=True, eq=False, repr=False)
class Trajectory:
    """Consecutive steps of one environment; it never crosses the end of an episode.

    ``T`` actions lie between ``T + 1`` observations, the last of them seen before any reset.
    Runners hand over arrays, or dictionaries and tuples of such where the spaces are ``Dict`` and
    ``Tuple`` (:mod:`lagom.utils.nested`); by hand, begin with ``Trajectory()`` and ``add`` time
    steps.  A trajectory may be a fragment: it may begin and stop in the middle of an episode.

    Indexing, slicing and iteration give :class:`TimeStep` views, ``T + 1`` of them.
    """

    observations: np.ndarray | dict | tuple | list = field(default_factory=list)  # [T + 1, *obs]
    actions: np.ndarray | dict | tuple | list = field(default_factory=list)  # [T, *action]
    rewards: np.ndarray | list = field(default_factory=list)  # [T], rewards[t] follows actions[t]
    terminated: bool = False  # nothing comes after the last observation: its value is zero
    truncated: bool = False  # something would, but a clock stopped the episode
    extras: dict = field(default_factory=dict)  # what else choose_action returned, [T, ...] each
    step_infos: list | None = None  # [T] info dictionaries, of a trajectory built by hand
    stream: int = 0  # the sub-environment it comes from

    def add(self, timestep, action):
        """Append ``timestep``, reached by ``action`` (None for the first time step).

        Raises:
            ValueError: the episode is over, the first time step is not FIRST, or no action.
        """
        if self.finished:
            raise ValueError("Trajectory.add: the episode is over; expected a new Trajectory()")
        if len(self) == 0:
            if not timestep.first() or action is not None:
                raise ValueError(
                    f"Trajectory.add: got {timestep!r} with action {action!r}; "
                    "expected a FIRST time step and action None at the beginning"
                )
            self.step_infos = []
        elif action is None:
            raise ValueError("Trajectory.add: action is None; expected the one that led here")
        else:
            self.actions.append(action)
            self.rewards.append(timestep.reward)
            self.step_infos.append(timestep.info)
            self.terminated = timestep.terminal()
            self.truncated = timestep.time_limit()
        self.observations.append(timestep.observation)

    @property
    def T(self):
        """Number of transitions."""
        return nested.num_rows(self.actions)

    @property
    def finished(self):
        """Whether the episode ended here, for whatever reason."""
        return self.terminated or self.truncated

    @property
    def reach_terminal(self):
        """Whether the last observation is a terminal state: its value is zero."""
        return bool(self.terminated)

    @property
    def reach_time_limit(self):
        """Whether a clock stopped the episode at a state that is not terminal."""
        return bool(self.truncated and not self.terminated)

    @property
    def dones(self):
        """``T`` flags, whether the episode was over after each action."""
        return [False] * (self.T - 1) + [self.finished] * (self.T > 0)

    @property
    def infos(self):
        """``T`` dictionaries: what came with each step, the agent's extras included."""
        return [self[t + 1].info for t in range(self.T)]

    def get_infos(self, key):
        """What the steps' infos hold under ``key``; steps without it are passed over."""
        return [info[key] for info in self.infos if key in info]

    @property
    def transitions(self):
        """``T`` lists ``[observation, action, next observation, reward, done]``.

        Raises:
            ValueError: there is no transition.
        """
        if self.T == 0:
            raise ValueError("Trajectory.transitions: T is 0; expected at least one transition")
        obs, actions = nested.rows(self.observations), nested.rows(self.actions)
        return [
            list(row)
            for row in zip(obs[:-1], actions, obs[1:], self.rewards, self.dones, strict=True)
        ]

    def __len__(self):
        return nested.num_rows(self.observations)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        t = range(len(self))[index] - 1  # the transition that led to this time step
        if t < 0:
            return TimeStep(StepType.FIRST, nested.index(self.observations, 0), None, None, None)
        done = self.finished and t == self.T - 1
        if self.step_infos is not None:
            info = self.step_infos[t]
        else:
            info = {key: values[t] for key, values in self.extras.items()}
            if done:
                info["TimeLimit.truncated"] = self.reach_time_limit
        kind = StepType.LAST if done else StepType.MID
        obs = nested.index(self.observations, t + 1)
        return TimeStep(kind, obs, self.rewards[t], done, info)

    def __repr__(self):
        return (
            f"Trajectory(T={self.T}, finished={self.finished}, "
            f"reach_time_limit={self.reach_time_limit}, reach_terminal={self.reach_terminal})"
        )


def observations(D):
    """Where the actions of all trajectories in ``D`` were chosen: ``[N, *obs]``, in order."""
    return nested.concatenate([nested.index(tau.observations, slice(-1)) for tau in D])


def last_observations(D):
    """What the trajectories in ``D`` ended on: ``[len(D), *obs]``."""
    return nested.stack([nested.index(tau.observations, -1) for tau in D])


def actions(D):
    """The actions of all trajectories in ``D``: ``[N, *action]``, in order."""
    return nested.concatenate([tau.actions for tau in D])
