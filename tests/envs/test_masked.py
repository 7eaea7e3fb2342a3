import gymnasium
import numpy as np
import pytest

from lagom.envs import VecEnv, make
from lagom.envs.masked import SPECS, MaskObservation
from lagom.envs.state import can_capture

HIDDEN = {  # by the documentation of each task: its velocities
    "CartPole-v1": [1, 3],
    "MountainCarContinuous-v0": [1],
    "Pendulum-v1": [2],
    "LunarLander-v3": [2, 3, 5],
}


def masked(id):
    return id.replace("-", "NoVel-")


@pytest.mark.parametrize("id", HIDDEN)
def test_it_is_the_task_without_its_velocities(id):
    if "Lunar" in id:
        pytest.importorskip("Box2D")
    whole, env = make(id, disable_env_checker=True), make(masked(id), disable_env_checker=True)
    shown = [i for i in range(whole.observation_space.shape[0]) if i not in HIDDEN[id]]
    (x, _), (y, _) = whole.reset(seed=3), env.reset(seed=3)
    env.action_space.seed(0)

    assert env.spec.id == masked(id)
    assert env.action_space == whole.action_space
    np.testing.assert_array_equal(x[shown], y)
    for _ in range(30):
        action = env.action_space.sample()
        x, *rest, _ = whole.step(action)
        y, *rest_masked, _ = env.step(action)
        assert y in env.observation_space
        assert y.dtype == np.float32
        np.testing.assert_array_equal(x[shown], y)
        assert rest == rest_masked
        if any(rest[1:]):
            break


def test_all_tasks_are_tested():
    assert list(SPECS) == [masked(id) for id in HIDDEN]


def test_the_time_limit_is_that_of_the_task_and_hits_once():
    env = make("PendulumNoVel-v1", disable_env_checker=True)
    env.reset(seed=0)
    ends = [env.step(np.zeros(1, np.float32))[3] for _ in range(200)]

    assert ends == [False] * 199 + [True]
    assert gymnasium.spec("Pendulum-v1").max_episode_steps == 200  # untouched
    assert SPECS["CartPoleNoVel-v1"].reward_threshold == 475


def test_its_state_can_be_saved():
    one, two = (VecEnv([lambda: make("CartPoleNoVel-v1")], seeds=[seed]) for seed in (1, 2))
    one.reset()
    one.step([0])
    two.load_state_dict(one.state_dict())

    assert can_capture(one[0])
    for _ in range(60):
        for a, b in zip(one.step([1])[:4], two.step([1])[:4], strict=True):
            np.testing.assert_array_equal(a, b)


def test_what_cannot_be_masked_is_refused():
    with pytest.raises(ValueError, match=r"hidden is \[1, 4\]; expected indices below 4"):
        MaskObservation(gymnasium.make("CartPole-v1"), [1, 4])
    with pytest.raises(ValueError, match=r"observation space is Discrete\(16\); expected one axis"):
        MaskObservation(gymnasium.make("FrozenLake-v1"), [0])
