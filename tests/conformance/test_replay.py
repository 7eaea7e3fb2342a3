"""Behaviours that must hold, by their ids: lagom.data.ReplayBuffer."""

import numpy as np
import pytest
from envs.count_env import CountEnv

from lagom import EpisodeRunner
from lagom.data import ReplayBuffer
from lagom.envs import VecEnv


class TagAgent:
    def choose_action(self, x, **kwargs):
        return {"action": np.zeros(len(x), int), "V": x[:, 0]}


@pytest.mark.parametrize(
    ("env", "terminated"), [(lambda: CountEnv(5, limit=2), False), (lambda: CountEnv(2), True)]
)
def test_BAS_03_time_limits_bootstrap(env, terminated):
    replay = ReplayBuffer(100)
    replay.add(EpisodeRunner()(TagAgent(), VecEnv([env]), 3))

    D = replay.sample(50)
    last = D["next_observation"][:, 0] == 2

    assert last.any()
    assert not last.all()
    assert D["terminated"][last].tolist() == [terminated] * last.sum()
    assert (1 - D["terminated"][last] == (0 if terminated else 1)).all()  # the mask
    assert not D["terminated"][~last].any()
