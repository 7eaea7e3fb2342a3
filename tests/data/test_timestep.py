import pytest

from lagom.data.timestep import StepType, TimeStep

FIRST, MID, LAST = StepType.FIRST, StepType.MID, StepType.LAST


def test_step_types_are_numbers():
    assert (int(FIRST), int(MID), int(LAST)) == (0, 1, 2)


@pytest.mark.parametrize(
    ("timestep", "expected"),
    [
        (TimeStep(FIRST, 0.0, None, None, None), "first"),
        (TimeStep(MID, 0.0, 1.0, False, {}), "mid"),
        (TimeStep(LAST, 0.0, 1.0, True, {}), "last terminal"),
        (TimeStep(LAST, 0.0, 1.0, True, {"TimeLimit.truncated": False}), "last terminal"),
        (TimeStep(LAST, 0.0, 1.0, True, {"TimeLimit.truncated": True}), "last time_limit"),
    ],
)
def test_predicates(timestep, expected):
    names = ("first", "mid", "last", "time_limit", "terminal")

    assert {name: getattr(timestep, name)() for name in names} == {
        name: name in expected.split() for name in names
    }


def test_contradictions_are_refused():
    with pytest.raises(ValueError, match="TimeStep: the first step has reward 1.0"):
        TimeStep(FIRST, 0.0, 1.0, None, None).first()
    with pytest.raises(ValueError, match="TimeStep: the last step has done False"):
        TimeStep(LAST, 0.0, 1.0, False, {}).last()


def test_indexing_reads_info():
    assert TimeStep(MID, 0.0, 1.0, False, {"V": 3})["V"] == 3
    with pytest.raises(KeyError, match="V"):
        TimeStep(MID, 0.0, 1.0, False, {})["V"]


def test_repr():
    assert [repr(TimeStep(kind, 0.0, 1.0, False, {})) for kind in StepType] == [
        "TimeStep(FIRST)",
        "TimeStep(MID)",
        "TimeStep(LAST)",
    ]
