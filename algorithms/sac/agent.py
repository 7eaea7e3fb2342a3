"""Soft actor-critic: off-policy learning of returns plus entropy, with two critics.

Haarnoja et al., Soft Actor-Critic Algorithms and Applications, 2018 (arXiv:1812.05905).
"""

from copy import deepcopy
from functools import partial

import numpy as np
import torch
from lagom.algorithms.adam import adam
from lagom.algorithms.by_hand import Choice
from lagom.algorithms.lr_decay import decay_lr
from lagom.algorithms.off_policy import Critics, action_size, make_log_alpha, network_kinds, tensors
from lagom.algorithms.off_policy_check import disagreement
from lagom.algorithms.sac.closed_form import ClosedForm
from lagom.algorithms.sac.sde import StateDependentHead
from torch.nn import functional as F

from lagom import BaseAgent
from lagom.networks import Module, TanhGaussianHead, make_encoder
from lagom.utils import numpify


class Actor(Module):
    """Observations to squashed actions in (-1, 1), with noise as ``head`` has it."""

    def __init__(
        self, observation_space, hidden_sizes, action_dim, device, head=TanhGaussianHead, **kinds
    ):
        super().__init__()
        self.trunk = make_encoder(observation_space, hidden_sizes, **kinds)
        self.head = head(self.trunk.out_features, action_dim, device)
        self.to(device)

    def sample(self, obs):
        """Actions ``[N, action_dim]`` with gradient, and their log-probabilities ``[N]``."""
        return self.head.sample(self.trunk(obs))


class Agent(BaseAgent):
    """SAC for Box actions, observations of every kind; ``D`` is a sample of a replay buffer."""

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        action_dim = action_size("sac", self.action_space)
        space, sizes = self.observation_space, config["agent.hidden_sizes"]
        kinds = network_kinds(config)
        head = TanhGaussianHead
        if config["agent.sde"]:
            every = config["agent.sde_every"] or config["train.num_step"]
            head = partial(StateDependentHead, logstd0=config["agent.sde_logstd"], every=every)
        self.actor = Actor(space, sizes, action_dim, self.device, head, **kinds)
        self.critics = Critics(space, action_dim, sizes, **kinds).to(self.device)
        self.critics_target = deepcopy(self.critics)
        self.log_alpha = make_log_alpha(config["agent.alpha"], self.device)
        self.target_entropy = -float(action_dim)  # as the authors choose it
        self.actor_optimizer = adam(self.actor.flat, config["agent.lr"])
        self.critic_optimizer = adam(self.critics.flat, config["agent.lr"])
        self.alpha_optimizer = adam(self.log_alpha, config["agent.lr"])
        self.choice = Choice(ClosedForm)  # a copy of step(), faster

    def choose_action(self, x, **kwargs):
        features = self.actor.trunk.numpy(x)
        return {"action": self.actor.head.act(features, self.rng, greedy=not self.training)}

    def learn(self, D, timestep=0, **kwargs):
        decay_lr(self, timestep)
        return self.choice(self, partial(disagreement, self, D))(D)

    def step(self, D):
        """One update from a sample, of everything."""
        obs, action, reward, next_obs, discount = tensors(D, self.device)
        alpha = self.log_alpha.detach().exp()

        with torch.no_grad():
            next_action, next_logprob = self.actor.sample(next_obs)
            Q_next = torch.min(*self.critics_target(next_obs, next_action))
            target = reward + discount * (Q_next - alpha * next_logprob)  # eq. 2, 3
        Q1, Q2 = self.critics(obs, action)
        # The soft Bellman residuals, without the 1/2.
        critic_loss = F.mse_loss(Q1, target) + F.mse_loss(Q2, target)
        self.critics.zero_grad()
        critic_loss.backward()
        self.critic_optimizer.step()

        new_action, logprob = self.actor.sample(obs)
        Q = torch.min(*self.critics(obs, new_action))
        actor_loss = (alpha * logprob - Q).mean()  # the expected KL divergence
        self.actor.zero_grad()
        actor_loss.backward(inputs=[*self.actor.parameters()])  # nothing for the critics' weights
        self.actor_optimizer.step()

        if self.config["agent.alpha"] == "auto":
            # eq. 18: -alpha (log pi + entropy wanted); in log alpha, it is its own derivative.
            self.log_alpha.grad = -alpha * (logprob.detach() + self.target_entropy).mean()
            self.alpha_optimizer.step()
        with torch.no_grad():
            self.critics_target.flat.lerp_(self.critics.flat, self.config["agent.tau"])
            row = torch.stack([critic_loss, actor_loss, Q1.mean(), -logprob.mean(), alpha]).tolist()
        names = ["critic_loss", "actor_loss", "Q", "entropy", "alpha"]
        out = dict(zip(names, row, strict=True))
        if "weight" in D:
            out["td_error"] = numpify(target - 0.5 * (Q1 + Q2), np.float32)
        return out
