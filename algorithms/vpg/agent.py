"""Vanilla policy gradient: one step along the gradient of the return for each batch.

Williams, Simple statistical gradient-following algorithms for connectionist reinforcement
learning, 1992 (without a critic); Sutton et al., Policy gradient methods for reinforcement learning
with function approximation, 2000; advantages: Schulman et al., 2016 (arXiv:1506.02438).
"""

import numpy as np
import torch
from lagom.algorithms.on_policy import head_options
from torch import nn
from torch.nn import functional as F

from lagom import BaseAgent
from lagom.data import actions, last_observations, observations
from lagom.metric import bootstrapped_returns, gae, returns
from lagom.networks import Module, action_mask, make_encoder, make_head
from lagom.utils import numpify, tensorify
from lagom.utils.nested import to_tensors


class Actor(Module):
    """Observations to action distributions."""

    def __init__(self, trunk, action_space, device, **options):
        super().__init__()
        self.trunk = trunk
        self.head = make_head(trunk.out_features, action_space, device, **options)
        self.to(device)


class Agent(BaseAgent):
    """VPG for actions and observations of every kind, with or without a critic."""

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        space, sizes = self.observation_space, config["agent.hidden_sizes"]
        kinds = {"activation": config["agent.activation"], "cnn": config["agent.cnn"]}
        trunk = make_encoder(space, sizes, **kinds)
        self.actor = Actor(trunk, self.action_space, self.device, **head_options(config))
        self.optimizer = torch.optim.Adam([self.actor.flat], lr=config["agent.lr"], fused=True)
        self.critic = None
        if config["agent.critic"]:
            self.critic = make_encoder(space, sizes, 1, **kinds).to(self.device)
            self.critic_optimizer = torch.optim.Adam(
                [self.critic.flat], lr=config["agent.critic_lr"], fused=True
            )

    def choose_action(self, x, **kwargs):
        features, greedy = self.actor.trunk.numpy(x), not self.training
        return {"action": self.actor.head.act(features, self.rng, greedy, mask=action_mask(x))}

    def learn(self, D, timestep=0, **kwargs):
        config, actor = self.config, self.actor
        obs = to_tensors(observations(D), self.device)
        action = to_tensors(actions(D), self.device)
        A, target = self.advantages(D, obs)  # [N]
        A = (A - A.mean()) / (A.std(correction=0) + 1e-8)

        logprob, entropy = actor.head.evaluate(actor.trunk(obs), action, mask=action_mask(obs))
        policy_loss = -(logprob * A).mean()
        entropy = entropy.mean()
        self.optimizer.zero_grad()
        (policy_loss - config["agent.entropy_coef"] * entropy).backward()
        grad_norm = nn.utils.clip_grad_norm_([actor.flat], config["agent.max_grad_norm"])
        self.optimizer.step()
        row = {
            "policy_loss": policy_loss.item(),
            "entropy": entropy.item(),
            "grad_norm": grad_norm.item(),
        }
        if self.critic is not None:
            row["value_loss"] = self.fit_critic(obs, target)
        return row

    @torch.no_grad()
    def advantages(self, D, obs):
        """``[N]`` advantages and what the critic should say; rewards to go without one."""
        config, gamma = self.config, self.config["agent.gamma"]
        rewards, lengths = np.concatenate([tau.rewards for tau in D]), [tau.T for tau in D]
        if self.critic is None:
            return tensorify(returns(gamma, rewards, lengths=lengths), self.device), None
        last_obs = to_tensors(last_observations(D), self.device)
        V, last_V = (numpify(self.critic(x).squeeze(-1), np.float32) for x in (obs, last_obs))
        end = np.array([tau.terminated for tau in D])
        A = gae(gamma, config["agent.lam"], rewards, V, last_V, end, lengths=lengths)
        target = bootstrapped_returns(gamma, rewards, last_V, end, lengths=lengths)
        return tensorify(A, self.device), tensorify(target, self.device)

    def fit_critic(self, obs, target):
        """Several steps of regression; the mean of their losses."""
        losses = []
        for _ in range(self.config["agent.num_critic_step"]):
            loss = F.mse_loss(self.critic(obs).squeeze(-1), target)
            self.critic_optimizer.zero_grad()
            loss.backward()
            self.critic_optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).mean().item()
