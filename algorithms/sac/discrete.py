"""Soft actor-critic for discrete actions: expectations over all actions instead of samples.

Christodoulou, Soft Actor-Critic for Discrete Action Settings, 2019 (arXiv:1910.07207).
"""

import math
from copy import deepcopy

import numpy as np
import torch
from gymnasium.spaces import Discrete
from lagom.algorithms.adam import adam
from lagom.algorithms.lr_decay import decay_lr
from lagom.algorithms.off_policy import Critics, make_log_alpha, network_kinds, tensors
from torch.nn import functional as F

from lagom import BaseAgent
from lagom.networks import CategoricalHead, Module, action_mask, make_encoder
from lagom.utils import numpify


class Actor(Module):
    """Observations to log-probabilities of all actions."""

    def __init__(self, observation_space, hidden_sizes, num_action, device, **kinds):
        super().__init__()
        self.trunk = make_encoder(observation_space, hidden_sizes, **kinds)
        self.head = CategoricalHead(self.trunk.out_features, num_action, device)
        self.to(device)

    def forward(self, obs):
        """``[N, *obs]`` to ``[N, num_action]``."""
        return self.head(self.trunk(obs), action_mask(obs)).logits


class Agent(BaseAgent):
    """SAC for Discrete actions, observations of every kind; ``D`` is a sample of a replay buffer.

    Observations of ``Dict`` may hold masks: what these forbid has probability 0, in targets too.
    """

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        space = self.action_space
        if not (isinstance(space, Discrete) and space.start == 0):
            raise ValueError(
                f"sac_discrete: action space is {space}; expected Discrete from 0; for continuous "
                "actions use algo=sac"
            )
        num_action, sizes = int(space.n), config["agent.hidden_sizes"]
        kinds = network_kinds(config)
        self.actor = Actor(self.observation_space, sizes, num_action, self.device, **kinds)
        self.critics = Critics(
            self.observation_space, 0, sizes, out_features=num_action, **kinds
        ).to(self.device)
        self.critics_target = deepcopy(self.critics)
        self.log_alpha = make_log_alpha(config["agent.alpha"], self.device)
        self.target_entropy = config["agent.entropy_share"] * math.log(num_action)
        self.actor_optimizer = adam(self.actor.flat, config["agent.lr"])
        self.critic_optimizer = adam(self.critics.flat, config["agent.lr"])
        self.alpha_optimizer = adam(self.log_alpha, config["agent.lr"])

    def choose_action(self, x, **kwargs):
        features, greedy = self.actor.trunk.numpy(x), not self.training
        return {"action": self.actor.head.act(features, self.rng, greedy, mask=action_mask(x))}

    def learn(self, D, timestep=0, **kwargs):
        decay_lr(self, timestep)
        obs, action, reward, next_obs, discount = tensors(D, self.device)
        action = action.long()[:, None]  # [N, 1]
        alpha = self.log_alpha.detach().exp()

        with torch.no_grad():
            logprobs = self.actor(next_obs)  # [N, num_action]
            Q_next = torch.min(*self.critics_target(next_obs))
            V_next = (logprobs.exp() * (Q_next - alpha * logprobs)).sum(-1)  # exactly, no sample
            target = reward + discount * V_next
        Q1, Q2 = self.critics(obs)  # [N, num_action] each
        chosen = [Q.gather(1, action).squeeze(1) for Q in (Q1, Q2)]
        critic_loss = sum(F.mse_loss(Q, target) for Q in chosen)
        self.critics.zero_grad()
        critic_loss.backward()
        self.critic_optimizer.step()

        logprobs = self.actor(obs)
        with torch.no_grad():
            Q = torch.min(*self.critics(obs))  # no gradient has to pass through actions
        entropy = -(logprobs.exp() * logprobs).sum(-1)  # [N]
        actor_loss = -(alpha * entropy + (logprobs.exp() * Q).sum(-1)).mean()
        self.actor.zero_grad()
        actor_loss.backward()
        self.actor_optimizer.step()

        if self.config["agent.alpha"] == "auto":
            # The loss alpha (entropy - the one wanted) is, in log alpha, its own derivative.
            self.log_alpha.grad = alpha * (entropy.detach().mean() - self.target_entropy)
            self.alpha_optimizer.step()
        with torch.no_grad():
            self.critics_target.flat.lerp_(self.critics.flat, self.config["agent.tau"])
            mean_Q = chosen[0].mean()
            row = torch.stack([critic_loss, actor_loss, mean_Q, entropy.mean(), alpha]).tolist()
        names = ["critic_loss", "actor_loss", "Q", "entropy", "alpha"]
        out = dict(zip(names, row, strict=True))
        if "weight" in D:
            out["td_error"] = numpify(target - 0.5 * (chosen[0] + chosen[1]), np.float32)
        return out
