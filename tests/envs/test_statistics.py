import numpy as np
import pytest
from envs.count_env import CountEnv

from lagom.envs import NormalizeReward, RecordEpisodeStatistics, VecEnv


def uneven_env():
    """Rows whose episodes take 2 (a time limit) and 3 steps."""
    return VecEnv([lambda: CountEnv(9, limit=2), lambda: CountEnv(3)])


def test_single_episode():
    env = RecordEpisodeStatistics(CountEnv(3))
    env.reset()

    infos = [env.step(0)[4] for _ in range(3)]

    assert ["episode" in info for info in infos] == [False, False, True]
    episode = infos[-1]["episode"]
    assert episode["return"] == pytest.approx(0.6, abs=1e-9)
    assert episode["horizon"] == 3
    assert episode["time"] >= 0
    assert episode["time"] == round(episode["time"], 4)
    assert (list(env.return_queue), list(env.horizon_queue)) == ([pytest.approx(0.6)], [3])


def test_rows_end_when_they_end():
    env = RecordEpisodeStatistics(uneven_env())
    env.reset()

    infos = [env.step([0, 0])[4] for _ in range(6)]

    assert [i + 1 for i, info in enumerate(infos) if "episode" in info] == [2, 3, 4, 6]
    nan = np.nan
    np.testing.assert_allclose(infos[1]["episode"]["return"], [0.3, nan])
    np.testing.assert_allclose(infos[2]["episode"]["horizon"], [nan, 3])
    np.testing.assert_allclose(infos[5]["episode"]["return"], [0.3, 0.6])
    np.testing.assert_array_equal(np.isnan(infos[3]["episode"]["time"]), [False, True])
    assert list(env.horizon_queue) == [2, 3, 2, 2, 3]
    np.testing.assert_allclose(env.return_queue, [0.3, 0.6, 0.3, 0.3, 0.6])
    assert env.num_episode == 5


def test_pop_episodes():
    env = RecordEpisodeStatistics(uneven_env())
    env.reset()
    assert env.pop_episodes() == []
    for _ in range(3):
        env.step([0, 0])

    episodes = env.pop_episodes()

    assert episodes == [(pytest.approx(0.3), 2), (pytest.approx(0.6), 3)]
    assert [type(x) for x in episodes[0]] == [float, int]
    assert env.pop_episodes() == []
    env.step([0, 0])
    assert len(env.pop_episodes()) == 1


def test_aborted_episodes_do_not_count():
    env = RecordEpisodeStatistics(CountEnv(3))
    env.reset()
    env.step(0)
    env.reset()
    for _ in range(3):
        env.step(0)

    assert list(env.horizon_queue) == [3]
    np.testing.assert_allclose(env.return_queue, [0.6])


def test_queues_forget():
    env = RecordEpisodeStatistics(VecEnv([lambda: CountEnv(1)]), deque_size=2)
    env.reset()
    for _ in range(5):
        env.step([0])

    assert len(env.return_queue) == len(env.horizon_queue) == 2
    assert len(env.pop_episodes()) == env.num_episode == 5


def test_returns_are_raw_inside_normalized_rewards():
    env = NormalizeReward(RecordEpisodeStatistics(CountEnv(3)))
    env.reset()
    rewards, info = zip(*[env.step(0)[1::3] for _ in range(3)], strict=True)

    assert info[-1]["episode"]["return"] == pytest.approx(0.6)
    assert sum(rewards) != pytest.approx(0.6)


def test_the_clock_is_in_seconds(monkeypatch):
    now = iter([10.0, 12.34567])
    monkeypatch.setattr("lagom.envs.statistics.perf_counter", lambda: next(now))
    env = RecordEpisodeStatistics(CountEnv(1))
    env.reset()

    assert env.step(0)[4]["episode"]["time"] == 2.3457
