"""The ``-v2`` tasks against their definitions of October 2019, as Markdown.

    python benchmarks/mujoco_v2.py [--steps 1000]

Beside each environment stand the formulas of gym 0.15.3, written out here from the simulator's
state.  Over random steps (actions beyond the bounds too) the table shows the largest differences
of observations and rewards, and how often ends and time limits disagree: of the ordinary
environment, and of the batch that ``env.backend=auto`` steps.
"""

import argparse
from functools import partial

import mujoco
import numpy as np

from lagom.envs import SPECS, make
from lagom.envs.mujoco import MujocoVecEnv


class State:
    """What formulas read, copied out of a simulation."""

    def __init__(self, core):
        data, self.model = core.data, core.model
        for name in ("qpos", "qvel", "cinert", "cvel", "qfrc_actuator", "cfrc_ext", "xpos"):
            setattr(self, name, getattr(data, name).copy())
        self.qfrc_constraint, self.site = data.qfrc_constraint.copy(), data.site_xpos.copy()
        mass = core.model.body_mass
        self.center = (mass[:, None] * data.xipos).sum(axis=0) / mass.sum()
        self.dt, self.timestep = core.model.opt.timestep * core.frame_skip, core.model.opt.timestep

    def body(self, name):
        """Position of a body."""
        return self.xpos[self.model.body(name).id]


# Each of what follows: (state before, state after, action) -> observation, reward, end.


def ant(s, t, a):
    """Section "Ant" of gym/envs/mujoco."""
    forces = np.clip(t.cfrc_ext, -1, 1)
    forward = (t.body("torso")[0] - s.body("torso")[0]) / t.dt
    reward = forward - 0.5 * np.sum(a**2) - 0.5 * 1e-3 * np.sum(forces**2) + 1
    alive = np.isfinite([*t.qpos, *t.qvel]).all() and 0.2 <= t.qpos[2] <= 1.0
    return [t.qpos[2:], t.qvel, forces], reward, not alive


def half_cheetah(s, t, a):
    """Never ends."""
    reward = (t.qpos[0] - s.qpos[0]) / t.dt - 0.1 * np.sum(a**2)
    return [t.qpos[1:], t.qvel], reward, False


def hopper(s, t, a):
    """Ends below 0.7 m, beyond 0.2 rad."""
    reward = (t.qpos[0] - s.qpos[0]) / t.dt + 1 - 1e-3 * np.sum(a**2)
    alive = (np.abs([*t.qpos[2:], *t.qvel]) < 100).all() and t.qpos[1] > 0.7
    alive = alive and abs(t.qpos[2]) < 0.2
    return [t.qpos[1:], np.clip(t.qvel, -10, 10)], reward, not alive


def walker2d(s, t, a):
    """Ends outside 0.8 to 2 m, beyond 1 rad."""
    reward = (t.qpos[0] - s.qpos[0]) / t.dt + 1 - 1e-3 * np.sum(a**2)
    alive = 0.8 < t.qpos[1] < 2.0 and -1.0 < t.qpos[2] < 1.0
    return [t.qpos[1:], np.clip(t.qvel, -10, 10)], reward, not alive


def swimmer(s, t, a):
    """Never ends."""
    reward = (t.qpos[0] - s.qpos[0]) / t.dt - 1e-4 * np.sum(a**2)
    return [t.qpos[2:], t.qvel], reward, False


def _body_parts(t):
    return [t.qpos[2:], t.qvel, t.cinert, t.cvel, t.qfrc_actuator, t.cfrc_ext]


def humanoid(s, t, a):
    """Ends outside 1 to 2 m."""
    reward = 1.25 * (t.center[0] - s.center[0]) / t.dt - 0.1 * np.sum(a**2) + 5
    reward -= min(0.5e-6 * np.sum(t.cfrc_ext**2), 10)
    return _body_parts(t), reward, not 1.0 <= t.qpos[2] <= 2.0


def standup(s, t, a):
    """Never ends."""
    impact = min(0.5e-6 * np.sum(t.cfrc_ext**2), 10)
    return _body_parts(t), t.qpos[2] / t.timestep - 0.1 * np.sum(a**2) - impact + 1, False


def inverted_pendulum(s, t, a):
    """Ends beyond 0.2 rad."""
    return [t.qpos, t.qvel], 1.0, abs(t.qpos[1]) > 0.2


