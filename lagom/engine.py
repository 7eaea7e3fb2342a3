"""Engines: one iteration of training, one evaluation.  The job calls them, and keeps the books."""

from abc import ABC, abstractmethod
from importlib import import_module
from time import perf_counter

import numpy as np

from lagom.data import PrioritizedReplayBuffer, ReplayBuffer
from lagom.runner import EpisodeRunner, StepRunner
from lagom.transform import LinearSchedule


def __getattr__(name):  # PEP 562: users' YAML files still say lagom.engine:ESEngine
    if name == "ESEngine":
        return import_module("lagom.population").ESEngine
    raise AttributeError(f"module 'lagom.engine' has no attribute {name!r}")


class BaseEngine(ABC):
    """Base class of all engines.

    Args:
        config (dict): flat configuration, only read.
        agent (BaseAgent): what learns.
        env (VecEnv): where it collects.
        eval_env (VecEnv): where it is evaluated; never the same object.
        **kwargs: for subclasses.

    Attributes:
        timestep (int): environment steps taken in training so far, over all sub-environments.
        episode (int): training episodes finished so far.
    """

    def __init__(self, config, agent=None, env=None, eval_env=None, **kwargs):
        self.config = config
        self.agent, self.env, self.eval_env = agent, env, eval_env
        self.timestep = 0
        self.episode = 0

    @abstractmethod
    def train(self, n=None, **kwargs):
        """One iteration of training.

        Args:
            n (int): number of the iteration.

        Returns:
            dict: one row: ``iteration``, ``timestep``, ``episode``, ``return``, ``length``, the
            agent's metrics, and ``*_seconds``; the same keys each time.
        """

    def eval(self, n=None, **kwargs):
        """One evaluation: greedy, on environments that begin with the same seeds each time.

        Returns:
            dict: ``timestep``, ``return`` (mean), ``return_std`` (over episodes), ``length``,
            ``episodes`` and the list ``returns``.
        """
        start = perf_counter()
        self.agent.eval()
        self.eval_env.reset(seed=self.eval_env.seeds)
        D = EpisodeRunner()(self.agent, self.eval_env, self.config["eval.episodes"])
        self.agent.train()
        returns = [float(tau.rewards.sum()) for tau in D]
        return {
            "timestep": self.timestep,
            "return": float(np.mean(returns)),
            "return_std": float(np.std(returns)),
            "length": float(np.mean([tau.T for tau in D])),
            "episodes": len(D),
            "returns": returns,
            "eval_seconds": perf_counter() - start,
        }

    def restart(self, seed):
        """Begin new episodes, seeded; where the state of environments cannot be saved."""
        self.env.reset(seed=seed)

    def state_dict(self):
        """Everything that the next iteration depends on, beside the global random streams."""
        return {
            "timestep": self.timestep,
            "episode": self.episode,
            "agent": dict(self.agent.state_dict()),
            "env": self.env.state_dict(),
        }

    def load_state_dict(self, state):
        """Go on from ``state`` as if nothing had happened."""
        self.timestep, self.episode = state["timestep"], state["episode"]
        self.agent.load_state_dict(state["agent"])
        self.env.load_state_dict(state["env"])

    def _count(self, num_step, episodes):
        """Book ``num_step`` steps and finished ``episodes``; return the columns about them."""
        self.timestep += num_step
        self.episode += len(episodes)
        returns, lengths = zip(*episodes, strict=True) if episodes else ([np.nan], [np.nan])
        return {
            "timestep": self.timestep,
            "episode": self.episode,
            "return": float(np.mean(returns)),
            "length": float(np.mean(lengths)),
        }


class OnPolicyEngine(BaseEngine):
    """Collect with the current policy, learn from exactly that, throw it away."""

    def __init__(self, config, agent=None, env=None, eval_env=None, **kwargs):
        super().__init__(config, agent, env, eval_env, **kwargs)
        self.runner = StepRunner(reset_on_call=False)

    def train(self, n=None, **kwargs):
        self.agent.train()
        start = perf_counter()
        D = self.runner(self.agent, self.env, self.config["train.num_step"])
        collected = perf_counter()
        out = self.agent.learn(D, timestep=self.timestep)
        learned = perf_counter()
        return {
            "iteration": n,
            **self._count(sum(tau.T for tau in D), self.env.pop_episodes()),
            **out,
            "collect_seconds": collected - start,
            "learn_seconds": learned - collected,
        }

    def restart(self, seed):
        self.runner.observation, _ = self.env.reset(seed=seed)
        self.agent.begin(np.ones(self.env.num_envs, bool))

    def state_dict(self):
        return {**super().state_dict(), "runner": self.runner.state_dict()}

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.runner.load_state_dict(state["runner"])


