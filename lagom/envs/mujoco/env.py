"""The vectorized environment over a batch of simulations."""

import mujoco
import numpy as np

from lagom.envs.batched import BatchedEnv
from lagom.envs.mujoco.physics import Batch, Loop
from lagom.envs.mujoco.tasks import find_task


class MujocoVecEnv(BatchedEnv):
    """``B`` environments of one of Gymnasium's MuJoCo tasks (v2, v4, v5), stepped as a batch.

    Observations (float32), rewards, ends and infos equal those of :class:`VecEnv` over the same
    environments.  Pictures show the positions after a step; Gymnasium's are one sub-step behind.

    Args:
        make_env (function): makes one such environment as an ordinary one.
        num_env (int): ``B``.
        seeds (list): one for each.
        threads (int): that share the simulations; results do not depend on it.
        template (Env): what ``make_env`` returned, if it was called already.

    Raises:
        ValueError: if there is no batched form of the environment, or no thread.
    """

    def __init__(self, make_env, num_env, seeds=None, threads=1, template=None):
        super().__init__(make_env, num_env, seeds, template)
        task = find_task(self.envs[0])
        if task is None:
            raise ValueError(
                f"MujocoVecEnv: {self.envs[0]} has no batched form; expected one of Gymnasium's "
                "MuJoCo tasks in the wrappers of gymnasium.make, not shown in a window"
            )
        if threads < 1:
            raise ValueError(f"MujocoVecEnv: threads is {threads!r}; expected at least 1")
        core, self._action_shape = self.core, self.action_space.shape
        self.task = task(core)
        args = (core.model, num_env, self.task.fields, core.frame_skip, threads)
        self.physics = Loop(*args) if "cfrc_ext" in self.task.fields else _make_physics(*args)

    def _step(self, actions):
        actions = np.asarray(actions)
        if actions.shape != self._action_shape:
            raise ValueError(
                f"VecEnv.step: actions have shape {actions.shape}; expected {self._action_shape}"
            )
        task, physics = self.task, self.physics
        before, awake = task.before(physics), self._is_awake
        physics.step(actions, None if awake is None else np.flatnonzero(awake))
        rewards, terminated, columns = task.judge(physics, before, actions)
        return task.observe(physics), rewards, terminated, columns

    def _put(self, b):
        core = self.core
        mujoco.mj_resetData(core.model, core.data)
        self.physics.dump(b, core.data)
        fields = {name: getattr(core.data, name).copy() for name in self.task.fields}
        mujoco.mj_kinematics(core.model, core.data)
        mujoco.mj_comPos(core.model, core.data)
        for name, value in fields.items():  # these lag behind, and rewards depend on them
            getattr(core.data, name)[:] = value

    def _take(self, b):
        self.physics.load(b, self.core.data)

    def get_image(self, b):
        self._show(b)
        mujoco.mj_forward(self.core.model, self.core.data)
        return self.envs[0].render()


def _make_physics(*args):
    try:
        return Batch(*args)
    except ImportError:
        return Loop(*args)