def inverted_double_pendulum(s, t, a):
    """Ends when the tip is below 1 m."""
    x, _, y = t.site[0]
    cost = 0.01 * x**2 + (y - 2) ** 2 + 1e-3 * t.qvel[1] ** 2 + 5e-3 * t.qvel[2] ** 2
    angles = t.qpos[1:]
    clipped = [np.clip(x, -10, 10) for x in (t.qvel, t.qfrc_constraint)]
    return [t.qpos[:1], np.sin(angles), np.cos(angles), *clipped], 10 - cost, y <= 1


def reacher(s, t, a):
    """The distance is that before the step."""
    reward = -np.linalg.norm(s.body("fingertip") - s.body("target")) - np.sum(a**2)
    theta = t.qpos[:2]
    offset = t.body("fingertip") - t.body("target")
    return [np.cos(theta), np.sin(theta), t.qpos[2:], t.qvel[:2], offset], reward, False


def pusher(s, t, a):
    """Distances are those before the step."""
    near = np.linalg.norm(s.body("object") - s.body("tips_arm"))
    far = np.linalg.norm(s.body("object") - s.body("goal"))
    bodies = [t.body(name) for name in ("tips_arm", "object", "goal")]
    return [t.qpos[:7], t.qvel[:7], *bodies], -far - 0.1 * np.sum(a**2) - 0.5 * near, False


FORMULAS = {
    "Ant-v2": (ant, 1000),
    "HalfCheetah-v2": (half_cheetah, 1000),
    "Hopper-v2": (hopper, 1000),
    "Humanoid-v2": (humanoid, 1000),
    "HumanoidStandup-v2": (standup, 1000),
    "InvertedDoublePendulum-v2": (inverted_double_pendulum, 1000),
    "InvertedPendulum-v2": (inverted_pendulum, 1000),
    "Pusher-v2": (pusher, 100),
    "Reacher-v2": (reacher, 50),
    "Swimmer-v2": (swimmer, 1000),
    "Walker2d-v2": (walker2d, 1000),
}


def compare(id, num_step):
    """Largest differences, and counts, over at least ``num_step`` steps and to an episode's end."""
    formula, limit = FORMULAS[id]
    make_env = partial(make, id, disable_env_checker=True)
    env, batch = make_env(), MujocoVecEnv(make_env, 1, seeds=[0])
    core, rng = env.unwrapped, np.random.default_rng(0)
    env.reset(seed=0)
    batch.reset()
    worst = dict.fromkeys(("obs", "reward", "end", "limit", "batch"), 0.0)
    episodes = length = 0
    for _ in range(num_step):
        before = State(core)
        action = rng.uniform(-1.3, 1.3, env.action_space.shape) * env.action_space.high
        obs, reward, terminated, truncated, _ = env.step(action)
        length += 1
        parts, expected, end = formula(before, State(core), action)
        expected_obs = np.concatenate([np.ravel(part) for part in parts])
        out = batch.step(action[None])
        last = out[4]["final_obs"][0] if terminated or truncated else out[0][0]
        gap = np.abs(last - obs.astype(np.float32)).max(), abs(out[1][0] - reward)
        gap = *gap, out[2][0] != terminated, out[3][0] != truncated
        worst["obs"] = max(worst["obs"], np.abs(obs - expected_obs).max())
        worst["reward"] = max(worst["reward"], abs(reward - expected))
        worst["end"] += bool(end) != terminated
        worst["limit"] += (length == limit) != truncated
        worst["batch"] = max(worst["batch"], *map(float, gap))
        if terminated or truncated:
            env.reset()
            episodes, length = episodes + 1, 0
    return episodes, worst


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1000)
    steps = parser.parse_args().steps
    print(f"{steps} random steps of each, MuJoCo {mujoco.__version__}\n")
    print("| id | episodes | observation | reward | ends | time limits | batch |")
    print("| --- " * 7 + "|")
    for id in SPECS:
        episodes, worst = compare(id, steps)
        cells = [f"{worst[key]:.1g}" for key in ("obs", "reward")]
        cells += [f"{worst[key]:.0f}" for key in ("end", "limit")]
        print(f"| {id} | {episodes} | {' | '.join(cells)} | {worst['batch']:.1g} |", flush=True)


if __name__ == "__main__":
    main()
