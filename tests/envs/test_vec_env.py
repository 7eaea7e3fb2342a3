import gymnasium
import numpy as np
import pytest
from envs.count_env import CountEnv
from gymnasium.spaces import Box, Dict, Discrete, OneOf, Text, Tuple
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv

from lagom.envs import VecEnv, VecEnvWrapper, make_vec_env
from lagom.utils import Seeder
from lagom.vis import ImageViewer


def make_cartpole():
    return gymnasium.make("CartPole-v1")


def count_env(*args, num_env=2, **kwargs):
    return VecEnv([lambda: CountEnv(*args, **kwargs)] * num_env)


def test_episodes_end_and_begin_in_the_same_step():
    env = count_env(3)
    env.reset()

    for k in (1, 2):
        observations, rewards, terminated, truncated, info = env.step([0, 1])
        np.testing.assert_array_equal(observations, [[k], [k]])
        np.testing.assert_allclose(rewards, [0.1 * k, 0.1 * k])
        np.testing.assert_array_equal(terminated | truncated, [False, False])
        assert info == {"row_infos": [{"k": k}, {"k": k}]}
    observations, rewards, terminated, truncated, info = env.step([0, 1])

    np.testing.assert_array_equal(observations, [[0], [0]])
    np.testing.assert_allclose(rewards, [0.3, 0.3])
    np.testing.assert_array_equal(terminated, [True, True])
    np.testing.assert_array_equal(truncated, [False, False])
    np.testing.assert_array_equal(info["final_obs"], [[3], [3]])
    assert info["final_info"] == [{"k": 3}, {"k": 3}]
    assert info["row_infos"] == [{"k": 0}, {"k": 0}]
    assert [row.num_reset for row in env] == [2, 2]


def test_only_finished_rows_have_final_observations():
    env = VecEnv([lambda: CountEnv(9), lambda: CountEnv(9, limit=2)])
    env.reset()
    env.step([0, 0])

    observations, _, terminated, truncated, info = env.step([0, 0])

    np.testing.assert_array_equal(observations, [[2], [0]])
    np.testing.assert_array_equal(terminated, [False, False])
    np.testing.assert_array_equal(truncated, [False, True])
    assert info["final_obs"][0] is info["final_info"][0] is None
    np.testing.assert_array_equal(info["final_obs"][1], [2])


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (np.float64, np.float32),
        (np.float32, np.float32),
        (np.uint8, np.uint8),
        (np.int64, np.int64),
    ],
)
def test_dtypes(dtype, expected):
    env = VecEnv([lambda: CountEnv(1, dtype=dtype)])

    first, _ = env.reset()
    second, rewards, terminated, truncated, info = env.step([0])

    for x in (first, second, info["final_obs"][0]):
        assert x.dtype == expected
    assert env.single_observation_space.dtype == env.observation_space.dtype == expected
    assert env.observation_space.contains(second)
    assert (rewards.dtype, terminated.dtype, truncated.dtype) == (np.float64, bool, bool)


def test_the_largest_float64_bound_becomes_infinity():
    sub = CountEnv(1)
    biggest = np.finfo(np.float64).max
    sub.observation_space = Box(-biggest, biggest, (1,), np.float64)

    env = VecEnv([lambda: sub])

    assert env.single_observation_space == Box(-np.inf, np.inf, (1,), np.float32)


def test_returned_arrays_are_not_written_into_later():
    env = count_env(3)
    first, _ = env.reset()
    second, *_ = env.step([0, 0])
    env.step([0, 0])
    *_, info = env.step([0, 0])
    env.step([0, 0])

    np.testing.assert_array_equal(first, [[0], [0]])
    np.testing.assert_array_equal(second, [[1], [1]])
    np.testing.assert_array_equal(info["final_obs"], [[3], [3]])


def test_actions_reach_their_environment():
    env = count_env(9)
    env.reset()

    env.step(np.array([1, 0]))

    assert [row.actions for row in env] == [[1], [0]]


