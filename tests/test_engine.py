import math

import numpy as np
import pytest
from envs.count_env import CountEnv

from lagom import BaseAgent, BaseEngine, ESEngine, OffPolicyEngine, OnPolicyEngine
from lagom.data import ReplayBuffer
from lagom.envs import RecordEpisodeStatistics, VecEnv
from lagom.es import BaseES, Result
from lagom.networks import Linear

CONFIG = {"train.num_step": 4, "eval.episodes": 3, "es.episodes": 2}


class Spy(BaseAgent):
    """Notes what it was asked; one weight and one bias, which no action depends on."""

    def __init__(self, env):
        super().__init__(CONFIG, env, "cpu")
        self.layer = Linear(1, 1)
        self.modes, self.learned, self.timesteps = [], [], []

    def choose_action(self, x, **kwargs):
        self.modes.append("train" if self.training else "eval")
        return {"action": np.zeros(len(x), int)}

    def learn(self, D, timestep, **kwargs):
        self.learned.append([tau.T for tau in D])
        self.timesteps.append(timestep)
        return {"loss": 0.5}


def make_env(n=3, B=2, seeds=None):
    return RecordEpisodeStatistics(VecEnv([lambda: CountEnv(n)] * B, seeds=seeds))


def on_policy(**kwargs):
    env = make_env(**kwargs)
    return OnPolicyEngine(CONFIG, agent=Spy(env), env=env, eval_env=make_env(B=2, seeds=[7, 8]))


# BaseEngine


def test_base_engine():
    class Engine(BaseEngine):
        def train(self, n=None, **kwargs):
            return {}

    config = {}
    engine = Engine(config, agent=1, env=2)

    assert engine.config is config
    assert (engine.agent, engine.env, engine.eval_env) == (1, 2, None)
    assert (engine.timestep, engine.episode) == (0, 0)
    with pytest.raises(TypeError, match="abstract"):
        BaseEngine(config)


# OnPolicyEngine


def test_rows():
    """Two environments of 3 steps, 4 steps each an iteration: they end after 3, 6, 9, 12."""
    engine = on_policy()
    rows = [engine.train(n) for n in (1, 2, 3)]

    assert [row["iteration"] for row in rows] == [1, 2, 3]
    assert [row["timestep"] for row in rows] == [8, 16, 24]
    assert [row["episode"] for row in rows] == [2, 4, 8]
    np.testing.assert_allclose([row["return"] for row in rows], 0.6)
    assert [row["length"] for row in rows] == [3, 3, 3]
    assert [row["loss"] for row in rows] == [0.5] * 3
    assert len({tuple(row) for row in rows}) == 1
    assert all(row["collect_seconds"] >= 0 <= row["learn_seconds"] for row in rows)


def test_return_is_nan_where_no_episode_ended():
    engine = on_policy(n=10)
    rows = [engine.train(n) for n in (1, 2, 3)]

    assert [row["episode"] for row in rows] == [0, 0, 2]
    assert [math.isnan(row["return"]) for row in rows] == [True, True, False]
    assert [math.isnan(row["length"]) for row in rows] == [True, True, False]
    assert len({tuple(row) for row in rows}) == 1


def test_it_learns_from_what_was_just_collected():
    engine = on_policy()
    engine.train(1), engine.train(2)

    assert [sorted(Ts) for Ts in engine.agent.learned] == [[1, 1, 3, 3], [2, 2, 2, 2]]  # it goes on
    assert engine.agent.timesteps == [0, 8]  # before this data
    assert set(engine.agent.modes) == {"train"}


def test_evaluation():
    engine = on_policy()
    engine.train(1)
    engine.agent.modes.clear()
    engine.eval_env.env.envs[1].n = 4  # of 3 episodes the first environment gives two
    row = engine.eval(1)

    assert row.pop("eval_seconds") >= 0
    assert (row["timestep"], row["episodes"]) == (8, 3)
    np.testing.assert_allclose(sorted(row["returns"]), [0.6, 0.6, 1.0])
    assert row["return"] == pytest.approx(2.2 / 3)
    assert row["return_std"] == pytest.approx(math.sqrt(2 / 9) * 0.4)
    assert row["length"] == pytest.approx(10 / 3)
    assert set(engine.agent.modes) == {"eval"}
    assert engine.agent.training
    assert (engine.timestep, engine.episode) == (8, 2)  # evaluation steps do not count


def test_evaluations_begin_alike_and_leave_training_alone():
    engine, alone = on_policy(), on_policy()
    rows = [engine.train(1), alone.train(1)]
    first, second = engine.eval(), engine.eval()
    rows += [engine.train(2), alone.train(2)]

    for env in engine.eval_env.env.envs:
        assert [seed for seed in env.seeds if seed is not None] in ([7, 7], [8, 8])
    assert first["returns"] == second["returns"]
    assert [row["return"] for row in rows[::2]] == [row["return"] for row in rows[1::2]]
    assert engine.agent.learned == alone.agent.learned


def test_restart_begins_new_episodes():
    engine = on_policy()
    engine.train(1)
    engine.restart(5)
    engine.train(2)

    assert engine.agent.learned[1] == [3, 3, 1, 1]
    assert 5 in engine.env.env.envs[0].seeds
    assert engine.episode == 4


# ESEngine


# OffPolicyEngine

REPLAY = {
    **CONFIG,
    **{"train.timestep": 40, "train.num_step": 6, "train.warmup": 5, "train.every": 2},
    **{"train.replay_ratio": 0.5, "replay.capacity": 100, "replay.n_step": 1, "replay.beta": 0.4},
    **{"replay.alpha": 0.5, "replay.prioritized": False, "agent.gamma": 0.5, "agent.batch_size": 3},
}


