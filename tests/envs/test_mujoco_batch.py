"""Batches of MuJoCo tasks beside the ordinary environments, to the last bit."""

import numpy as np
import pytest
from envs.same import assert_begin_alike, assert_go_on_alike

from lagom.envs import RecordEpisodeStatistics, VecEnv, make
from lagom.envs.mujoco import MujocoVecEnv, find_task
from lagom.envs.mujoco.physics import Batch, Loop
from lagom.envs.mujoco.tasks import _TASKS

NAMES = ["Ant", "HalfCheetah", "Hopper", "Humanoid", "HumanoidStandup"]
NAMES += ["InvertedDoublePendulum", "InvertedPendulum", "Pusher", "Reacher", "Swimmer", "Walker2d"]
IDS = [f"{name}-v{version}" for name in NAMES for version in (2, 4, 5)]
IDS.remove("Pusher-v4")  # refuses MuJoCo 3


def both(id, num_env=2, seeds=(3, 1, 4), threads=1, **kwargs):
    make_env = lambda: make(id, disable_env_checker=True, **kwargs)
    seeds = list(seeds[:num_env])
    serial = VecEnv([make_env] * num_env, seeds=list(seeds))
    return serial, MujocoVecEnv(make_env, num_env, seeds=seeds, threads=threads)


def draw(env, num_step, seed=0):
    """Actions ``[T, B, D]`` within the bounds and beyond."""
    high = 1.3 * env.single_action_space.high
    shape = (num_step, *env.action_space.shape)
    return np.random.default_rng(seed).uniform(-high, high, shape).astype(np.float32)


@pytest.mark.parametrize("id", IDS)
def test_equal_to_gymnasium(id):
    serial, batch = both(id, max_episode_steps=40)
    assert serial.single_observation_space == batch.single_observation_space
    assert serial.action_space == batch.action_space
    assert_begin_alike(serial, batch)

    assert assert_go_on_alike(serial, batch, draw(serial, 100)) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("id", IDS)
def test_equal_to_gymnasium_for_long(id):
    serial, batch = both(id, 3, max_episode_steps=300)
    assert_begin_alike(serial, batch)

    assert assert_go_on_alike(serial, batch, draw(serial, 1000)) >= 9


@pytest.mark.parametrize(
    ("id", "kwargs"),
    [
        ("Ant-v2", {"contact_forces": "zero"}),
        ("Humanoid-v2", {"contact_forces": "zero"}),
        ("HumanoidStandup-v2", {"contact_forces": "zero"}),
        ("Ant-v4", {"use_contact_forces": True, "terminate_when_unhealthy": False}),
        ("Ant-v5", {"include_cfrc_ext_in_observation": False, "main_body": 2}),
        ("Ant-v5", {"exclude_current_positions_from_observation": False}),
        ("Ant-v5", {"terminate_when_unhealthy": False, "contact_force_range": (-0.2, 0.1)}),
        ("HalfCheetah-v5", {"frame_skip": 2, "forward_reward_weight": 0.7}),
        ("Hopper-v4", {"terminate_when_unhealthy": False}),
        ("Hopper-v5", {"exclude_current_positions_from_observation": False}),
        ("Humanoid-v4", {"terminate_when_unhealthy": False}),
        ("Humanoid-v5", {"include_cinert_in_observation": False, "contact_cost_range": (0, 1e-3)}),
        ("Swimmer-v4", {"exclude_current_positions_from_observation": False}),
        ("Pusher-v5", {"reward_near_weight": 2.0}),
        ("Reacher-v5", {"reward_control_weight": 0.3}),
        ("InvertedDoublePendulum-v5", {"healthy_reward": 3.0}),
    ],
)
def test_arguments_are_taken_over(id, kwargs):
    serial, batch = both(id, max_episode_steps=20, **kwargs)
    assert_begin_alike(serial, batch)
    assert_go_on_alike(serial, batch, draw(serial, 50))


@pytest.mark.parametrize("id", ["HalfCheetah-v2", "Ant-v2"])  # one for each way of simulating
def test_threads_change_nothing(id):
    serial, batch = both(id, 3, threads=2)
    assert_begin_alike(serial, batch)
    assert_go_on_alike(serial, batch, draw(serial, 30))


def test_both_ways_of_simulating_are_used():
    assert isinstance(both("HalfCheetah-v2")[1].physics, Batch)
    assert isinstance(both("Ant-v2", contact_forces="zero")[1].physics, Batch)
    assert isinstance(both("Ant-v2")[1].physics, Loop)


def test_without_batches_of_mujoco(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "mujoco.batch", None)
    serial, batch = both("Hopper-v2")

    assert isinstance(batch.physics, Loop)
    assert_begin_alike(serial, batch)
    assert_go_on_alike(serial, batch, draw(serial, 60))