class OffPolicyEngine(BaseEngine):
    """Collect a little, remember it, learn from what is remembered; an iteration is many of these.

    Before anything is learned, ``train.warmup`` steps are taken at random.  Then, after each
    ``train.every`` steps of every sub-environment, the agent learns from ``train.replay_ratio``
    minibatches for each step taken.
    """

    def __init__(self, config, agent=None, env=None, eval_env=None, **kwargs):
        super().__init__(config, agent, env, eval_env, **kwargs)
        self.runner = StepRunner(reset_on_call=False)
        self.replay = _make_replay(config, env)
        self.replay.allocate(env.single_observation_space, env.single_action_space)
        self.beta = LinearSchedule(config["replay.beta"], 1.0, config["train.timestep"])
        self.owed = 0.0  # minibatches to learn from, of steps already taken

    def train(self, n=None, **kwargs):
        config, B = self.config, self.env.num_envs
        self.agent.train()
        start = perf_counter()
        before, learn_seconds, rows = self.timestep, 0.0, []
        timestep, budget = before, config["train.timestep"]
        if before < config["train.warmup"]:  # once: iterations have the same columns
            from lagom.agent import RandomAgent  # torch, which this module does not need

            num_step = -(-(config["train.warmup"] - before) // B)
            self.replay.add(self.runner(RandomAgent(config, self.env, "cpu"), self.env, num_step))
            timestep += num_step * B
        end = max(timestep + B, min(timestep + B * config["train.num_step"], budget))
        while timestep < end or not rows:
            num_step = min(config["train.every"], max(-(-(end - timestep) // B), 1))
            D = self.runner(self.agent, self.env, num_step, timestep=timestep)
            self.replay.add(D)
            timestep += num_step * B
            self.owed += num_step * B * config["train.replay_ratio"]
            begin = perf_counter()
            while self.owed >= 1:
                self.owed -= 1
                rows.append(self._learn(timestep))
            learn_seconds += perf_counter() - begin
        return {
            "iteration": n,
            **self._count(timestep - before, self.env.pop_episodes()),
            **{key: float(np.mean([row[key] for row in rows])) for key in rows[0]},
            "collect_seconds": perf_counter() - start - learn_seconds,
            "learn_seconds": learn_seconds,
        }

    def _learn(self, timestep):
        if self.config["replay.prioritized"]:
            self.replay.beta = self.beta(timestep)
        batch = self.replay.sample(self.config["agent.batch_size"], self.agent.rng)
        out = self.agent.learn(batch, timestep=timestep)
        td_error = out.pop("td_error", None)
        if "weight" in batch:
            self.replay.update(batch["index"], td_error)
        return out

    def restart(self, seed):
        self.runner.observation, _ = self.env.reset(seed=seed)

    def state_dict(self):
        return {
            **super().state_dict(),
            "runner": self.runner.state_dict(),
            "replay": self.replay.state_dict(),
            "owed": self.owed,
        }

    def load_state_dict(self, state):
        super().load_state_dict(state)
        self.runner.load_state_dict(state["runner"])
        self.replay.load_state_dict(state["replay"])
        self.owed = state["owed"]


def _make_replay(config, env):
    # Normalized by moments that move, a frame is another one at each step.
    stack = 1 if hasattr(env, "obs_moments") else config.get("env.stack", 1)
    kwargs = {
        "capacity": config["replay.capacity"],
        "num_stream": env.num_envs,
        "n_step": config["replay.n_step"],
        "gamma": config["agent.gamma"],
        "stack": stack,
    }
    if not config["replay.prioritized"]:
        return ReplayBuffer(**kwargs)
    alpha, beta = config["replay.alpha"], config["replay.beta"]
    return PrioritizedReplayBuffer(**kwargs, alpha=alpha, beta=beta)
