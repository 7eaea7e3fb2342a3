"""Composition by Hydra once for each choice of groups, then key by key: the same as by Hydra."""

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import open_dict

from lagom.cli.prepare import Composer, register_resolvers, resolve


@pytest.fixture
def loader():
    GlobalHydra.instance().clear()
    register_resolvers()
    return ConfigLoaderImpl(create_config_search_path("pkg://lagom.conf"))


@pytest.fixture
def master(loader):
    return loader.load_configuration("config", [], RunMode.MULTIRUN)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["agent.lr=0.5", "train.timestep=1e3"],
        ["algo=cmaes", "es.popsize=8", "env=Pendulum-v1"],
        ["env=Pendulum-v1", "env.kwargs.g=9.0", "++es.opts={a: 1}"],
        ["agent.hidden_sizes=[8]", "agent.hidden_sizes=[16,16]"],
        ["agent.lr='1e-4'"],
        ["+new.key=3"],
        ["~agent.lam"],
        ["seeds=[1,2]", "name=x"],
    ],
)
def test_equals_what_hydra_composes(loader, master, words):
    composer = Composer(master, loader)
    full = [f"++{w}" if w.startswith("env.kwargs.") else w for w in words]
    cfg = loader.load_sweep_config(master, full)
    with open_dict(cfg):
        del cfg["hydra"]

    config, defaults, problem = composer(words)
    again, _, _ = composer(words)

    assert problem is None
    assert config == resolve(cfg) == again
    assert defaults["train.timestep"] == 100_000


def test_groups_are_composed_once(loader, master, monkeypatch):
    composer, calls = Composer(master, loader), []
    original = loader.load_sweep_config
    monkeypatch.setattr(
        loader, "load_sweep_config", lambda *args: calls.append(args) or original(*args)
    )

    configs = [composer([f"agent.lr={i}"])[0] for i in range(1, 20)]

    assert [config["agent.lr"] for config in configs] == [*range(1, 20)]
    assert len(calls) == 2  # with the groups' words, and the defaults


def test_conditions_see_what_was_chosen(loader, master):
    composer = Composer(master, loader)
    words = [
        "agent.clip=${pick:${env.id},{Pendulum-v1: 0.3, default: 0.1}}",
        """agent.lr=${calc:"agent.clip / 10 if env.id == 'Pendulum-v1' else 1"}""",
    ]

    here, _, _ = composer([*words, "env=Pendulum-v1"])
    there, _, _ = composer(words)

    assert (here["agent.clip"], here["agent.lr"]) == (0.3, pytest.approx(0.03))
    assert (there["agent.clip"], there["agent.lr"]) == (0.1, 1)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("agent.lr=${calc:nothing}", "agent.lr: calc: no such key: nothing in 'nothing'"),
        ("agent.lr=${pick:${env.id},{a: 1}}", "agent.lr: pick: no entry for 'CartPole-v1'"),
        ("agent.lr=${agent.nothing}", "agent.lr: Interpolation key 'agent.nothing' not found"),
        ("agent.lrr=1", "no such key: agent.lrr; did you mean agent.lr"),
    ],
)
def test_what_cannot_be_composed_is_named(loader, master, word, message):
    _, _, problem = Composer(master, loader)([word])

    assert problem.startswith(message)


def test_a_key_without_value_is_known_to_calc(loader, master):
    config, _, _ = Composer(master, loader)(["agent.lr=${calc:'1 if name == None else 2'}"])

    assert config["agent.lr"] == 1