class ReplaySpy(Spy):
    def learn(self, D, timestep, **kwargs):
        self.learned.append(D)
        self.timesteps.append(timestep)
        error = {"td_error": np.arange(3.0)} if "weight" in D else {}
        return {"loss": float(timestep), **error}


def off_policy(**config):
    env = make_env()
    return OffPolicyEngine(REPLAY | config, agent=ReplaySpy(env), env=env, eval_env=make_env())


def test_an_iteration_is_many_small_ones():
    engine = off_policy()
    rows = [engine.train(n) for n in (1, 2, 3)]

    # Two environments: warm-up 6 (5 rounded up), then 6 steps of each in pairs, up to the budget.
    assert [row["timestep"] for row in rows] == [18, 30, 40]
    assert [row["episode"] for row in rows] == [6, 10, 12]  # of three steps each
    assert engine.agent.timesteps == [t for t in range(10, 41, 4) for _ in range(2)] + [40] * (
        1 if (40 - 30) % 4 else 0
    )
    assert rows[0]["loss"] == np.mean([10, 10, 14, 14, 18, 18])
    assert engine.agent.modes == ["train"] * 17  # and none in the warm-up
    assert rows[0].keys() == rows[1].keys()
    assert len(engine.replay) == 40


def test_minibatches_owed_are_carried_over():
    engine = off_policy(**{"train.replay_ratio": 0.3})
    engine.train(1)

    assert len(engine.agent.learned) == 3  # 12 steps x 0.3 = 3.6
    assert engine.owed == pytest.approx(0.6)
    engine.train(2)
    assert len(engine.agent.learned) == 7


def test_samples_come_from_the_generator_of_the_agent():
    one, two = off_policy(), off_policy()
    two.agent.rng.bit_generator.state = one.agent.rng.bit_generator.state
    for engine in (one, two):
        engine.env.reset(seed=1)
        engine.train(1)

    for a, b in zip(one.agent.learned, two.agent.learned, strict=True):
        np.testing.assert_array_equal(a["index"], b["index"])


def test_priorities_are_updated_and_their_bias_ends_corrected():
    engine = off_policy(**{"replay.prioritized": True})
    while engine.timestep < 40:
        engine.train()

    assert engine.replay.beta == 1.0
    assert engine.agent.learned[0]["weight"].shape == (3,)
    fresh = ReplayBuffer.__len__(engine.replay)
    sampled = np.concatenate([D["index"] for D in engine.agent.learned])
    state = engine.replay.state_dict()
    assert fresh == 40
    assert state["largest"] == pytest.approx(2.0, abs=1e-4)  # the last error of each sample
    assert np.any(state["priority"][sampled] < 1)


def test_off_policy_state_round_trip():
    one, two = off_policy(), off_policy()
    one.train(1)
    two.load_state_dict(one.state_dict())
    for name in ("timestep", "episode", "owed"):
        assert getattr(one, name) == getattr(two, name)
    assert len(two.replay) == len(one.replay) == 18
    np.testing.assert_array_equal(two.runner.observation, one.runner.observation)


class SpyES(BaseES):
    """Asks for the same three candidates; notes what it is told."""

    def __init__(self):
        self.told = []

    def ask(self):
        return [np.array([i, i], float) for i in range(3)]

    def tell(self, solutions, function_values):
        self.told.append(([list(x) for x in solutions], [float(f) for f in function_values]))

    @property
    def result(self):
        f = min(f for _, fs in self.told for f in fs)
        return Result(np.zeros(2), f, 1, 3, 1, np.array([5.0, 6.0]), np.array([0.1, 0.3]))

    def state_dict(self):
        return {"told": self.told}

    def load_state_dict(self, state):
        self.told = state["told"]


class Candidate(Spy):
    """Action 1 if its bias is 1."""

    def make_es(self):
        return SpyES()

    def choose_action(self, x, **kwargs):
        action = super().choose_action(x)["action"]
        return {"action": action + int(self.layer.bias.item() == 1)}


class PayEnv(CountEnv):
    """Rewards 0.1, 0.2, ..., and 1 more for action 1."""

    def step(self, action):
        obs, reward, *rest = super().step(action)
        return obs, reward + action, *rest


@pytest.fixture
def evolution():
    env = RecordEpisodeStatistics(VecEnv([lambda: PayEnv(2)]))
    return ESEngine(CONFIG, agent=Candidate(env), env=env, eval_env=make_env(seeds=[1, 2]))


def test_strategy_is_told_negated_returns(evolution):
    evolution.train(1)
    ((solutions, values),) = evolution.es.told

    assert solutions == [[0, 0], [1, 1], [2, 2]]
    np.testing.assert_allclose(values, [-0.3, -2.3, -0.3])


def test_evolution_rows(evolution):
    rows = [evolution.train(n) for n in (1, 2)]

    assert [row["timestep"] for row in rows] == [12, 24]  # 3 candidates x 2 episodes x 2 steps
    assert [row["episode"] for row in rows] == [6, 12]
    assert rows[0]["return"] == pytest.approx((0.3 + 2.3 + 0.3) / 3)
    assert rows[0]["length"] == 2
    assert rows[0]["return_best"] == pytest.approx(2.3)
    assert rows[0]["return_best_ever"] == pytest.approx(2.3)
    assert rows[0]["sigma"] == pytest.approx(0.2)
    assert rows[0].keys() == rows[1].keys()


def test_agent_is_greedy_and_keeps_the_favourite(evolution):
    evolution.train(1)

    assert set(evolution.agent.modes) == {"eval"}
    assert evolution.agent.to_vec().tolist() == [5, 6]
    evolution.eval()
    assert evolution.agent.to_vec().tolist() == [5, 6]
