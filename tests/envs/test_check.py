import threading

import pytest
from envs import broken

from lagom.envs import check_life
from lagom.envs.check import check_env
from lagom.envs.check_life import NAMES

ALL = ["make", "spaces", "reset", "step", "observations", "rewards", "actions", *NAMES]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(check_life, "_SPEED_SECONDS", 0.01)
    monkeypatch.setattr(check_life, "_MAX_STEP", 500)


@pytest.fixture
def stay(monkeypatch):
    """Without the check that starts a process, which most mistakes have nothing to do with."""
    monkeypatch.setattr(check_life, "travel", lambda make: "not tried")


def failures(results):
    return {r.name: (r.detail, r.advice) for r in results if r.outcome == "failed"}


def test_a_good_environment_passes():
    results = check_env(broken.Good, render=True)

    assert [r.name for r in results] == [*ALL, "rendering"]
    assert failures(results) == {}
    found = {r.name: r.detail for r in results}
    assert found["observations"] == "300 inside the space"
    assert found["rendering"] == "6 x 4 pixels"
    assert "terminated" in found["episodes"]
    notes = {r.name: r.advice for r in results if r.outcome == "note"}
    assert notes == {
        "capture": "a run with checkpoints begins new, seeded episodes at each, resumed or not"
    }


def test_ids_and_known_states(stay):
    results = {r.name: r for r in check_env("Pendulum-v1", {"g": 9.0})}

    assert {r.outcome for r in results.values()} == {"ok"}
    assert results["capture"].detail == "exact"
    assert results["episodes"].detail == "200 steps; 0 terminated, 4 truncated of 4"
    (first, *rest) = check_env("Pendulum-v9")
    assert (first.name, first.outcome) == ("make", "failed")
    assert first.detail.startswith("make: there is no environment 'Pendulum-v9'; the nearest are")
    assert {(r.outcome, r.detail) for r in rest} == {("skipped", "make failed")}
    assert [r.name for r in rest] == ALL[1:]


@pytest.mark.parametrize(
    ("kind", "name", "detail", "advice"),
    [
        (broken.NoRobot, "make", "OSError: robot.xml: no such file", ""),
        (broken.Words, "spaces", "Text(1, 9, charset", "use Box, Discrete, MultiDiscrete"),
        (broken.Unbounded, "spaces", "has infinite bounds", "give low and high"),
        (broken.Names, "spaces", "of a kind no algorithm here knows", "use Discrete or Box"),
        (broken.OldReset, "reset", "an observation alone", "return (observation, info)"),
        (broken.NoInfo, "reset", "reset returned None as info", "{} for nothing"),
        (broken.OldStep, "step", "step returned 4 values", "truncated if time was up"),
        (broken.Flags, "step", "terminated is 0", "return True or False"),
        (broken.Precision, "observations", "is float64, its space float32", "astype(np.float32)"),
        (broken.Shape, "observations", "has shape (1, 2), its space (2,)", "make them the same"),
        (broken.Outside, "observations", "is outside its space Box", "widen low and high"),
        (broken.Infinite, "observations", "is not finite: [", "divisions by zero"),
        (broken.NoReward, "rewards", "reward is nan", "return finite numbers"),
        (broken.Rewards, "rewards", "reward is array([", "float(reward)"),
        (broken.Doubles, "actions", "step changed the action it was given", "copy it first"),
        (broken.OwnDraws, "seeding", "differ at the observation of the reset", "self.np_random"),
        (broken.Remembers, "seeding", "after other episodes begins something else", "let reset"),
        (broken.GlobalDraws, "randomness", "stream of random and np.random", "self.np_random"),
        (broken.Shared, "independence", "differently while another one is", "not in the class"),
        (broken.TimeIsDeath, "episodes", "terminated after exactly 30 steps", "truncated=True"),
        (broken.Endless, "episodes", "no episode ended in", "max_episode_steps"),
        (broken.OneLife, "autoreset", "RuntimeError: give me a seed", "raised in broken.py, line"),
        (broken.Floats, "rendering", "float64 of shape (4, 6, 3)", "np.uint8"),
        (broken.Blank, "rendering", "render returned None", "[height, width, 3]"),
        (broken.CloseOnce, "close", "RuntimeError: the window is closed", "raised in broken.py"),
    ],
)
def test_each_mistake_is_told_with_advice(stay, kind, name, detail, advice):
    found = failures(check_env(kind, render=name == "rendering"))

    assert name in found
    assert detail in found[name][0]
    assert advice in found[name][1]


def test_what_depends_on_the_process_is_told():
    found = failures(check_env(broken.Local))

    assert list(found) == ["travel"]
    assert found["travel"][0] == "in another process the same seed and actions give other numbers"


def test_a_check_that_takes_too_long_fails(monkeypatch):
    monkeypatch.setattr("lagom.envs.check._SECONDS", 0.2)

    def hang():
        threading.Event().wait()

    (first, *_) = check_env(hang)
    assert (first.name, first.detail) == ("make", "TimeoutError: no end after 0.2 s")


def test_slow_steps_are_noted(stay, monkeypatch):
    monkeypatch.setattr(check_life, "_SLOW_STEP", 0.0)
    (speed,) = (r for r in check_env(broken.Good) if r.name == "speed")

    assert (speed.outcome, speed.advice) == ("note", "slow: env.backend=async may pay")
    assert speed.detail.endswith("ms each")
