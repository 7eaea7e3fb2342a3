"""Proximal policy optimization: several epochs of clipped policy-gradient steps on each batch.

Schulman et al., Proximal Policy Optimization Algorithms, 2017 (arXiv:1707.06347).
"""

from functools import partial

import numpy as np
import torch
from lagom.algorithms.by_hand import Choice
from lagom.algorithms.lr_decay import decay_lr
from lagom.algorithms.on_policy import head_options
from lagom.algorithms.ppo.check import disagreement
from lagom.algorithms.ppo.closed_form import ClosedForm
from torch.nn import functional as F

from lagom import BaseAgent
from lagom.data import actions, last_observations, observations
from lagom.metric import gae
from lagom.networks import MLP, action_mask, make_encoder, make_head
from lagom.utils import numpify, tensorify
from lagom.utils.nested import index, to_tensors


class Agent(BaseAgent):
    """PPO for actions and observations of every kind; those of ``Dict`` may hold action masks."""

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        space, sizes = self.observation_space, config["agent.hidden_sizes"]
        kinds = {"activation": config["agent.activation"], "cnn": config["agent.cnn"]}
        self.actor = make_encoder(space, sizes, **kinds)
        self.is_shared = config["agent.shared"]  # then the critic is one layer on the actor's
        self.critic = (
            MLP(self.actor.out_features, [], 1)
            if self.is_shared
            else make_encoder(space, sizes, 1, **kinds)
        )
        self.head = make_head(
            self.actor.out_features, self.action_space, device, **head_options(config)
        )
        self.to(self.device)
        self.optimizer = torch.optim.Adam([self.flat], lr=config["agent.lr"], eps=1e-5, fused=True)
        self.choice = Choice(ClosedForm)  # a copy of step(), several times faster

    def choose_action(self, x, **kwargs):
        features, greedy = self.actor.numpy(x), not self.training
        return {"action": self.head.act(features, self.rng, greedy, mask=action_mask(x))}

    def evaluate(self, obs, action):
        """Log-probabilities of actions, entropies and values, ``[N]`` each."""
        features = self.actor(obs)
        V = self.critic(features if self.is_shared else obs).squeeze(-1)
        return *self.head.evaluate(features, action, mask=action_mask(obs)), V

    def learn(self, D, timestep=0, **kwargs):
        config, device = self.config, self.device
        obs = to_tensors(observations(D), device)  # [N, *obs]
        action = to_tensors(actions(D), device)  # [N, *action]
        with torch.no_grad():
            logprob_old, _, V_old = self.evaluate(obs, action)  # [N] each
        A, target = self.advantages(D, V_old)

        decay_lr(self, timestep)
        clip, size, num_epoch = (config[f"agent.{x}"] for x in ("clip", "batch_size", "num_epoch"))
        num_minibatch = num_epoch * len(A) / size
        step = self.choice(self, partial(disagreement, self, obs, action), num_minibatch)
        rows, logratios = [], []
        for epoch in range(num_epoch):
            if epoch > 0 and config["agent.recompute"]:
                with torch.no_grad():
                    V_old = self.evaluate(obs, action)[2]
                A, target = self.advantages(D, V_old)
            order = torch.randperm(len(A), device=device)
            data = [index(x, order) for x in (obs, action, logprob_old, V_old, A, target)]
            for i in range(0, len(A), size):
                row, logratio = step(*(index(x, slice(i, i + size)) for x in data))
                rows.append(row)
                logratios.append(logratio)
            if config["agent.target_kl"] > 0 and kl(logratio) > config["agent.target_kl"]:
                break

        # Everything stays on the device until here: one transfer per learn().
        logratio = torch.cat(logratios)
        clip_frac = (torch.expm1(logratio).abs() > clip).float().mean()
        row = [*torch.stack(rows).mean(0), kl(logratio), clip_frac]
        names = ["policy_loss", "value_loss", "entropy", "grad_norm", "approx_kl", "clip_frac"]
        return dict(zip(names, torch.stack(row).tolist(), strict=True))

    def step(self, *batch):
        """One step down the gradient of the loss of a minibatch; see :meth:`loss`.

        Returns:
            tuple: policy loss, value loss, entropy and norm of the gradient, ``[4]``, and the
            logarithms of the ratios, ``[N]``.
        """
        loss, parts, logratio = self.loss(*batch)
        self.zero_grad()
        loss.backward()
        grad_norm = self.clip_grad_norm(self.config["agent.max_grad_norm"])
        self.optimizer.step()
        return torch.stack([*parts, grad_norm]).detach(), logratio.detach()

    def loss(self, obs, action, logprob_old, V_old, A, target):
        """The loss of a minibatch, its three parts, and the logarithms of the ratios, ``[N]``."""
        config, clip = self.config, self.config["agent.clip"]
        logprob, entropy, V = self.evaluate(obs, action)
        logratio = logprob - logprob_old
        ratio = logratio.exp()
        clipped = ratio.clamp(1 - clip, 1 + clip)
        policy_loss = -torch.min(ratio * A, clipped * A).mean()  # eq. 7
        value_loss = self.value_loss(V, V_old, target)
        entropy = entropy.mean()
        loss = (
            policy_loss
            + config["agent.value_coef"] * value_loss
            - config["agent.entropy_coef"] * entropy  # eq. 9
        )
        return loss, (policy_loss, value_loss, entropy), logratio

    def value_loss(self, V, V_old, target):
        """Mean squared error; with ``agent.value_clip``, of ``V`` kept near ``V_old`` if worse."""
        c = self.config["agent.value_clip"]
        if c == 0:
            return F.mse_loss(V, target)
        near = V_old + (V - V_old).clamp(-c, c)
        return torch.max((V - target).square(), (near - target).square()).mean()

    @torch.no_grad()
    def advantages(self, D, V_old):
        """``[N]`` advantages, trajectory after trajectory, and what the critic should say."""
        last_obs = to_tensors(last_observations(D), self.device)
        last_obs = self.actor(last_obs) if self.is_shared else last_obs
        last_V = self.critic(last_obs).squeeze(-1)  # [len(D)]
        A = gae(
            self.config["agent.gamma"],
            self.config["agent.lam"],
            np.concatenate([tau.rewards for tau in D]),
            numpify(V_old, np.float32),
            numpify(last_V, np.float32),
            np.array([tau.terminated for tau in D]),
            lengths=[tau.T for tau in D],
        )
        A = tensorify(A, self.device)
        target = V_old + A
        if self.config["agent.normalize_advantage"]:
            A = (A - A.mean()) / (A.std(correction=0) + 1e-8)
        return A, target


def kl(logratio):
    """The mean divergence from the old policy, estimated: joschu.net/blog/kl-approx.html, k3."""
    return (logratio.expm1() - logratio).mean()
