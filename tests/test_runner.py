import gymnasium
import numpy as np
import pytest
from envs.count_env import CountEnv

from lagom import BaseRunner, EpisodeRunner, StepRunner
from lagom.envs import RecordEpisodeStatistics, TimeStepEnv, VecEnv


class TagAgent:
    """Action 0; tags each step with the observation it saw; remembers what it was called with."""

    def __init__(self):
        self.kwargs, self.shapes = [], []

    def choose_action(self, x, **kwargs):
        self.kwargs.append(kwargs)
        self.shapes.append(x.shape)
        return {"action": np.zeros(len(x), int), "V": x[:, 0]}


class RandomLength(gymnasium.Env):
    """Episodes of 1 to 9 steps, terminal or cut, that count on: no observation appears twice."""

    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (1,), np.float32)
    action_space = gymnasium.spaces.Discrete(100)

    def __init__(self, start):
        self.count, self.log = start, []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.count += 1
        self.left = int(self.np_random.integers(1, 10))
        self.log.append(("reset", self.count))
        return np.array([self.count], np.float32), {}

    def step(self, action):
        self.count += 1
        self.left -= 1
        over = self.left == 0
        terminated = over and self.count % 2 == 0
        self.log.append(("step", self.count, int(action), terminated, over and not terminated))
        obs, reward = np.array([self.count], np.float32), self.count / 10
        return obs, reward, terminated, over and not terminated, {}


class CountingAgent:
    """Numbers its actions; the step's ``twice`` must arrive beside the action it belongs to."""

    def __init__(self):
        self.n = 0

    def choose_action(self, x):
        self.n += 1
        action = np.array([(10 * self.n + b) % 100 for b in range(len(x))])
        return {"action": action, "twice": 2 * action, "obs_seen": x.copy()}


def count(*args, B=1, **kwargs):
    return VecEnv([lambda: CountEnv(*args, **kwargs)] * B)


def rewards(D):
    return [np.round(tau.rewards, 9).tolist() for tau in D]


def observations(D):
    return [tau.observations[:, 0].tolist() for tau in D]


def test_base_runner_is_abstract():
    with pytest.raises(TypeError, match="abstract"):
        BaseRunner()


# EpisodeRunner


def test_episodes():
    D = EpisodeRunner()(TagAgent(), count(3), 2)

    assert rewards(D) == [[0.1, 0.2, 0.3]] * 2
    assert observations(D) == [[0, 1, 2, 3]] * 2
    assert [tau.T for tau in D] == [3, 3]
    assert all(tau.finished and tau.reach_terminal for tau in D)
    assert all(tau.get_infos("V") == [0, 1, 2] for tau in D)
    assert all(tau.actions.tolist() == [0, 0, 0] for tau in D)


def test_episode_of_one_step():
    (tau,) = EpisodeRunner()(TagAgent(), count(1), 1)

    assert (tau.T, len(tau), tau.rewards.tolist()) == (1, 2, [0.1])


@pytest.mark.parametrize("runner", [EpisodeRunner(), StepRunner()])
def test_keywords_reach_every_choose_action(runner):
    agent = TagAgent()
    runner(agent, count(3), 2, mode="eval")

    assert len(agent.kwargs) >= 2
    assert all(kwargs == {"mode": "eval"} for kwargs in agent.kwargs)


def test_episode_that_a_clock_cut():
    (tau,) = EpisodeRunner()(TagAgent(), count(5, limit=2), 1)

    assert (tau.finished, tau.reach_terminal, tau.reach_time_limit) == (True, False, True)
    assert observations([tau]) == [[0, 1, 2]]  # what it ended on, not the next episode's first


@pytest.mark.parametrize(
    "make_env",
    [lambda: CountEnv(2, limit=2), lambda: gymnasium.wrappers.TimeLimit(CountEnv(2), 2)],
)
@pytest.mark.parametrize("runner", [EpisodeRunner(), StepRunner()])
def test_terminal_and_limit_at_once_is_terminal(runner, make_env):
    tau = runner(TagAgent(), VecEnv([make_env]), 2)[0]

    assert (tau.T, tau.reach_terminal, tau.reach_time_limit) == (2, True, False)


def test_every_sub_environment_gives_its_quota():
    """Short episodes finish first, but are not preferred."""
    env = VecEnv([lambda n=n: CountEnv(n) for n in (5, 1, 2)])

    D = EpisodeRunner()(TagAgent(), env, 7)

    assert sorted(tau.T for tau in D) == [1, 1, 2, 2, 5, 5, 5]


def test_fewer_episodes_than_sub_environments():
    assert [tau.T for tau in EpisodeRunner()(TagAgent(), count(3, B=4), 2)] == [3, 3]


# StepRunner