@pytest.mark.parametrize(
    "id", ["HalfCheetah-v2", "Hopper-v5", "Ant-v2", "Humanoid-v5", "Reacher-v2", "Pusher-v5"]
)
def test_states_are_those_of_the_serial_one(id):
    serial, batch = both(id, max_episode_steps=25)
    _, fresh = both(id, seeds=(0, 0), max_episode_steps=25)
    fresh.load_state_dict(serial.state_dict())  # before the first reset
    assert_begin_alike(serial, fresh)
    batch.reset()
    actions = draw(serial, 80)
    assert_go_on_alike(serial, batch, actions[:33])

    other, _ = both(id, seeds=(0, 0), max_episode_steps=25)
    other.load_state_dict(batch.state_dict())
    fresh.load_state_dict(serial.state_dict())

    np.testing.assert_equal(fresh.state_dict(), batch.state_dict())
    assert_go_on_alike(other, batch, actions[33:])  # serial from batch
    assert_go_on_alike(serial, fresh, actions[33:])  # batch from serial


def test_state_of_another_number_is_refused():
    one, two = both("Hopper-v2", 1)[1], both("Hopper-v2", 2)[1]
    with pytest.raises(ValueError, match="got the state of 1 environments; expected 2"):
        two.load_state_dict(one.state_dict())


def test_resets():
    serial, batch = both("Pusher-v2")
    for kwargs in ({}, {}, {"seed": 5}, {"seed": [8, 2]}):
        assert_begin_alike(serial, batch, **kwargs)
        assert_go_on_alike(serial, batch, draw(serial, 5))
    with pytest.raises(ValueError, match="got 3 seeds; expected 2"):
        batch.reset(seed=[1, 2, 3])


def test_returned_arrays_are_not_written_to_later():
    _, batch = both("Hopper-v5")
    batch.reset()
    first = batch.step(draw(batch, 1)[0])
    x = [first[0].copy(), dict(first[4]["row_infos"][0])]
    for action in draw(batch, 20):
        batch.step(action)

    np.testing.assert_array_equal(first[0], x[0])
    assert first[4]["row_infos"][0] == x[1]


def test_infos_are_a_list_of_dictionaries():
    _, batch = both("HalfCheetah-v5")
    batch.reset()
    infos = batch.step(draw(batch, 1)[0])[4]["row_infos"]

    assert len(infos) == 2
    assert list(infos[1]) == ["x_position", "x_velocity", "reward_forward", "reward_ctrl"]
    assert infos[-1] == infos[1] != infos[0]
    assert infos == list(infos) == infos[:]
    assert repr(infos) == repr(list(infos))
    with pytest.raises(IndexError):
        infos[2]


def test_wrappers_on_top():
    serial, batch = (RecordEpisodeStatistics(env) for env in both("Hopper-v2"))
    assert_begin_alike(serial, batch)
    for action in draw(serial, 60):
        out, other = serial.step(action), batch.step(action)
        assert ("episode" in out[4]) == ("episode" in other[4])
    assert serial.pop_episodes() == batch.pop_episodes() != []


def test_pictures_show_where_it_stands():
    pytest.importorskip("mujoco.egl")
    _, batch = both("Hopper-v2", render_mode="rgb_array", width=64, height=48)
    batch.reset()
    first = batch.get_images()
    for action in draw(batch, 10):
        batch.step(action)
    state = batch.state_dict()
    images = batch.get_images()

    assert images.shape == (2, 48, 64, 3)
    assert (images != first).any()
    np.testing.assert_equal(batch.state_dict(), state)  # looking changes nothing
    batch.close()


def test_copies_of_single_environments():
    serial, batch = both("Ant-v2")
    serial.reset(), batch.reset()
    actions = draw(serial, 12)
    assert_go_on_alike(serial, batch, actions)

    obs, reward, *_ = batch[1].step(actions[0, 1])
    expected, expected_reward, *_ = serial[1].step(actions[0, 1])

    np.testing.assert_array_equal(obs, expected)
    assert reward == expected_reward
    assert repr(batch) == "<MujocoVecEnv: 2, Ant-v2>"


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"id": "CartPole-v1"}, r"MujocoVecEnv: .*CartPole.* has no batched form; expected one"),
        ({"num_env": 0}, "MujocoVecEnv: num_env is 0; expected at least 1"),
        ({"threads": 0}, "MujocoVecEnv: threads is 0; expected at least 1"),
        ({"seeds": [1, 2, 3]}, "got 3 seeds; expected 2"),
    ],
)
def test_wrong_arguments_are_refused(kwargs, match):
    kwargs = {"id": "Hopper-v2", "num_env": 2, **kwargs}
    id = kwargs.pop("id")
    with pytest.raises(ValueError, match=match):
        MujocoVecEnv(lambda: make(id, disable_env_checker=True), **kwargs)


def test_wrong_actions_are_refused():
    _, batch = both("Hopper-v2")
    with pytest.raises(Exception, match="called before reset; expected reset first"):
        batch.step(np.zeros((2, 3)))
    batch.reset()
    with pytest.raises(ValueError, match=r"actions have shape \(2, 4\); expected \(2, 3\)"):
        batch.step(np.zeros((2, 4)))
    with pytest.raises(ValueError, match="got 1 actions; expected 2"):
        batch.step(np.zeros((1, 3)))


def test_the_table_is_complete():
    tasks = {find_task(make(id, disable_env_checker=True)) for id in IDS}
    assert tasks == set(_TASKS.values())
