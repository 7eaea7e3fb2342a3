"""Behaviours that must hold, by their ids: lagom.EpisodeRunner, StepRunner."""

import gymnasium
import numpy as np
import pytest
from envs.count_env import CountEnv

from lagom import EpisodeRunner, StepRunner
from lagom.envs import TimeStepEnv, VecEnv


class TagAgent:
    """Action 0; remembers the shapes and keywords of its calls."""

    def __init__(self):
        self.kwargs, self.shapes = [], []

    def choose_action(self, obs, **kwargs):
        self.kwargs.append(kwargs)
        self.shapes.append(obs.shape)
        return {"action": np.zeros(len(obs), int), "V": obs[:, 0]}


def count(*args, **kwargs):
    return VecEnv([lambda: CountEnv(*args, **kwargs)])


def rewards(D):
    return [pytest.approx(list(tau.rewards), abs=1e-9) for tau in D]


def observations(D):
    return [[float(obs[0]) for obs in tau.observations] for tau in D]


def test_RUN_01_episodes():
    D = EpisodeRunner()(TagAgent(), count(3), 2)

    assert [tau.T for tau in D] == [3, 3]
    assert all(tau.finished for tau in D)
    assert rewards(D) == [[0.1, 0.2, 0.3]] * 2
    assert [tau.get_infos("V") for tau in D] == [[0, 1, 2]] * 2


def test_RUN_04_keywords():
    agent = TagAgent()
    EpisodeRunner()(agent, count(3), 2, mode="eval")

    assert [kwargs["mode"] for kwargs in agent.kwargs] == ["eval"] * 6


def test_RUN_05_single_environments():
    agent, seen = TagAgent(), []
    for make_env in (
        lambda: CountEnv(3),
        lambda: TimeStepEnv(CountEnv(3)),
        lambda: count(3),
    ):
        for runner, num in ((EpisodeRunner(), 2), (StepRunner(), 4)):
            D = runner(agent, make_env(), num)
            seen.append(
                [
                    [[s.observation.tolist(), s.reward, s.done, s.info] for s in tau]
                    + [list(tau.actions), tau.reach_terminal]
                    for tau in D
                ]
            )

    assert seen[:2] == seen[2:4] == seen[4:]
    assert [len(tau) - 2 for tau in seen[0]] == [4, 4]
    assert [len(tau) - 2 for tau in seen[1]] == [4, 2]
    assert {*agent.shapes} == {(1, 1)}


@pytest.mark.parametrize(
    "make_env",
    [lambda: CountEnv(2, limit=2), lambda: gymnasium.wrappers.TimeLimit(CountEnv(2), 2)],
)
def test_RUN_07_terminal_at_the_limit(make_env):
    (tau,) = EpisodeRunner()(TagAgent(), VecEnv([make_env]), 1)

    assert (tau.reach_terminal, tau.reach_time_limit) == (True, False)


def test_RUN_08_steps():
    D = StepRunner(reset_on_call=True)(TagAgent(), count(3), 7)

    assert [tau.T for tau in D] == [3, 3, 1]
    assert [tau.finished for tau in D] == [True, True, False]
    assert rewards(D) == [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.1]]


def test_RUN_10_reset_on_call():
    runner, agent, env = StepRunner(reset_on_call=True), TagAgent(), count(3)
    D = runner(agent, env, 7)

    assert all(tau[0].first() for tau in D)
    assert all(tau[-1].last() for tau in D[:-1])
    assert observations(runner(agent, env, 2)) == [[0, 1, 2]]


def test_RUN_12_calls_continue():
    runner, agent, env = StepRunner(reset_on_call=False), TagAgent(), count(3)

    assert [rewards(runner(agent, env, T)) for T in (2, 2, 3, 1)] == [
        [[0.1, 0.2]],
        [[0.3], [0.1]],
        [[0.2, 0.3], [0.1]],
        [[0.2]],
    ]


def test_RUN_14_a_continuation_begins_where_the_last_call_stopped():
    runner, agent, env = StepRunner(reset_on_call=False), TagAgent(), count(3)
    D = runner(agent, env, 1)
    D2 = runner(agent, env, 3)

    assert len(D[0]) == 2
    assert D2[0][0].first()
    assert D2[0][0].reward is None
    assert D2[0][0].observation == D[0][-1].observation


@pytest.mark.parametrize("T", [1, 2, 3, 4, 7, 30])
@pytest.mark.parametrize("reset_on_call", [True, False])
def test_RUN_16_steps_add_up(T, reset_on_call):
    runner, agent, env = StepRunner(reset_on_call), TagAgent(), count(3)

    for _ in range(3):
        assert sum(tau.T for tau in runner(agent, env, T)) == T