def test_the_same_as_gymnasium():
    ours = VecEnv([make_cartpole] * 3)
    theirs = SyncVectorEnv([make_cartpole] * 3, autoreset_mode="SameStep")
    rng = np.random.default_rng(0)

    np.testing.assert_array_equal(ours.reset(seed=5)[0], theirs.reset(seed=5)[0])
    num_end = 0
    for _ in range(200):
        actions = rng.integers(2, size=3)
        *a, a_info = ours.step(actions)
        *b, b_info = theirs.step(actions)
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
        for i in np.flatnonzero(a[2] | a[3]):
            np.testing.assert_array_equal(a_info["final_obs"][i], b_info["final_obs"][i])
            num_end += 1
    assert num_end > 10


def test_spaces_and_metadata():
    env = VecEnv([make_cartpole] * 3)

    assert isinstance(env, VectorEnv)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert "autoreset_mode" not in env[0].metadata
    assert (env.num_envs, len(env)) == (3, 3)
    assert env.single_action_space == Discrete(2)
    assert env.action_space.shape == (3,)
    assert env.observation_space.shape == (3, 4)
    assert env.spec.id == "CartPole-v1"
    assert env.unwrapped is env
    assert list(env) == [env[0], env[1], env[2]]


def test_repr():
    assert repr(make_vec_env(make_cartpole, 3, 0)) == "<VecEnv: 3, CartPole-v1>"
    assert repr(count_env(3)) == "<VecEnv: 2, CountEnv>"


def test_first_reset_uses_the_drawn_seeds():
    env = make_vec_env(lambda: CountEnv(3), num_env=3, init_seed=0)
    env.reset()
    env.reset()

    assert [row.seeds for row in env] == [
        [209652396, None],
        [398764591, None],
        [924231285, None],
    ]
    assert env.seeds == [209652396, 398764591, 924231285]


def test_same_seed_same_numbers_different_rows_differ():
    def draws():
        env = make_vec_env(make_cartpole, 3, init_seed=7)
        observations, _ = env.reset()
        actions = [tuple(row.action_space.sample() for _ in range(20)) for row in env]
        return observations, actions, env.action_space.sample().tolist()

    a, b = draws(), draws()

    np.testing.assert_array_equal(a[0], b[0])
    assert a[1:] == b[1:]
    assert len({tuple(row) for row in a[0].tolist()}) == len(set(a[1])) == 3


def test_reset_seeds():
    env = make_vec_env(lambda: CountEnv(3), 2, 0)
    env.reset(seed=5)
    env.reset(seed=np.int64(8))
    env.reset(seed=env.seeds)
    env.reset()

    assert [row.seeds for row in env] == [
        [5, 8, 209652396, None],
        [6, 9, 398764591, None],
    ]
    assert env.seeds == Seeder(0)(2)


def test_options_reach_every_row():
    _, info = count_env(3).reset(options={"size": 2})

    assert info == {"row_infos": [{"k": 0, "size": 2}] * 2}


def test_close_is_idempotent():
    with count_env(3) as env:
        assert not env.closed
    env.close()

    assert env.closed
    assert [row.num_close for row in env] == [1, 1]


def test_render_makes_a_grid():
    env = count_env(3, render_mode="rgb_array")
    env.reset()
    env.step([0, 0])

    picture = env.render()

    assert env.get_images().shape == (2, 4, 6, 3)
    assert picture.shape == (14, 27, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[5:9, 16:22], np.full((4, 6, 3), 10))
    assert picture.sum() == 2 * 4 * 6 * 3 * 10


def test_render_without_pictures_is_refused():
    with pytest.raises(ValueError, match="made with render_mode=None; expected 'rgb_array'"):
        count_env(3).render()
    with pytest.raises(ValueError, match="render: mode is 'ansi'; expected 'rgb_array' or 'human'"):
        count_env(3, render_mode="rgb_array").render("ansi")


