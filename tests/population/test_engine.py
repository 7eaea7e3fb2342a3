import sys

import numpy as np
import probes
import pytest
from configs import flat_config
from lagom.algorithms.es.agent import Agent
from populations import build, columns

from lagom.envs import RecordEpisodeStatistics, make_vec_env
from lagom.experiment.job import resolve
from lagom.population import ESEngine
from lagom.population.evaluate import bare
from lagom.utils import set_global_seeds


def spy(engine, monkeypatch):
    """What the strategy will be told."""
    told, tell = [], engine.es.tell

    def listen(solutions, function_values):
        told.append(np.array(function_values))
        tell(solutions, function_values)

    monkeypatch.setattr(engine.es, "tell", listen)
    return told


@pytest.mark.parametrize("algo", ["openaies", "ars", "pgpe", "snes", "cem", "cmaes"])
def test_returns_change_their_sign_once(algo, monkeypatch):
    engine = build(algo=algo)
    told = spy(engine, monkeypatch)
    row = engine.train(1)

    assert (told[0] < 0).all()  # every step of CartPole earns one
    assert row["return"] == pytest.approx(-told[0].mean())
    assert row["return_best"] == row["return_best_ever"] == -told[0].min()
    assert row["timestep"] == -told[0].sum()


def test_the_survival_bonus_is_the_strategys_business(monkeypatch):
    engine = build("es.survival_bonus=1.0")
    told = spy(engine, monkeypatch)
    row = engine.train(1)

    assert told[0].tolist() == [0.0] * 8  # of CartPole nothing else is left
    assert row["return"] > 5


def test_common_seeds_give_all_candidates_the_same_episodes():
    class Luck(probes.ConstantReward):
        def reward(self, action):
            return float(self.np_random.normal())

    for common in (False, True):
        config = flat_config("algo=ars", f"es.common_seeds={common}", "env.normalize_obs=false")
        set_global_seeds(0)
        env = RecordEpisodeStatistics(make_vec_env(Luck, 3, 0))
        engine = ESEngine(config, agent=Agent(config, env, "cpu"), env=env)
        out = engine._evaluate(engine._generation(engine.es.recipe), 16, engine._seeds(16, 4))

        assert len(np.unique(out.returns)) == (4 if common else 64)
    assert not np.array_equal(engine._seeds(16, 4), engine._seeds(16, 4))  # the next generation's


def test_moments_are_those_of_all_candidates_and_move_between_generations():
    engine = build("es.survival_bonus=0.0")
    assert engine.moments is engine.eval_env.obs_moments
    steps = engine.train(1)["timestep"]

    assert engine.moments.n == steps
    first = engine.moments.mean
    assert first.any()
    engine.eval(1)
    assert engine.moments.mean is first
    engine.train(2)
    assert (engine.moments.mean != first).all()


@pytest.mark.parametrize("num_env", [1, 5, 30])
def test_results_do_not_depend_on_how_many_play_side_by_side(num_env):
    rows = [build(f"env.num_env={n}", "es.episodes=2").train(1) for n in (3, num_env)]

    assert columns(rows)[0] == columns(rows)[1]


@pytest.mark.parametrize("env", ["Hopper-v2", "CartPole-v1"])
def test_results_do_not_depend_on_the_backend(env):
    words = f"env={env}", "es.sigma0=0.5", "env.normalize_obs=true", "es.opts.lr=0.3"
    one, two = (build(*words, f"env.backend={name}") for name in ("auto", "serial"))
    rows = [[e.train(n) for n in (1, 2)] for e in (one, two)]

    assert type(bare(one.env).unwrapped) is not type(bare(two.env).unwrapped)
    assert columns(rows[0]) == columns(rows[1])
    assert one.agent.to_vec().tolist() == two.agent.to_vec().tolist()
    assert one.moments.mean.tolist() == two.moments.mean.tolist()


def test_state_goes_on_as_if_nothing_had_happened():
    one, two = build(), build(seed=9)
    one.train(1)
    two.load_state_dict(one.state_dict())
    rows = [[e.train(n) for n in (2, 3)] for e in (one, two)]

    assert columns(rows[0]) == columns(rows[1])
    assert one.agent.to_vec().tolist() == two.agent.to_vec().tolist()
    assert one.eval(3)["returns"] == two.eval(3)["returns"]
    one.restart(3)
    assert columns([one.train(4)]) == columns([two.train(4)])


def test_it_is_still_found_where_it_was():
    assert resolve({"algo.engine": "lagom.engine:ESEngine"}, "algo.engine") is ESEngine
    with pytest.raises(ImportError, match="cannot import name 'EsEngine' from 'lagom.engine'"):
        from lagom.engine import EsEngine  # noqa: F401


def test_ray_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)

    with pytest.raises(ImportError, match=r"ray is not installed; pip install 'lagom\[ray\]'"):
        build("es.executor=ray").train(1)
