"""Advantage actor-critic: one gradient step for every few steps of all sub-environments.

Mnih et al., Asynchronous Methods for Deep Reinforcement Learning, 2016 (arXiv:1602.01783), without
the asynchrony.  Where the policy that acts lags behind, V-trace corrects for it: Espeholt et al.,
IMPALA, 2018 (arXiv:1802.01561).
"""

import copy
from functools import partial

import numpy as np
import torch
from lagom.algorithms.a2c.check import disagreement
from lagom.algorithms.a2c.closed_form import ClosedForm
from lagom.algorithms.by_hand import Choice
from lagom.algorithms.lr_decay import decay_lr
from lagom.algorithms.on_policy import head_options
from torch.nn import functional as F

from lagom import BaseAgent
from lagom.data import actions, last_observations, observations
from lagom.metric import gae, vtrace
from lagom.networks import Module, action_mask, make_encoder, make_head
from lagom.utils import numpify, tensorify
from lagom.utils.nested import to_tensors


class Actor(Module):
    """Observations to action distributions."""

    def __init__(self, trunk, action_space, device, **options):
        super().__init__()
        self.trunk = trunk
        self.head = make_head(trunk.out_features, action_space, device, **options)

    def evaluate(self, obs, action):
        """Log-probabilities and entropies, ``[N]`` each."""
        return self.head.evaluate(self.trunk(obs), action, mask=action_mask(obs))

    def act(self, x, rng, greedy):
        """Actions for observations ``[B, *obs]``, as an array."""
        return self.head.act(self.trunk.numpy(x), rng, greedy, mask=action_mask(x))


class Agent(BaseAgent):
    """A2C for actions and observations of every kind; those of ``Dict`` may hold action masks.

    With ``agent.lag`` = k, actions are those of the policy of k updates ago, as where acting and
    learning are done by different processes.
    """

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        space, sizes, lag = (
            self.observation_space,
            config["agent.hidden_sizes"],
            config["agent.lag"],
        )
        kinds = {"activation": config["agent.activation"], "cnn": config["agent.cnn"]}
        trunk = make_encoder(space, sizes, **kinds)
        self.actor = Actor(trunk, self.action_space, self.device, **head_options(config))
        self.critic = make_encoder(space, sizes, 1, **kinds)
        if lag > 0:
            self.behavior = copy.deepcopy(self.actor).requires_grad_(False)
            past = self.actor.to_vec().detach().expand(lag, -1).clone()
            self.register_buffer("past", past)  # [lag, P], parameters of the last policies
        self.to(self.device)
        self.optimizer = make_optimizer(config["agent.optimizer"], self.flat, config["agent.lr"])
        self.choice = Choice(ClosedForm)  # a copy of step(), several times faster

    def choose_action(self, x, **kwargs):
        stale = self.training and self.config["agent.lag"] > 0
        actor = self.behavior if stale else self.actor
        return {"action": actor.act(x, self.rng, greedy=not self.training)}

    def learn(self, D, timestep=0, **kwargs):
        decay_lr(self, timestep)
        return self.choice(self, partial(disagreement, self, D))(D)

    def step(self, D):
        """One step down the gradient of the loss of what was collected."""
        config, device = self.config, self.device
        obs = to_tensors(observations(D), device)  # [N, *obs]
        action = to_tensors(actions(D), device)  # [N, *action]
        logprob, entropy = self.actor.evaluate(obs, action)  # [N]
        V = self.critic(obs).squeeze(-1)  # [N]
        A, target = self.advantages(D, obs, action, logprob.detach(), V.detach())
        if config["agent.normalize_advantage"]:
            # Centered, actions that V-trace's weights have silenced would speak again.
            center = 0.0 if config["agent.lag"] > 0 else A.mean()
            A = (A - center) / (A.std(correction=0) + 1e-8)

        policy_loss = -(logprob * A).mean()
        value_loss = F.mse_loss(V, target)
        entropy = entropy.mean()
        loss = (
            policy_loss
            + config["agent.value_coef"] * value_loss
            - config["agent.entropy_coef"] * entropy
        )
        self.zero_grad()
        loss.backward()
        grad_norm = self.clip_grad_norm(config["agent.max_grad_norm"])
        self.optimizer.step()
        if config["agent.lag"] > 0:
            self.behavior.from_vec(self.past[0])
            self.past = torch.cat([self.past[1:], self.actor.to_vec().detach()[None]])

        names = ["policy_loss", "value_loss", "entropy", "grad_norm"]
        row = torch.stack([policy_loss, value_loss, entropy, grad_norm])
        return dict(zip(names, row.tolist(), strict=True))

    @torch.no_grad()
    def advantages(self, D, obs, action, logprob, V):
        """``[N]`` advantages, and what the critic should have said."""
        config, lengths = self.config, [tau.T for tau in D]
        rewards = np.concatenate([tau.rewards for tau in D])
        last_obs = to_tensors(last_observations(D), self.device)
        last_V = numpify(self.critic(last_obs).squeeze(-1), np.float32)  # [len(D)]
        end = np.array([tau.terminated for tau in D])
        gamma, lam = config["agent.gamma"], config["agent.lam"]
        if config["agent.lag"] > 0:
            logprob_old, _ = self.behavior.evaluate(obs, action)
            target, A = vtrace(
                logprob_old, logprob, gamma, rewards, V, last_V, end, lengths=lengths
            )
            return tensorify(A, self.device), tensorify(target, self.device)
        A = tensorify(gae(gamma, lam, rewards, V, last_V, end, lengths=lengths), self.device)
        return A, V + A


def make_optimizer(name, flat, lr):
    """RMSprop with the constants of Mnih et al., or Adam."""
    if name == "adam":
        return torch.optim.Adam([flat], lr=lr, eps=1e-5, fused=True)
    return torch.optim.RMSprop([flat], lr=lr, alpha=0.99, eps=1e-5, foreach=False)
