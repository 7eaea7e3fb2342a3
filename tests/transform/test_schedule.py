import numpy as np
import pytest

from lagom.transform.schedule import LinearSchedule


def test_values_of_the_reference():
    schedule = LinearSchedule(initial=1.0, final=0.1, N=3, start=0)

    assert [schedule(i) for i in range(6)] == [1.0, 0.7, 0.4, 0.1, 0.1, 0.1]


def test_starts_late():
    schedule = LinearSchedule(0.0, 1.0, N=4, start=2)

    assert [schedule(i) for i in range(8)] == [0, 0, 0, 0.25, 0.5, 0.75, 1, 1]


def test_numpy_timestep():
    assert LinearSchedule(1.0, 0.1, 3)(np.int64(1)) == pytest.approx(0.7, abs=1e-12)
    assert type(LinearSchedule(1.0, 0.1, 3)(np.int64(1))) is float


def test_remembers_the_last_value():
    schedule = LinearSchedule(1.0, 0.0, 4)
    assert schedule.get_current() is None

    schedule(3)

    assert schedule.get_current() == 0.25


def test_state_survives():
    schedule, other = LinearSchedule(1.0, 0.0, 4), LinearSchedule(1.0, 0.0, 4)
    schedule(1)

    other.load_state_dict(schedule.state_dict())

    assert other.get_current() == 0.75


@pytest.mark.parametrize("N", [0, -1])
def test_refuses_no_steps(N):
    with pytest.raises(ValueError, match=f"N is {N}; expected a positive number"):
        LinearSchedule(1.0, 0.1, N, 0)


def test_refuses_a_negative_start():
    with pytest.raises(ValueError, match="start is -1; expected a timestep, 0 or later"):
        LinearSchedule(1.0, 0.1, 10, -1)


def test_refuses_a_negative_timestep():
    with pytest.raises(ValueError, match="timestep is -1; expected 0 or later"):
        LinearSchedule(1.0, 0.1, 10, 0)(-1)
