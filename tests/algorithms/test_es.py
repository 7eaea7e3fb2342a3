import gymnasium
import numpy as np
import probes
import pytest
from configs import flat_config
from gymnasium import spaces
from lagom.algorithms.es.agent import Agent

from lagom import CMAES, ESEngine
from lagom.envs import RecordEpisodeStatistics, VecEnv, make_envs, make_vec_env
from lagom.es import CEM
from lagom.utils import set_global_seeds

STRATEGIES = pytest.mark.parametrize("algo", ["cmaes", "cem", "openaies", "ars", "pgpe", "snes"])


def make(env_class, *words, algo="cmaes", seed=0):
    config = flat_config(f"algo={algo}", *words)
    set_global_seeds(seed)
    env = RecordEpisodeStatistics(make_vec_env(env_class, config["env.num_env"], seed))
    agent = Agent(config, env, "cpu")
    return agent, ESEngine(config, agent=agent, env=env)


def train(env_class, *words, num_iteration=25, **kwargs):
    agent, engine = make(env_class, *words, **kwargs)
    return agent, [engine.train(n) for n in range(num_iteration)]


@STRATEGIES
@pytest.mark.parametrize("words", [[], ["agent.hidden_sizes=[4]"]])
def test_policy_matches_discrete_observations(algo, words):
    words = ["es.episodes=10", "es.popsize=10", *words]
    agent, rows = train(probes.MatchDiscrete, *words, algo=algo)

    assert agent.choose_action(np.array([[-1.0], [1.0]], np.float32))["action"].tolist() == [0, 1]
    assert rows[-1]["return_best_ever"] == 1
    assert rows[-1]["return"] >= 0.9


@pytest.mark.parametrize(
    ("algo", "words"),
    [
        ("cmaes", ["es.episodes=20"]),
        ("cem", ["es.episodes=10", "es.popsize=20", "es.opts.noise_scheduler_args=[0.05,0,15,0]"]),
    ],
)
def test_policy_matches_continuous_observations(algo, words):
    agent, rows = train(probes.MatchBox, *words, algo=algo)
    obs = np.linspace(-1, 1, 5, dtype=np.float32)[:, None]

    np.testing.assert_allclose(agent.choose_action(obs)["action"], 0.5 * obs, atol=0.05)
    assert rows[-1]["return"] > -0.01 > rows[0]["return"]
    assert rows[-1]["sigma"] < 0.5 * rows[0]["sigma"]


def test_strategy_minimizes_the_negated_return(monkeypatch):
    _, engine = make(probes.MatchBox, "es.episodes=3")
    told = []
    tell = engine.es.tell

    def spy(solutions, function_values):
        told.extend(function_values)
        tell(solutions, function_values)

    monkeypatch.setattr(engine.es, "tell", spy)
    row = engine.train(1)

    assert len(told) == engine.es.popsize
    assert min(told) > 0  # rewards are negative here
    assert row["return"] == pytest.approx(-np.mean(told))
    assert row["return_best"] == row["return_best_ever"] == pytest.approx(-min(told))
    assert row["episode"] == row["timestep"] == 3 * len(told)


def test_agent_holds_the_mean_of_the_search():
    agent, engine = make(probes.MatchBox)
    for n in range(3):
        engine.train(n)

        np.testing.assert_allclose(agent.to_vec(), engine.es.result.xfavorite, rtol=1e-6)


@STRATEGIES
def test_two_runs_with_one_seed_are_identical(algo):
    one, rows = train(probes.MatchBox, num_iteration=4, algo=algo)
    two, rows_again = train(probes.MatchBox, num_iteration=4, algo=algo)
    other, _ = train(probes.MatchBox, num_iteration=4, seed=1, algo=algo)

    assert one.to_vec().tolist() == two.to_vec().tolist() != other.to_vec().tolist()
    for row, again in zip(rows, rows_again, strict=True):
        assert all(again[key] == x for key, x in row.items() if not key.endswith("_seconds"))


