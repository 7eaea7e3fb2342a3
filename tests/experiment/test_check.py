import pytest
import torch
from configs import compose
from lagom.algorithms.ppo.agent import Agent

from lagom.experiment import check
from lagom.experiment.check import check_algo


class NoBootstrap(Agent):
    """Takes a time limit for the end."""

    def learn(self, D, **kwargs):
        for tau in D:
            tau.terminated, tau.truncated = tau.terminated or tau.truncated, False
        return super().learn(D, **kwargs)


class Uphill(Agent):
    """Climbs the loss."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for group in self.optimizer.param_groups:
            group["maximize"] = True


class Forgets(Agent):
    """Its optimizer is left out of its state."""

    def set_extra_state(self, state):
        self.rng.bit_generator.state = state["rng"]


class Unseeded(Agent):
    def choose_action(self, x, **kwargs):
        self.rng = __import__("numpy").random.default_rng()
        return super().choose_action(x, **kwargs)


class Fails(Agent):
    def learn(self, D, **kwargs):
        raise ZeroDivisionError("no steps")


class Diverges(Agent):
    def learn(self, D, **kwargs):
        return {**super().learn(D, **kwargs), "policy_loss": float("nan")}


class Refuses(Agent):
    def __init__(self, config, env, device, **kwargs):
        raise ValueError("Refuses: it takes nothing; expected something")


def outcomes(kind, **values):
    torch.set_num_threads(1)
    name = f"{__name__}:{kind.__name__}"
    config = compose("ppo", **values) | {"algo.agent": name}
    return {row[0]: row[1:] for row in check_algo(config, values)}


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """Agents of this file; discrete actions only, and few steps."""
    resolve = check.resolve
    local = lambda config, key: globals().get(config[key].partition(":")[2]) or resolve(config, key)
    monkeypatch.setattr(check, "resolve", local)
    build = check._build

    def discrete(config):
        if config["env.kwargs"]:
            raise ValueError("not here")
        return build(config)

    monkeypatch.setattr(check, "_build", discrete)


@pytest.mark.slow
def test_ppo_passes():
    found = outcomes(Agent, **{"train.timestep": 6000})

    assert list(found) == [
        "make",
        *(f"{name}, discrete" for name in ("same seed", "resume", "match", "match later", "clock")),
    ]
    assert found["make"] == ("ok", "takes discrete actions", "")
    assert {row[0] for row in found.values()} == {"ok"}
    assert found["match, discrete"][1] == "return 1 of 1"


@pytest.mark.parametrize(
    ("kind", "name", "detail"),
    [
        pytest.param(
            NoBootstrap, "clock", "it takes a time limit for the end", marks=pytest.mark.slow
        ),
        (Uphill, "match", "after 512 steps; expected 0.95 or more"),
        (Forgets, "resume", "resumed, it goes on differently"),
        (Unseeded, "same seed", "two runs with one seed differ"),
        (Fails, "match", "ZeroDivisionError: no steps"),
        (Diverges, "match", "FloatingPointError: policy_loss not finite at timestep 128"),
    ],
)
def test_mistakes_are_found(kind, name, detail):
    steps = 4096 if kind is NoBootstrap else 512
    found = outcomes(kind, **{"train.timestep": steps, "agent.gradient": "autograd"})

    outcome, text, advice = found[f"{name}, discrete"]
    assert outcome == "failed"
    assert detail in text
    assert advice


def test_an_agent_that_takes_nothing():
    found = outcomes(Refuses)

    assert list(found) == ["make"]
    assert found["make"][0] == "failed"
    assert found["make"][1].startswith("discrete: Refuses: it takes nothing; expected something")
