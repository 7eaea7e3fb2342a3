import gymnasium
import numpy as np
import pytest

from lagom.envs import make
from lagom.envs.check import check_env
from lagom.envs.probes import Clock, MatchBox, MatchDiscrete, MatchLater


@pytest.mark.parametrize("continuous", [False, True])
def test_match(continuous):
    env = MatchDiscrete(continuous)
    earned = []
    for k in range(20):
        obs, _ = env.reset(seed=k)
        right = np.array([0.3 * obs[0]]) if continuous else int(obs[0] > 0)
        wrong = -right if continuous else 1 - right
        _, reward, terminated, truncated, _ = env.step(wrong if k % 2 else right)
        earned.append(reward)
        assert (terminated, truncated) == (True, False)
    assert earned == [1.0, 0.0] * 10


def test_match_later_pays_with_the_second_step():
    env = MatchLater()
    for k in range(10):
        obs, _ = env.reset(seed=k)
        obs, reward, terminated, *_ = env.step(int(obs[0] > 0) if k % 2 else int(obs[0] < 0))
        assert (obs[0], reward, terminated) == (0.5 if k % 2 else -0.5, 0.0, False)
        assert env.step(0)[1:3] == (float(k % 2), True)


def test_match_box():
    env = MatchBox()
    obs, _ = env.reset(seed=0)
    assert env.step(0.5 * obs)[1:4] == (0.0, True, False)
    obs, _ = env.reset(seed=1)
    assert env.step(0.5 * obs + 0.2)[1] == pytest.approx(-0.04)


def test_clock():
    env = Clock()
    env.reset()
    assert env.step(0)[1:4] == (0.5, False, True)
    assert env.step(1)[1:4] == (0.6, True, False)
    assert Clock(continuous=True).action_space.shape == (1,)


def test_they_have_names_and_are_sound(monkeypatch):
    monkeypatch.setattr("lagom.envs.check_life._SPEED_SECONDS", 0.01)
    monkeypatch.setattr("lagom.envs.check_life.travel", lambda make: "not tried")
    assert isinstance(make("lagom.envs.probes:Clock-v0").unwrapped, Clock)
    names = [name for name, spec in gymnasium.registry.items() if spec.entry_point in PROBES]
    assert len(names) == 7
    for name in names:
        assert "failed" not in {r.outcome for r in check_env(f"lagom.envs.probes:{name}")}, name


PROBES = {
    spec.entry_point
    for name, spec in gymnasium.registry.items()
    if getattr(spec.entry_point, "__module__", "") == "lagom.envs.probes"
}
