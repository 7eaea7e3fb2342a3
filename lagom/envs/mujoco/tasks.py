"""Which batched task belongs to which environment."""

from gymnasium.wrappers import OrderEnforcing, TimeLimit

from lagom.envs import state as env_state
from lagom.envs.mujoco import ant, arms, humanoid, pendulums, runners

_GYMNASIUM = {
    "ant_v4:AntEnv": ant.AntV4,
    "ant_v5:AntEnv": ant.AntV5,
    "half_cheetah_v4:HalfCheetahEnv": runners.HalfCheetahV4,
    "half_cheetah_v5:HalfCheetahEnv": runners.HalfCheetahV5,
    "hopper_v4:HopperEnv": runners.HopperV4,
    "hopper_v5:HopperEnv": runners.HopperV5,
    "humanoid_v4:HumanoidEnv": humanoid.HumanoidV4,
    "humanoid_v5:HumanoidEnv": humanoid.HumanoidV5,
    "humanoidstandup_v4:HumanoidStandupEnv": humanoid.StandupV4,
    "humanoidstandup_v5:HumanoidStandupEnv": humanoid.StandupV5,
    "inverted_double_pendulum_v4:InvertedDoublePendulumEnv": pendulums.DoubleV4,
    "inverted_double_pendulum_v5:InvertedDoublePendulumEnv": pendulums.DoubleV5,
    "inverted_pendulum_v4:InvertedPendulumEnv": pendulums.SingleV4,
    "inverted_pendulum_v5:InvertedPendulumEnv": pendulums.SingleV5,
    "pusher_v4:PusherEnv": arms.PusherV4,
    "pusher_v5:PusherEnv": arms.PusherV5,
    "reacher_v4:ReacherEnv": arms.ReacherV4,
    "reacher_v5:ReacherEnv": arms.ReacherV5,
    "swimmer_v4:SwimmerEnv": runners.SwimmerV4,
    "swimmer_v5:SwimmerEnv": runners.SwimmerV5,
    "walker2d_v4:Walker2dEnv": runners.Walker2dV4,
    "walker2d_v5:Walker2dEnv": runners.Walker2dV5,
}
_TASKS = {
    **{f"gymnasium.envs.mujoco.{name}": task for name, task in _GYMNASIUM.items()},
    "lagom.envs.mujoco_v2:AntV2": ant.AntV2,
    "lagom.envs.mujoco_v2:HumanoidV2": humanoid.HumanoidV2,
    "lagom.envs.mujoco_v2:HumanoidStandupV2": humanoid.StandupV4,
    "lagom.envs.mujoco_v2:PusherV2": arms.PusherV4,
}


def find_task(env):
    """Return the batched form of an environment.

    Args:
        env (Env): in whatever wrappers.

    Returns:
        type: to be called with the unwrapped environment; ``None`` if there is none, because the
        environment or a wrapper is not a known one, or it draws into a window at each step.
    """
    *wrappers, core = env_state.layers(env)
    known = all(type(wrapper) in (OrderEnforcing, TimeLimit) for wrapper in wrappers)
    task = _TASKS.get(env_state.name(core))
    if task is None or not known or env.render_mode == "human" or core.model.npluginstate:
        return None
    return task
