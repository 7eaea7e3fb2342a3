import gymnasium
import numpy as np
import pytest
from configs import flat_config
from lagom.algorithms.es.point import Agent

from lagom.envs import make_envs
from lagom.es import PROBLEMS
from lagom.population import BlackBoxEngine
from lagom.population.problem_env import ProblemEnv
from lagom.utils import set_global_seeds

ALGOS = ["openaies", "ars", "pgpe", "snes", "cem", "cmaes"]


def build(*words, algo="cmaes", problem="sphere", seed=0):
    config = flat_config(f"algo={algo}", f"problem={problem}", *words)
    config["env.kwargs"] = {"dim": config["problem.dim"]}  # not resolved here
    set_global_seeds(seed)
    env, eval_env = make_envs(config, seed)
    agent = Agent(config, env, "cpu")
    return BlackBoxEngine(config, agent=agent, env=env, eval_env=eval_env)


def columns(row):
    return {k: v for k, v in row.items() if not k.endswith("_seconds")}


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_has_its_file(problem):
    engine = build("problem.dim=3", problem=problem)
    row = engine.train(1)

    assert engine.es.sigma0 == PROBLEMS[problem].sigma0
    assert row["timestep"] == engine.es.popsize
    assert row["f_best"] == row["f_best_ever"] >= 0
    assert row["return"] <= -row["f_best"]
    assert np.abs(engine.es.x0).max() <= PROBLEMS[problem].width


def test_the_evaluation_that_hits_the_target_is_recorded():
    engine = build("problem.dim=4", "problem.target=1e-3")
    values, f = [], engine.f
    engine.f = lambda x: values.extend(f(x).tolist()) or f(x)
    rows = [engine.train(n) for n in range(150)]
    first = next(i for i, value in enumerate(values, 1) if value <= 1e-3)

    hits = [row["target_evaluations"] for row in rows]
    assert set(hits) == {0, first}
    assert hits.index(first) == next(i for i, row in enumerate(rows) if row["timestep"] >= first)
    assert rows[-1]["f_best_ever"] < 1e-12  # float64: float32 would end at 1e-14 of 1
    evaluation = engine.eval(1)
    assert evaluation["return"] == -f(engine.es.result.xfavorite[None])[0]
    np.testing.assert_array_equal(engine.agent.to_vec(), engine.es.result.xfavorite)


@pytest.mark.parametrize("algo", ALGOS)
def test_state_goes_on_as_if_nothing_had_happened(algo):
    one, two = build(algo=algo), build(algo=algo, seed=9)
    one.train(1)
    one.hit = 3
    two.load_state_dict(one.state_dict())
    one.restart(7)

    for n in (2, 3):
        assert columns(one.train(n)) == columns(two.train(n))
    assert columns(one.eval(3)) == columns(two.eval(3))


def test_as_an_environment_it_is_one_step():
    env = gymnasium.make("rosenbrock", dim=3)
    env.reset(seed=0)
    _, reward, terminated, truncated, _ = env.step(np.array([1.0, 2.0, 4.0]))

    assert (reward, terminated, truncated) == (-(100 + 0 + 0 + 1), True, False)
    assert env.action_space.high.tolist() == [2.0] * 3


def test_the_return_of_a_solved_function_has_no_minus():
    env = gymnasium.make("sphere", dim=2)
    env.reset(seed=0)
    engine = build("problem.dim=2")
    engine.f = lambda x: np.zeros(len(x))

    returns = [env.step(np.zeros(2))[1], engine.train(1)["return"], engine.eval(1)["return"]]
    assert [str(x) for x in returns] == ["0.0"] * 3


def test_the_point_acts_on_the_scale_of_actions():
    engine = build("problem.dim=2", problem="rastrigin")
    engine.agent.from_vec(np.array([5.0, -2.5]))

    action = engine.agent.choose_action(np.zeros((3, 1)))["action"]
    np.testing.assert_allclose(action, [[1.0, -0.5]] * 3)
    assert engine.agent.learn([]) == {}


def test_refusals():
    with pytest.raises(ValueError, match="ProblemEnv: problem is 'hill'; expected one of ackley, "):
        ProblemEnv("hill")
    with pytest.raises(ValueError, match="ProblemEnv: dim is 0; expected at least 1"):
        ProblemEnv("sphere", dim=0)