def test_steps_cut_at_the_end_of_episodes():
    runner, env = StepRunner(reset_on_call=True), count(3)

    D = runner(TagAgent(), env, 7)

    assert [tau.T for tau in D] == [3, 3, 1]
    assert [tau.finished for tau in D] == [True, True, False]
    assert rewards(D) == [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.1]]
    assert observations(D) == [[0, 1, 2, 3], [0, 1, 2, 3], [0, 1]]
    assert all(tau[0].first() for tau in D)
    assert all(tau[-1].last() for tau in D[:-1])
    assert observations(runner(TagAgent(), env, 2)) == [[0, 1, 2]]  # begins anew


def test_steps_that_end_with_the_episode_leave_no_empty_trajectory():
    assert [tau.T for tau in StepRunner()(TagAgent(), count(3), 6)] == [3, 3]


def test_calls_continue():
    runner, env, agent = StepRunner(reset_on_call=False), count(3), TagAgent()

    calls = [runner(agent, env, T) for T in (2, 2, 3, 1)]

    assert [rewards(D) for D in calls] == [
        [[0.1, 0.2]],
        [[0.3], [0.1]],
        [[0.2, 0.3], [0.1]],
        [[0.2]],
    ]
    assert env[0].num_reset == 3


def test_a_continuation_begins_where_the_last_call_stopped():
    runner, env = StepRunner(reset_on_call=False), count(3)
    (before,) = runner(TagAgent(), env, 1)
    after = runner(TagAgent(), env, 3)

    assert len(before) == 2
    assert after[0][0].first()
    assert after[0][0].reward is None
    assert after[0][0].observation == before[-1].observation == 1
    assert runner.observation.tolist() == [[1]]  # 3 of 3 taken, and one step into the next


@pytest.mark.parametrize("T", [1, 2, 3, 7])
@pytest.mark.parametrize("reset_on_call", [True, False])
def test_steps_add_up(T, reset_on_call):
    runner, env = StepRunner(reset_on_call), count(3, limit=2, B=4)
    for _ in range(3):
        assert sum(tau.T for tau in runner(TagAgent(), env, T)) == 4 * T


def test_its_state_is_where_the_next_call_goes_on():
    runner, env = StepRunner(reset_on_call=False), count(3)
    runner(TagAgent(), env, 2)
    again, env_again = StepRunner(reset_on_call=False), count(3)
    env_again.reset()
    env_again.step([0]), env_again.step([0])
    again.load_state_dict(runner.state_dict())

    assert observations(again(TagAgent(), env_again, 1)) == [[2, 3]]