def test_configuration_reaches_the_strategy():
    words = ["es.popsize=6", "es.sigma0=0.3", "es.opts.CMA_mu=2", "agent.hidden_sizes=[5]"]
    agent, _ = make(probes.MatchBox, *[f"++{w}" if "opts" in w else w for w in words])
    es = agent.make_es()

    assert type(es) is CMAES
    assert (es.popsize, es.sigma0, len(es.ask())) == (6, 0.3, 6)
    assert agent.num_params == len(es.ask()[0]) == 5 + 5 + 5 + 1
    start = es.result.xfavorite
    assert start[:5].all()  # the hidden layer can learn from the first step on
    assert not start[5:].any()  # no action is preferred
    assert agent.config["es.opts"]["CMA_mu"] == 2
    assert agent.config["es.opts"]["implementation"] == "auto"  # not written into
    assert agent.num_trainable_params == 0


def test_configuration_reaches_the_cross_entropy_method():
    words = ["es.popsize=6", "es.sigma0=0.3", "es.opts.elite_ratio=0.5"]
    agent, _ = make(probes.MatchBox, *words, "es.opts.noise_scheduler_args=[0.1,0,9,3]", algo="cem")
    es = agent.make_es()

    assert type(es) is CEM
    assert (es.popsize, es.sigma0, es.num_elite) == (6, 0.3, 3)
    assert (es.noise(3), es.noise(12)) == (0.1, 0.0)
    assert not es.result.xfavorite.any()


def test_the_shipped_noise_is_its_default():
    agent, _ = make(probes.MatchBox, algo="cem")

    assert (
        agent.make_es().opts["noise_scheduler_args"] == CEM([0.0], 1.0).opts["noise_scheduler_args"]
    )


@STRATEGIES
def test_state_goes_on_as_if_nothing_had_happened(algo):
    words = "env=CartPole-v1", "train.timestep=1000"
    make_env = lambda: gymnasium.make("CartPole-v1", disable_env_checker=True)
    _, engine = make(make_env, *words, algo=algo)
    engine.train(1)
    state = engine.state_dict()
    _, again = make(make_env, *words, algo=algo, seed=9)
    again.load_state_dict(state)

    for e in (engine, again):
        e.train(2)
    assert (engine.timestep, engine.episode) == (again.timestep, again.episode)
    assert engine.agent.to_vec().tolist() == again.agent.to_vec().tolist()


# Spaces


class Spaces(probes.ConstantReward):
    def __init__(self, observation_space=None, action_space=None):
        self.observation_space = observation_space or self.observation_space
        self.action_space = action_space or spaces.Discrete(2)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        (
            {"action_space": spaces.MultiDiscrete([2, 2])},
            "action space: got Multi.*expected Discrete",
        ),
        (
            {"action_space": spaces.Box(-1, 1, (2, 2))},
            "action space: got Box.*or Box with one axis",
        ),
        ({"observation_space": spaces.Box(0, 1, (3, 4))}, "observation space: got Box.*vectors"),
        ({"observation_space": spaces.Discrete(3)}, "observation space: got Discrete.*vectors"),
    ],
)
def test_spaces_that_do_not_fit_are_refused(kwargs, message):
    with pytest.raises(ValueError, match=message):
        Agent(flat_config("algo=cmaes"), VecEnv([lambda: Spaces(**kwargs)]), "cpu")


def test_actions_begin_where_the_space_does():
    env = VecEnv([lambda: Spaces(action_space=spaces.Discrete(3, start=-1))])
    agent = Agent(flat_config("algo=cmaes"), env, "cpu")
    agent.from_vec(np.array([0, 0, 0, 1, 2, 3.0]))

    assert agent.choose_action(np.zeros((2, 1), np.float32))["action"].tolist() == [1, 1]


# Learning


@pytest.mark.slow
@STRATEGIES
def test_solves_cartpole(algo):
    """The greedy policy at the end of the budget; every one of five seeds."""
    returns = []
    for seed in range(1, 6):
        config = flat_config(f"algo={algo}", "env=CartPole-v1")
        set_global_seeds(seed)
        env, eval_env = make_envs(config, seed)
        agent = Agent(config, env, "cpu")
        engine = ESEngine(config, agent=agent, env=env, eval_env=eval_env)
        while engine.timestep < config["train.timestep"]:
            engine.train()
        returns.append(engine.eval()["return"])

    assert min(returns) >= 475
