import gymnasium
import numpy as np
import pytest
from configs import flat_config
from gymnasium.spaces import Box
from lagom.algorithms.es.agent import Agent
from lagom.algorithms.es.stack import Stack

from lagom.envs import make_envs, make_vec_env
from lagom.es import Recipe, draw
from lagom.networks import MLP
from lagom.population.evaluate import Generation, absorb, bare, evaluate, play
from lagom.transform import RunningMeanVar


class Walk(gymnasium.Env):
    """An episode of as many steps as its seed says; the reward is the action plus a draw."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float64)
    action_space = Box(-np.inf, np.inf, (1,), np.float64)
    bad = None

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t, self.length = 0, int(self.np_random.integers(1, 12))
        return self.np_random.normal(size=2), {}

    def step(self, action):
        self.t += 1
        reward = float(action[0]) + self.np_random.normal()
        obs = self.np_random.normal(size=2) + (np.nan if self.bad == "obs" else 0)
        reward = np.inf if self.bad == "reward" else reward
        return obs, reward, self.t >= self.length, False, {}


def walks(num_env, env_class=Walk):
    return make_vec_env(env_class, num_env, 0)


def one_after_the_other(weights, seeds, mean=None, var=None, clip=None):
    """Returns, lengths, and the observations of each policy, by the plainest of loops."""
    env, returns, lengths, seen = Walk(), [], [], []
    for w, row in zip(weights, seeds, strict=True):
        seen.append([])
        for seed in row:
            obs, _ = env.reset(seed=int(seed))
            total, done, steps = 0.0, False, 0
            while not done:
                obs = obs.astype(np.float32)
                seen[-1].append(obs)
                x = obs
                if mean is not None:
                    x = np.clip((obs - mean) / np.sqrt(var + 1e-8), -clip, clip)
                obs, reward, done, _, _ = env.step([w @ x.astype(np.float32)])
                total, steps = total + reward, steps + 1
            returns.append(total)
            lengths.append(steps)
    return np.reshape(returns, seeds.shape), np.reshape(lengths, seeds.shape), seen


WEIGHTS = np.random.default_rng(1).normal(size=(7, 2)).astype(np.float32)
SEEDS = np.random.default_rng(2).integers(2**31, size=(7, 3))


def act(policies, x):
    return np.sum(WEIGHTS[policies] * x, axis=1)[:, None]


@pytest.mark.parametrize("num_env", [1, 4, 21, 50])
@pytest.mark.parametrize("normalized", [False, True])
def test_episodes_are_those_of_a_plain_loop(num_env, normalized):
    moments = (np.array([0.5, -0.2]), np.array([2.0, 0.1]), 1.5) if normalized else ()
    env = walks(num_env)
    returns, lengths, seen = one_after_the_other(WEIGHTS, SEEDS, *moments)

    out = play(env, act, SEEDS, *moments)

    np.testing.assert_allclose(out.returns, returns, rtol=1e-5)
    np.testing.assert_array_equal(out.lengths, lengths)
    if normalized:
        delta = [np.array(x) - moments[0] for x in seen]
        np.testing.assert_allclose(out.sums[:, 0], [x.sum(0) for x in delta], rtol=1e-6)
        np.testing.assert_allclose(out.sums[:, 1], [(x**2).sum(0) for x in delta], rtol=1e-6)
    else:
        assert out.sums is None


@pytest.mark.parametrize("env", ["CartPole-v1", "Pendulum-v1"])
@pytest.mark.parametrize("hidden", ["[]", "[5,4]"])
def test_pieces_of_a_population_are_the_same_bits(env, hidden):
    words = [f"agent.hidden_sizes={hidden}", "env.num_env=3", "env.normalize_obs=true"]
    config = flat_config("algo=ars", f"env={env}", *words)
    env, _ = make_envs(config, 0)
    agent = Agent(config, env, "cpu")
    mean = np.zeros(agent.num_params, np.float32)
    recipe, seeds = Recipe(mean, np.float32(0.5), 3, True), np.arange(12).reshape(6, 2)
    shape = env.single_observation_space.shape
    generation = Generation(recipe, np.full(shape, 0.1), np.full(shape, 0.5), 5.0)
    whole = evaluate(bare(env), agent, generation, range(6), seeds)
    drawn = generation._replace(candidates=draw(recipe, range(6)))
    wide, _ = make_envs({**config, "env.num_env": 20}, 5)

    for other, start, stop, where in (
        (generation, 0, 2, env),
        (drawn, 2, 6, env),
        (generation, 4, 6, wide),
    ):
        part = evaluate(bare(where), agent, other, range(start, stop), seeds[start:stop])
        for a, b in zip(part, whole, strict=True):
            np.testing.assert_array_equal(a, b[start:stop])


def test_an_agent_without_stack_is_asked_one_by_one():
    config = flat_config("algo=ars", "env=CartPole-v1", "env.num_env=3")
    env, _ = make_envs(config, 0)
    agent = Agent(config, env, "cpu")
    generation = Generation(np.random.default_rng(0).normal(size=(4, 10)).astype(np.float32))
    seeds = np.arange(4)[:, None]
    expected = evaluate(bare(env), agent, generation, range(4), seeds)

    class Plain:
        from_vec, choose_action = agent.from_vec, agent.choose_action

    out = evaluate(bare(env), Plain(), generation, range(4), seeds)
    np.testing.assert_array_equal(out.returns, expected.returns)
    assert len(set(out.returns.ravel().tolist())) > 1


@pytest.mark.parametrize("bad", ["reward", "obs"])
def test_what_is_not_finite_is_refused(bad):
    env = walks(2, type("Bad", (Walk,), {"bad": bad}))
    moments = np.zeros(2), np.ones(2), 5.0

    with pytest.raises(FloatingPointError, match="reward or an observation that is not finite"):
        play(env, act, np.arange(10, 17)[:, None], *moments)


def test_stacked_networks_are_the_networks():
    policy = MLP(3, [5, 4], 2, activation="relu")
    X = np.random.default_rng(0).normal(size=(6, policy.num_params)).astype(np.float32)
    x = np.random.default_rng(1).normal(size=(9, 3)).astype(np.float32)
    policies = np.array([0, 5, 5, 1, 2, 3, 4, 4, 0])
    stack, out = Stack(policy, X), []
    for k, row in zip(policies, x, strict=True):
        policy.from_vec(X[k])
        out.append(policy.numpy(row))

    np.testing.assert_allclose(stack(policies, x), out, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(stack(policies[2:4], x[2:4]), stack(policies, x)[2:4])


def test_absorbed_moments_are_those_of_the_observations():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(40, 3)), 2 + rng.normal(size=(60, 3))
    moments, expected = RunningMeanVar((3,)), RunningMeanVar((3,))
    for x in (first, second):
        expected(x)
        delta = x - moments.mean
        absorb(moments, len(x), np.array([delta.sum(0), (delta**2).sum(0)]))

        np.testing.assert_allclose(moments.mean, expected.mean)
        np.testing.assert_allclose(moments.var, expected.var)
        assert moments.n == expected.n