def test_trajectories_hold_what_happened():
    """Against the logs of the environments, over several calls, B = 3."""
    env = VecEnv([lambda b=b: RandomLength(1000 * b) for b in range(3)], seeds=[0, 1, 2])
    runner, agent = StepRunner(reset_on_call=False), CountingAgent()

    D = [tau for T in (1, 4, 30, 2) for tau in runner(agent, env, T)]

    for b in range(3):
        own = [tau for tau in D if tau.observations[0, 0] // 1000 == b]
        own.sort(key=lambda tau: tau.observations[0, 0])
        steps = [entry for entry in env[b].log if entry[0] == "step"]
        assert sum(tau.T for tau in own) == len(steps) == 37
        steps = iter(steps)
        for tau in own:
            for t in range(tau.T):
                _, k, action, terminated, truncated = next(steps)
                assert tau.observations[t : t + 2, 0].tolist() == [k - 1, k]
                assert (tau.rewards[t], tau.actions[t]) == (k / 10, action)
                assert tau.extras["twice"][t] == 2 * action
                assert tau.extras["obs_seen"][t] == k - 1
                assert tau.dones[t] == (terminated or truncated)
            assert (tau.reach_terminal, tau.reach_time_limit) == (terminated, truncated)


def test_episodes_hold_the_actions_of_their_own_environment():
    env = VecEnv([lambda b=b: RandomLength(1000 * b) for b in range(3)], seeds=[0, 1, 2])

    D = EpisodeRunner()(CountingAgent(), env, 7)

    taken = {entry[1]: entry[2] for b in range(3) for entry in env[b].log if entry[0] == "step"}
    for tau in D:
        assert tau.actions.tolist() == [taken[k] for k in tau.observations[1:, 0]]
        assert tau.extras["twice"].tolist() == [2 * action for action in tau.actions]
        assert tau.extras["obs_seen"].tolist() == tau.observations[:-1].tolist()


def test_both_runners_see_the_same_episodes():
    def make():
        return VecEnv([lambda b=b: RandomLength(1000 * b) for b in range(2)], seeds=[0, 1])

    episodes = EpisodeRunner()(TagAgent(), make(), 8)
    steps = [tau for tau in StepRunner()(TagAgent(), make(), 60) if tau.finished]
    known = {tuple(tau.observations[:, 0]): tau for tau in steps}

    assert len(episodes) == 8
    for tau in episodes:
        twin = known[tuple(tau.observations[:, 0])]
        assert tau.rewards.tolist() == twin.rewards.tolist()
        assert tau.actions.dtype == twin.actions.dtype
        assert tau.rewards.dtype == twin.rewards.dtype == np.float64
        assert (tau.terminated, tau.truncated) == (twin.terminated, twin.truncated)


@pytest.mark.parametrize("runner", [EpisodeRunner(), StepRunner()])
def test_trajectories_tell_their_sub_environment(runner):
    env = VecEnv([lambda b=b: RandomLength(1000 * b) for b in range(3)], seeds=[0, 1, 2])

    D = runner(TagAgent(), env, 12)

    assert [tau.stream for tau in D] == [tau.observations[0, 0] // 1000 for tau in D]
    assert {tau.stream for tau in D} == {0, 1, 2}
    assert all(type(tau.stream) is int for tau in D)


# Environments


@pytest.mark.parametrize(
    "wrap",
    [
        lambda env: env,
        TimeStepEnv,
        lambda env: VecEnv([lambda: env]),
        lambda env: RecordEpisodeStatistics(VecEnv([lambda: env])),
    ],
)
def test_single_environments_are_batches_of_one(wrap):
    agent = TagAgent()
    episodes = EpisodeRunner()(agent, wrap(CountEnv(3)), 2)
    runner, env = StepRunner(reset_on_call=False), wrap(CountEnv(3))
    steps = [tau for T in (2, 2) for tau in runner(agent, env, T)]

    assert observations(episodes) == [[0, 1, 2, 3]] * 2
    assert rewards(episodes) == [[0.1, 0.2, 0.3]] * 2
    assert observations(steps) == [[0, 1, 2], [2, 3], [0, 1]]
    assert rewards(steps) == [[0.1, 0.2], [0.3], [0.1]]
    assert set(agent.shapes) == {(1, 1)}


def test_gymnasium_vector_environments_serve_if_they_reset_in_the_same_step():
    mode = gymnasium.vector.AutoresetMode.SAME_STEP
    make_env = [lambda: RandomLength(0)]
    env = gymnasium.vector.SyncVectorEnv(make_env, autoreset_mode=mode)
    env.reset(seed=0)
    own = VecEnv(make_env)
    own.reset(seed=0)

    D, D_own = (StepRunner()(TagAgent(), e, 30) for e in (env, own))

    assert observations(D) == observations(D_own)
    assert [tau.dones for tau in D] == [tau.dones for tau in D_own]


@pytest.mark.parametrize("runner", [EpisodeRunner(), StepRunner()])
def test_other_autoresets_are_refused(runner):
    env = gymnasium.vector.SyncVectorEnv([lambda: CountEnv(3)])

    with pytest.raises(ValueError, match="expected SAME_STEP; build it with lagom.envs.make_vec_e"):
        runner(TagAgent(), env, 4)


class Broken(CountEnv):
    """Not finite at step ``at``: in the reward, or in the observation."""

    def __init__(self, at, where, **kwargs):
        super().__init__(**kwargs)
        self.at, self.where = at, where

    def step(self, action):
        obs, reward, *rest = super().step(action)
        if self.k == self.at:
            if self.where == "reward":
                return obs, -np.inf, *rest
            return obs * np.nan, reward, *rest
        return obs, reward, *rest


@pytest.mark.parametrize("runner", [EpisodeRunner(), StepRunner()])
@pytest.mark.parametrize("where", ["reward", "observation"])
@pytest.mark.parametrize("at", [1, 3])  # in the middle, and what the episode ends on
def test_values_that_are_not_finite_end_the_run(runner, where, at):
    env = VecEnv([lambda: Broken(at, where, n=3)])

    with pytest.raises(FloatingPointError, match=f"{type(runner).__name__}: the environment gave"):
        runner(TagAgent(), env, 4)


def test_the_last_observation_of_a_fragment_is_checked_too():
    env = VecEnv([lambda: Broken(2, "observation", n=3)])

    with pytest.raises(FloatingPointError, match="StepRunner"):
        StepRunner()(TagAgent(), env, 2)


@pytest.mark.parametrize("runner", [EpisodeRunner(), StepRunner()])
@pytest.mark.parametrize("num", [0, -1])
def test_nothing_cannot_be_collected(runner, num):
    with pytest.raises(
        ValueError, match=f"{type(runner).__name__}: . is {num}; expected at least one"
    ):
        runner(TagAgent(), count(3), num)


def test_integer_observations_keep_their_type():
    D = StepRunner()(TagAgent(), count(3, dtype=np.uint8), 4)

    assert {tau.observations.dtype for tau in D} == {np.dtype(np.uint8)}
