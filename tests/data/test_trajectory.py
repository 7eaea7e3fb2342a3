import numpy as np
import pytest

from lagom.data import StepType, TimeStep, Trajectory

FIRST, MID, LAST = StepType.FIRST, StepType.MID, StepType.LAST


def episode(last_info=None):
    """Observations 0, 1, 2; actions a, b; rewards 0.1, 0.2; terminal by default."""
    tau = Trajectory()
    tau.add(TimeStep(FIRST, 0, None, None, None), None)
    tau.add(TimeStep(MID, 1, 0.1, False, {"V": 1}), "a")
    tau.add(TimeStep(LAST, 2, 0.2, True, last_info or {}), "b")
    return tau


def from_arrays(terminated=False, truncated=False):
    return Trajectory(
        observations=np.array([[0.0], [1.0], [2.0]], np.float32),
        actions=np.array([7, 8]),
        rewards=np.array([0.1, 0.2]),
        terminated=terminated,
        truncated=truncated,
        extras={"V": np.array([5.0, 6.0])},
    )


def test_empty():
    tau = Trajectory()

    assert (len(tau), tau.T, tau.dones, tau.infos) == (0, 0, [], [])
    assert (tau.finished, tau.reach_terminal, tau.reach_time_limit) == (False, False, False)


def test_two_trajectories_share_nothing():
    episode()

    assert len(Trajectory()) == 0


def test_the_stream_is_the_first_unless_told():
    assert Trajectory().stream == episode().stream == 0
    assert Trajectory(stream=3).stream == 3


def test_built_by_hand():
    tau = episode()

    assert (len(tau), tau.T) == (3, 2)
    assert tau.observations == [0, 1, 2]
    assert tau.actions == ["a", "b"]
    assert tau.rewards == [0.1, 0.2]
    assert tau.dones == [False, True]
    assert tau.transitions == [[0, "a", 1, 0.1, False], [1, "b", 2, 0.2, True]]
    assert tau.infos == [{"V": 1}, {}]
    assert tau.get_infos("V") == [1]  # steps without it are passed over


def test_one_time_step_is_no_transition():
    tau = Trajectory()
    tau.add(TimeStep(FIRST, 0, None, None, None), None)

    assert (len(tau), tau.T, tau.dones) == (1, 0, [])
    with pytest.raises(ValueError, match=r"Trajectory.transitions: T is 0; expected at least one"):
        _ = tau.transitions


@pytest.mark.parametrize(
    ("last_info", "terminal"),
    [({}, True), ({"TimeLimit.truncated": False}, True), ({"TimeLimit.truncated": True}, False)],
)
def test_a_time_limit_is_not_terminal(last_info, terminal):
    tau = episode(last_info)

    assert tau.finished
    assert (tau.reach_terminal, tau.reach_time_limit) == (terminal, not terminal)


def test_additions_that_cannot_be():
    first, mid = TimeStep(FIRST, 0, None, None, None), TimeStep(MID, 1, 0.1, False, {})
    with pytest.raises(ValueError, match=r"got TimeStep\(MID\).*expected a FIRST time step"):
        Trajectory().add(mid, None)
    with pytest.raises(
        ValueError, match="with action 'a'; expected a FIRST time step and action N"
    ):
        Trajectory().add(first, "a")
    with pytest.raises(ValueError, match="the episode is over; expected a new Trajectory"):
        episode().add(mid, "c")
    tau = Trajectory()
    tau.add(first, None)
    with pytest.raises(ValueError, match="action is None; expected the one that led here"):
        tau.add(mid, None)
    assert (len(tau), tau.T) == (1, 0)


def test_indexing_gives_time_steps():
    tau = episode()

    assert tau[0].first()
    assert tau[-1].last()
    assert all(step.mid() for step in tau[1:-1])
    assert [step.observation for step in tau] == [0, 1, 2]
    assert [step.reward for step in tau[::-1]] == [0.2, 0.1, None]
    assert (tau[1].reward, tau[1].done, tau[1]["V"]) == (0.1, False, 1)
    for index in (3, -4):
        with pytest.raises(IndexError):
            tau[index]


@pytest.mark.parametrize(
    ("terminated", "truncated", "terminal", "time_limit"),
    [
        (False, False, False, False),  # a fragment
        (True, False, True, False),
        (False, True, False, True),
        (True, True, True, False),  # both at once: it is over
    ],
)
def test_made_of_arrays(terminated, truncated, terminal, time_limit):
    tau = from_arrays(terminated, truncated)

    assert (len(tau), tau.T) == (3, 2)
    assert (tau.reach_terminal, tau.reach_time_limit) == (terminal, time_limit)
    assert tau.finished == (terminal or time_limit)
    assert tau.dones == [False, tau.finished]
    assert tau.get_infos("V") == [5.0, 6.0]
    assert tau[0].first()
    assert tau[1].mid()
    if tau.finished:
        assert (tau[2].terminal(), tau[2].time_limit()) == (terminal, time_limit)
    else:
        assert tau[2].mid()


def test_indexing_arrays_gives_the_same_time_steps():
    tau = from_arrays(terminated=True)

    assert [float(step.observation[0]) for step in tau] == [0.0, 1.0, 2.0]
    assert [step.reward for step in tau] == [None, 0.1, 0.2]
    assert tau[2].info == {"V": 6.0, "TimeLimit.truncated": False}
    assert tau.transitions[1] == [1.0, 8, 2.0, 0.2, True]


def test_repr():
    assert repr(episode()) == (
        "Trajectory(T=2, finished=True, reach_time_limit=False, reach_terminal=True)"
    )