class Viewer:
    """What it was shown, and how many environments were closed before it."""

    def __init__(self):
        self.pictures, self.closes = [], []

    def __call__(self, x):
        self.pictures.append(x)

    def close(self):
        self.closes.append(sum(row.num_close for row in self.env))


@pytest.mark.parametrize("wrap", [lambda env: env, VecEnvWrapper])
def test_render_in_a_window(monkeypatch, wrap):
    monkeypatch.setattr("lagom.vis.viewer.ImageViewer", Viewer)
    env = wrap(count_env(3, render_mode="rgb_array"))
    env.reset()
    env.step([0, 0])

    assert env.render("human") is None
    env.step([0, 0])
    assert env.render(mode="human") is None

    viewer = env.get_viewer()
    viewer.env = env
    assert isinstance(viewer, Viewer)
    assert viewer is env.get_viewer()
    assert [picture.max() for picture in viewer.pictures] == [10, 20]
    np.testing.assert_array_equal(viewer.pictures[1], env.render())
    env.close()
    env.close()
    assert viewer.closes[0] == 0  # the window goes first
    assert [row.num_close for row in env] == [1, 1]


def test_the_viewer_is_one_of_images():
    viewer = count_env(3).get_viewer()

    assert isinstance(viewer, ImageViewer)
    assert (viewer.image, viewer.closed) == (None, False)


def test_wrong_lists_are_refused():
    env = CountEnv(3)
    with pytest.raises(ValueError, match="VecEnv: got no environment"):
        VecEnv([])
    with pytest.raises(ValueError, match="the same environment appears twice"):
        VecEnv([lambda: env] * 2)
    with pytest.raises(ValueError, match=r"VecEnv: observation_space is .* expected the same"):
        VecEnv([lambda: CountEnv(3), make_cartpole])
    other = CountEnv(3)
    other.action_space = Discrete(3)
    with pytest.raises(ValueError, match=r"action_space is Discrete\(2\) and Discrete\(3\)"):
        VecEnv([lambda: env, lambda: other])
    for space in (Text(3), Dict(a=Text(3)), Dict(a=OneOf([Discrete(2)])), Tuple([])):
        env.observation_space = space
        with pytest.raises(ValueError, match=r"VecEnv: observation space .* is not one of arrays"):
            VecEnv([lambda: env])


def test_wrong_numbers_are_refused():
    env = count_env(3)
    env.reset()
    with pytest.raises(ValueError, match=r"VecEnv.step: got 1 actions; expected 2"):
        env.step([0])
    with pytest.raises(ValueError, match="VecEnv: got 3 seeds; expected 2"):
        env.reset(seed=[1, 2, 3])
    with pytest.raises(ValueError, match="VecEnv: got 1 seeds; expected 2"):
        VecEnv([lambda: CountEnv(3)] * 2, seeds=[1])


class OldStep(CountEnv):
    def step(self, action):
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, reward, terminated or truncated, info


class OldReset(CountEnv):
    def reset(self, **kwargs):
        return super().reset(**kwargs)[0]


class Broken(CountEnv):
    def step(self, action):
        raise ValueError("the robot is on fire")


@pytest.mark.parametrize("wrap", [lambda env: env, lambda e: gymnasium.wrappers.TimeLimit(e, 9)])
def test_old_step_is_explained(wrap):
    env = VecEnv([lambda: wrap(OldStep(3))])
    env.reset()
    with pytest.raises(ValueError, match=r"step returned 4 values; expected 5; .* old gym API"):
        env.step([0])


def test_old_reset_is_explained():
    with pytest.raises(ValueError, match="reset returned an observation alone; expected"):
        VecEnv([lambda: OldReset(3)]).reset()


def test_errors_of_the_environment_pass_through():
    env = VecEnv([lambda: Broken(3)])
    env.reset()
    with pytest.raises(ValueError, match=r"^the robot is on fire$"):
        env.step([0])
