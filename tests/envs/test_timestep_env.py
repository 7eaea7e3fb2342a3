import numpy as np
import pytest
from envs.count_env import CountEnv

from lagom.data.timestep import StepType
from lagom.envs import NormalizeReward, RecordEpisodeStatistics, TimeStepEnv, VecEnv


def test_an_episode():
    env = TimeStepEnv(CountEnv(3))

    first = env.reset(seed=2)
    rest = [env.step(0) for _ in range(3)]

    assert first.first()
    assert first.reward is first.done is first.info is None
    assert [step.step_type for step in rest] == [StepType.MID, StepType.MID, StepType.LAST]
    np.testing.assert_array_equal([step.observation[0] for step in rest][-1], 3)
    np.testing.assert_allclose([step.reward for step in rest], [0.1, 0.2, 0.3])
    assert [step.done for step in rest] == [False, False, True]
    assert rest[-1].terminal()
    assert rest[-1].info == {"k": 3, "TimeLimit.truncated": False}
    assert "TimeLimit.truncated" not in rest[0].info
    assert env.unwrapped.seeds == [2]


def test_time_limit():
    env = TimeStepEnv(CountEnv(9, limit=1))
    env.reset()
    last = env.step(0)

    assert last.time_limit()
    assert not last.terminal()


class Both(CountEnv):
    def step(self, action):
        observation, reward, _, _, info = super().step(action)
        return observation, reward, True, True, info


def test_terminal_at_the_limit_is_terminal():
    env = TimeStepEnv(Both(3))
    env.reset()

    assert env.step(0).terminal()


def test_outermost_of_the_wrappers():
    env = TimeStepEnv(NormalizeReward(RecordEpisodeStatistics(CountEnv(2))))
    env.reset()
    env.step(0)
    last = env.step(0)

    assert last["episode"]["horizon"] == 2
    assert list(env.horizon_queue) == [2]  # attributes come from inside
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        env.colour  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute '_nothing'"):
        env._nothing  # noqa: B018


def test_vectorized_environments_are_refused():
    with pytest.raises(TypeError, match="TimeStepEnv: got <VecEnv: 1, CountEnv>; expected"):
        TimeStepEnv(VecEnv([lambda: CountEnv(3)]))
