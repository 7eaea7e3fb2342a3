"""Gymnasium's classic control as arithmetic on arrays."""

import numpy as np
from gymnasium.wrappers import OrderEnforcing, TimeLimit

from lagom.envs import classic_tasks
from lagom.envs import state as env_state
from lagom.envs.batched import BatchedEnv

_TASKS = {
    "acrobot:AcrobotEnv": classic_tasks.Acrobot,
    "cartpole:CartPoleEnv": classic_tasks.CartPole,
    "continuous_mountain_car:Continuous_MountainCarEnv": classic_tasks.MountainCarContinuous,
    "mountain_car:MountainCarEnv": classic_tasks.MountainCar,
    "pendulum:PendulumEnv": classic_tasks.Pendulum,
}


class ClassicVecEnv(BatchedEnv):
    """``B`` environments of Gymnasium's classic control, stepped as a batch.

    Observations, rewards, ends and random draws equal those of :class:`VecEnv` over the same
    environments.

    Args:
        make_env (function): makes one such environment as an ordinary one.
        num_env (int): ``B``.
        seeds (list): one for each.
        template (Env): what ``make_env`` returned, if it was called already.

    Raises:
        ValueError: if there is no batched form of the environment.
    """

    def __init__(self, make_env, num_env, seeds=None, template=None):
        super().__init__(make_env, num_env, seeds, template)
        task = find_task(self.envs[0])
        if task is None:
            raise ValueError(
                f"ClassicVecEnv: {self.envs[0]} has no batched form; expected one of Gymnasium's "
                "classic control in the wrappers of gymnasium.make, not shown in a window"
            )
        self.task = task(self.core, num_env)

    def _step(self, actions):
        task, actions = self.task, np.asarray(actions)
        task.check(actions)
        rewards, terminated = task.step(actions)
        return task.observe(), rewards, terminated, {}

    def _put(self, b):
        self.task.put(b)

    def _take(self, b):
        self.task.take(b)


def find_task(env):
    """Return the batched form of an environment.

    Args:
        env (Env): in whatever wrappers.

    Returns:
        type: ``None`` if there is none, because the environment or a wrapper is not a known one,
        it draws into a window at each step, or somebody changed its equations.
    """
    *wrappers, core = env_state.layers(env)
    known = all(type(wrapper) in (OrderEnforcing, TimeLimit) for wrapper in wrappers)
    name = env_state.name(core).removeprefix("gymnasium.envs.classic_control.")
    task = _TASKS.get(name) if known and env.render_mode != "human" else None
    return task if task is not None and task.fits(core) else None
