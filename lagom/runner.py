"""Runners step environments with an agent and return trajectories; they know no algorithm."""

from abc import ABC, abstractmethod

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv

from lagom.data import Trajectory
from lagom.envs import TimeStepEnv, VecEnv
from lagom.utils import nested


class BaseRunner(ABC):
    """Collects data by letting an agent act in an environment."""

    @abstractmethod
    def __call__(self, agent, env, **kwargs):
        """Return a list of :class:`Trajectory`; ``kwargs`` say how much of it, and how."""


class EpisodeRunner(BaseRunner):
    """Whole episodes, the same number from every sub-environment.

    With a fixed quota an episode counts however long it takes; stopping at the first ``N`` that
    finish would favour short ones.
    """

    def __call__(self, agent, env, N, **kwargs):
        """Return ``N`` finished trajectories.

        Args:
            agent (BaseAgent): its ``choose_action`` gets batches ``[B, *obs]``.
            env (VecEnv): sub-environment ``b`` of ``B`` gives ``N // B`` episodes, and one more if
                ``b < N % B``.  A single environment counts as a batch of one.
            N (int): number of episodes.
            **kwargs: go to ``agent.choose_action``.

        Raises:
            ValueError: ``N`` is not positive.
            FloatingPointError: a reward or an observation is not finite.
        """
        if N < 1:
            raise ValueError(f"EpisodeRunner: N is {N!r}; expected at least one episode")
        env = _batched(env)
        B = env.num_envs
        quota = [N // B + (b < N % B) for b in range(B)]
        obs, _ = env.reset()
        begin = _begin(agent)
        begin(np.ones(B, bool))
        D, rows = [], [([nested.index(obs, b)], [], []) for b in range(B)]
        while any(quota):
            out = agent.choose_action(obs, **kwargs)
            action = out.pop("action")
            obs, reward, terminated, truncated, info = env.step(action)
            done = terminated | truncated
            begin(done)
            for b in range(B):
                if quota[b] == 0:
                    continue
                observations, steps, rewards = rows[b]
                extras = {key: value[b] for key, value in out.items()}
                steps.append((nested.index(action, b), extras))
                rewards.append(reward[b])
                if not done[b]:
                    observations.append(nested.index(obs, b))
                    continue
                # The environment has already reset itself; how the episode ended is in info.
                observations.append(info["final_obs"][b])
                actions, extras = zip(*steps, strict=True)
                D.append(
                    Trajectory(
                        observations=nested.stack(observations),
                        actions=nested.stack(actions),
                        rewards=np.array(rewards),
                        terminated=bool(terminated[b]),
                        truncated=bool(truncated[b]),
                        extras={key: np.stack([e[key] for e in extras]) for key in out},
                        stream=b,
                    )
                )
                quota[b] -= 1
                rows[b] = ([nested.index(obs, b)], [], [])
        _check_finite("EpisodeRunner", *(x for tau in D for x in (tau.observations, tau.rewards)))
        return D


class StepRunner(BaseRunner):
    """A fixed number of steps in every sub-environment, wherever episodes begin and end.

    Args:
        reset_on_call (bool): if ``False``, a call goes on where the last one stopped.
    """

    def __init__(self, reset_on_call=True):
        self.reset_on_call = reset_on_call
        self.observation = None  # [B, *obs], what the next actions will be chosen from

    def __call__(self, agent, env, T, **kwargs):
        """Return trajectories that hold, together, ``T`` steps of each sub-environment.

        Args:
            agent (BaseAgent): its ``choose_action`` gets batches ``[B, *obs]``; what it returns
                beside ``"action"`` rides along in ``Trajectory.extras``.
            env (VecEnv): a single environment counts as a batch of one.
            T (int): steps of each sub-environment.
            **kwargs: go to ``agent.choose_action``.

        Raises:
            ValueError: ``T`` is not positive.
            FloatingPointError: a reward or an observation is not finite.
        """
        if T < 1:
            raise ValueError(f"StepRunner: T is {T!r}; expected at least one step")
        env = _batched(env)
        B = env.num_envs
        begin = _begin(agent)
        if self.reset_on_call or self.observation is None:
            self.observation, _ = env.reset()
            begin(np.ones(B, bool))
        empty = lambda x: np.empty((T, *x.shape), x.dtype)
        observations = nested.map_leaves(empty, self.observation)  # [T, B, *obs]
        rewards = np.empty((T, B))
        outs, ends, start = [], [], np.zeros(B, int)

        for t in range(T):
            nested.assign(observations, t, self.observation)
            out = agent.choose_action(self.observation, **kwargs)
            outs.append(out)
            self.observation, rewards[t], terminated, truncated, info = env.step(out["action"])
            done = terminated | truncated
            if np.count_nonzero(done):  # four times faster than any()
                begin(done)
                # The environment has already reset itself; how the episode ended is in info.
                for b in np.flatnonzero(done):
                    last = info["final_obs"][b]
                    ends.append((b, start[b], t + 1, last, bool(terminated[b]), bool(truncated[b])))
                    start[b] = t + 1
        finals = [end[3] for end in ends]
        _check_finite("StepRunner", observations, rewards, self.observation, *finals)
        for b in np.flatnonzero(start < T):  # still running
            ends.append((b, start[b], T, nested.index(self.observation, b), False, False))

        extras = {key: nested.stack([out[key] for out in outs]) for key in outs[0]}  # [T, B, ...]
        actions = extras.pop("action")
        append = lambda x, last: np.concatenate([x, last[None]])
        return [
            Trajectory(
                observations=nested.map_leaves(
                    append, nested.index(observations, (slice(i, j), b)), last
                ),
                actions=nested.index(actions, (slice(i, j), b)),
                rewards=rewards[i:j, b],
                terminated=terminated,
                truncated=truncated,
                extras={key: x[i:j, b] for key, x in extras.items()},
                stream=int(b),
            )
            for b, i, j, last, terminated, truncated in ends
        ]

    def state_dict(self):
        """Where the next call goes on."""
        return {"observation": self.observation}

    def load_state_dict(self, state):
        """Go on from ``state``; the environment must be restored beside it."""
        self.observation = state["observation"]


def _begin(agent):
    """How ``agent`` is told that episodes begin; one without such a method need not know."""
    return getattr(agent, "begin", lambda rows: None)


def _batched(env):
    """``env`` if it is vectorized as runners need it; a single one becomes a batch of one."""
    if not isinstance(env, VectorEnv):
        return VecEnv([lambda: env.env if isinstance(env, TimeStepEnv) else env])
    mode = env.metadata.get("autoreset_mode")
    if mode != AutoresetMode.SAME_STEP:
        raise ValueError(
            f"runner: environment resets at {mode}; expected SAME_STEP; "
            'build it with lagom.envs.make_vec_env or pass autoreset_mode="SameStep"'
        )
    return env


def _check_finite(where, *arrays):
    for x in map(np.asarray, nested.flat(arrays)):
        if x.dtype.kind == "f" and np.count_nonzero(np.isfinite(x)) < x.size:  # faster than all()
            raise FloatingPointError(
                f"{where}: the environment gave a reward or an observation that is not finite"
            )
