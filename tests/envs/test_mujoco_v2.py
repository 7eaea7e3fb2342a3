"""Gymnasium's v4 classes are known to equal gym's v2; what was put back is written out here."""

import pickle

import gymnasium
import mujoco
import numpy as np
import pytest

from lagom.envs import SPECS, make
from lagom.envs.mujoco_v2 import _warn

TABLE = [  # id, observations, actions, seconds per step, time limit in steps, threshold
    ("Ant-v2", 111, 8, 0.05, 1000, 6000),
    ("HalfCheetah-v2", 17, 6, 0.05, 1000, 4800),
    ("Hopper-v2", 11, 3, 0.008, 1000, 3800),
    ("Humanoid-v2", 376, 17, 0.015, 1000, None),
    ("HumanoidStandup-v2", 376, 17, 0.015, 1000, None),
    ("InvertedDoublePendulum-v2", 11, 1, 0.05, 1000, 9100),
    ("InvertedPendulum-v2", 4, 1, 0.04, 1000, 950),
    ("Pusher-v2", 23, 7, 0.05, 100, None),
    ("Reacher-v2", 11, 2, 0.02, 50, -3.75),
    ("Swimmer-v2", 8, 2, 0.04, 1000, 360),
    ("Walker2d-v2", 17, 6, 0.008, 1000, None),
]


def start(id, seed=0, **kwargs):
    env = make(id, **kwargs)
    observation, _ = env.reset(seed=seed)
    env.action_space.seed(seed)
    return env, observation


def test_the_table_is_complete():
    assert [row[0] for row in TABLE] == list(SPECS)


@pytest.mark.parametrize(("id", "obs", "act", "dt", "limit", "threshold"), TABLE)
def test_table(id, obs, act, dt, limit, threshold):
    env, observation = start(id)

    assert observation.shape == env.observation_space.shape == (obs,)
    assert env.action_space.shape == (act,)
    assert env.unwrapped.dt == pytest.approx(dt)
    assert env.spec.max_episode_steps == limit
    assert env.spec.reward_threshold == threshold


@pytest.mark.parametrize("id", ["HalfCheetah", "Hopper", "InvertedPendulum", "Walker2d"])
def test_seven_are_v4_as_it_is(id):
    (ours, a), theirs = start(f"{id}-v2"), gymnasium.make(SPECS[f"{id}-v2"])
    b, _ = theirs.reset(seed=0)

    assert type(ours.unwrapped).__name__ == type(theirs.unwrapped).__name__
    assert "v4" in type(ours.unwrapped).__module__
    np.testing.assert_array_equal(a, b)


def test_contact_forces_are_there_from_the_start():
    for id, height in (("Ant-v2", 0.2), ("Humanoid-v2", 1.2), ("HumanoidStandup-v2", 0.1)):
        core = make(id).unwrapped
        qpos = core.init_qpos.copy()
        qpos[2] = height  # on the ground
        core.set_state(qpos, core.init_qvel)

        assert np.abs(core._get_obs()[-6 * core.model.nbody :]).max() > 0.01


def test_ant_by_its_formulas():
    env, _ = start("Ant-v2")
    core = env.unwrapped
    done = False
    while not done:
        x = core.get_body_com("torso")[0]
        action = 3 * env.action_space.sample()  # the cost is of the raw action
        observation, reward, done, _, info = env.step(action)
        forces = np.clip(core.data.cfrc_ext, -1, 1).ravel()
        forward = (core.get_body_com("torso")[0] - x) / 0.05
        control, contact = 0.5 * np.sum(action**2), 0.5e-3 * np.sum(forces**2)

        assert reward == pytest.approx(forward - control - contact + 1)
        assert info["reward_ctrl"] == pytest.approx(-control)
        assert info["reward_contact"] == pytest.approx(-contact)
        expected = np.concatenate([core.data.qpos[2:], core.data.qvel, forces])
        np.testing.assert_array_equal(observation, expected)
        assert done == (not 0.2 <= core.data.qpos[2] <= 1.0)


