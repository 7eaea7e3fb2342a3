"""Behaviours that must hold, by their ids: lagom.StepType, TimeStep, Trajectory."""

import pytest

from lagom import StepType, TimeStep, Trajectory

FIRST, MID, LAST = StepType.FIRST, StepType.MID, StepType.LAST


def predicates(step):
    return [step.first(), step.mid(), step.last(), step.time_limit(), step.terminal()]


def episode(*infos):
    """Observations 0, 1, 2; actions a, b; rewards 0.1, 0.2; terminal."""
    info, last_info = infos or ({}, {})
    tau = Trajectory()
    tau.add(TimeStep(FIRST, 0, None, None, None), None)
    tau.add(TimeStep(MID, 1, 0.1, False, info), "a")
    tau.add(TimeStep(LAST, 2, 0.2, True, last_info), "b")
    return tau


def test_DAT_01_step_types():
    assert [int(FIRST), int(MID), int(LAST)] == [0, 1, 2]


def test_DAT_02_first_step():
    step = TimeStep(FIRST, 0, None, None, None)

    assert predicates(step) == [True, False, False, False, False]


def test_DAT_04_last_step():
    assert predicates(TimeStep(LAST, 0, 1.0, True, {})) == [False, False, True, False, True]


def test_DAT_06_not_truncated():
    step = TimeStep(LAST, 0, 1.0, True, {"TimeLimit.truncated": False})

    assert (step.time_limit(), step.terminal()) == (False, True)


def test_DAT_07_contradictions():
    with pytest.raises(ValueError, match="first step has reward 1.0"):
        TimeStep(FIRST, 0, 1.0, None, None).first()
    with pytest.raises(ValueError, match="last step has done False"):
        TimeStep(LAST, 0, 1.0, False, {}).last()


def test_DAT_08_indexing_and_repr():
    step = TimeStep(MID, 0, 1.0, False, {"V": 3})

    assert step["V"] == 3
    assert repr(step) == "TimeStep(MID)"


def test_DAT_09_empty_trajectory():
    tau = Trajectory()

    assert (len(tau), tau.T) == (0, 0)
    assert (tau.finished, tau.reach_terminal, tau.reach_time_limit) == (False, False, False)


def test_DAT_11_trajectory_of_one_step():
    tau = Trajectory()
    tau.add(TimeStep(FIRST, 0, None, None, None), None)

    assert (len(tau), tau.T) == (1, 0)
    with pytest.raises(ValueError, match="action is None"):
        tau.add(TimeStep(MID, 1, 0.1, False, {}), None)


def test_DAT_13_views():
    tau = episode()

    assert (len(tau), tau.T) == (3, 2)
    assert tau.observations == [0, 1, 2]
    assert tau.actions == ["a", "b"]
    assert tau.rewards == [0.1, 0.2]
    assert tau.dones == [False, True]


def test_DAT_15_transitions():
    assert episode().transitions == [[0, "a", 1, 0.1, False], [1, "b", 2, 0.2, True]]


def test_DAT_16_infos():
    tau = episode({"V": 1}, {})

    assert tau.get_infos("V") == [1]
    assert len(tau.infos) == 2


def test_DAT_18_slices():
    tau = episode()

    assert tau[0].first()
    assert tau[-1].last()
    assert [step.mid() for step in tau[1:-1]] == [True]