def test_humanoid_by_its_formulas():
    env, _ = start("Humanoid-v2")
    core = env.unwrapped
    mass = core.model.body_mass
    impacts = []
    for _ in range(15):
        x = (mass @ core.data.xipos[:, 0]) / mass.sum()
        _, reward, done, _, info = env.step(env.action_space.sample())
        forward = 1.25 * ((mass @ core.data.xipos[:, 0]) / mass.sum() - x) / 0.015
        impacts.append(min(0.5e-6 * np.sum(core.data.cfrc_ext**2), 10))

        control = 0.1 * np.sum(core.data.ctrl**2)
        assert reward == pytest.approx(forward - control - impacts[-1] + 5)
        assert info["reward_impact"] == -impacts[-1]
        assert done == (not 1.0 <= core.data.qpos[2] <= 2.0)
    assert max(impacts) > 0.01


def test_standup_by_its_formulas():
    env, _ = start("HumanoidStandup-v2")
    core = env.unwrapped
    for _ in range(5):
        _, reward, done, _, _ = env.step(env.action_space.sample())
        impact = min(0.5e-6 * np.sum(core.data.cfrc_ext**2), 10)
        cost = 0.1 * np.sum(core.data.ctrl**2) + impact

        assert reward == pytest.approx(core.data.qpos[2] / 0.003 - cost + 1)
        assert not done


def test_pusher_by_its_formulas():
    env, _ = start("Pusher-v2")
    core = env.unwrapped
    for _ in range(20):
        puck, tip, goal = (core.get_body_com(x).copy() for x in ("object", "tips_arm", "goal"))
        action = env.action_space.sample()
        observation, reward, *_ = env.step(action)
        distance, near = np.linalg.norm(puck - goal), np.linalg.norm(puck - tip)

        assert reward == pytest.approx(-distance - 0.1 * np.sum(action**2) - 0.5 * near)
        bodies = [core.data.body(x).xpos for x in ("tips_arm", "object", "goal")]
        expected = [core.data.qpos[:7], core.data.qvel[:7], *bodies]
        np.testing.assert_array_equal(observation, np.concatenate(expected))


def test_the_puck_has_density_one():
    core = make("Pusher-v2").unwrapped
    spec = mujoco.MjSpec.from_file(core.fullpath)
    spec.body("object").geoms[0].density = 1
    model = spec.compile()

    names = ("mass", "inertia", "invweight0", "subtreemass")
    for name in ("dof_invweight0", *(f"body_{name}" for name in names)):
        np.testing.assert_allclose(getattr(core.model, name), getattr(model, name), rtol=1e-9)


@pytest.mark.parametrize("id", ["Ant-v2", "Humanoid-v2", "HumanoidStandup-v2"])
def test_contact_forces_may_be_zero(id):
    env, observation = start(id, contact_forces="zero")
    same, _ = start(id)
    core = env.unwrapped
    num_body = core.model.nbody
    assert not observation[-6 * num_body :].any()
    for _ in range(10):
        action = env.action_space.sample()
        observation, reward, *_, info = env.step(action)
        live, live_reward, *_, live_info = same.step(action)

        assert not observation[-6 * num_body :].any()
        np.testing.assert_array_equal(observation[: -6 * num_body], live[: -6 * num_body])
        cost = sum(live_info.get(key, 0) for key in ("reward_contact", "reward_impact"))
        assert reward == pytest.approx(live_reward - cost)
        assert info.get("reward_contact", info.get("reward_impact")) == 0


def test_wrong_contact_forces_are_refused():
    with pytest.raises(ValueError, match="AntV2: contact_forces is 'dead'; expected 'live' or"):
        make("Ant-v2", contact_forces="dead")


@pytest.mark.parametrize(
    ("id", "kwargs"), [("Ant-v2", {"contact_forces": "zero"}), ("Pusher-v2", {}), ("Hopper-v2", {})]
)
def test_pickle(id, kwargs):
    core = make(id, **kwargs).unwrapped
    copy = pickle.loads(pickle.dumps(core))

    a, b = core.reset(seed=1)[0], copy.reset(seed=1)[0]

    np.testing.assert_array_equal(a, b)


def test_warnings_of_the_simulation_are_warnings():
    _warn("compiler attribute 'x' is deprecated")
    with pytest.warns(UserWarning, match="MuJoCo: Nan, Inf or huge value in QACC"):
        _warn("Nan, Inf or huge value in QACC")
