"""Proximal policy optimization: several epochs of clipped policy-gradient steps on each batch.

Schulman et al., Proximal Policy Optimization Algorithms, 2017 (arXiv:1707.06347).
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from lagom import BaseAgent
from lagom.metric import gae
from lagom.networks import MLP, input_size, make_head
from lagom.utils import numpify, tensorify


class Agent(BaseAgent):
    """PPO for Discrete and Box actions on vectors of observations."""

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        obs_dim, sizes = input_size(self.observation_space), config["agent.hidden_sizes"]
        activation = config["agent.activation"]
        self.actor = MLP(obs_dim, sizes, activation=activation)
        self.critic = MLP(obs_dim, sizes, 1, activation=activation)
        self.head = make_head(
            self.actor.out_features, self.action_space, device, std0=config["agent.std0"]
        )
        self.to(self.device)
        self.optimizer = torch.optim.Adam([self.flat], lr=config["agent.lr"], eps=1e-5, fused=True)

    def choose_action(self, x, **kwargs):
        features = self.actor.numpy(x)
        return {"action": self.head.act(features, self.rng, greedy=not self.training)}

    def learn(self, D, timestep=0, **kwargs):
        config, device = self.config, self.device
        obs = tensorify(np.concatenate([tau.observations[:-1] for tau in D]), device)  # [N, *obs]
        action = torch.as_tensor(np.concatenate([tau.actions for tau in D]), device=device)
        with torch.no_grad():
            logprob_old, _ = self.head.evaluate(self.actor(obs), action)  # [N]
            V_old = self.critic(obs).squeeze(-1)  # [N]
        A = self.advantages(D, V_old)
        target = V_old + A
        A = (A - A.mean()) / (A.std(correction=0) + 1e-8)

        if config["agent.lr_decay"]:
            remaining = 1 - timestep / config["train.timestep"]
            self.optimizer.param_groups[0]["lr"] = config["agent.lr"] * max(remaining, 0.0)
        clip, flat = config["agent.clip"], self.flat
        data = obs, action, logprob_old, A, target
        logs = []
        for _ in range(config["agent.num_epoch"]):
            order = torch.randperm(len(A), device=device)
            batches = zip(*(x[order].split(config["agent.batch_size"]) for x in data), strict=True)
            for obs_i, action_i, logprob_old_i, A_i, target_i in batches:
                logprob, entropy = self.head.evaluate(self.actor(obs_i), action_i)
                logratio = logprob - logprob_old_i
                ratio = logratio.exp()
                clipped = ratio.clamp(1 - clip, 1 + clip)
                policy_loss = -torch.min(ratio * A_i, clipped * A_i).mean()  # eq. 7
                value_loss = F.mse_loss(self.critic(obs_i).squeeze(-1), target_i)
                entropy = entropy.mean()
                loss = (
                    policy_loss
                    + config["agent.value_coef"] * value_loss
                    - config["agent.entropy_coef"] * entropy  # eq. 9
                )

                self.optimizer.zero_grad()
                loss.backward()
                grad_norm = nn.utils.clip_grad_norm_([flat], config["agent.max_grad_norm"])
                self.optimizer.step()

                with torch.no_grad():
                    approx_kl = (ratio - 1 - logratio).mean()  # joschu.net/blog/kl-approx.html, k3
                    clip_frac = (ratio != clipped).float().mean()
                    row = [policy_loss, value_loss, entropy, approx_kl, clip_frac, grad_norm]
                    logs.append(torch.stack(row))

        # Everything stays on the device until here: one transfer per learn().
        names = ["policy_loss", "value_loss", "entropy", "approx_kl", "clip_frac", "grad_norm"]
        return dict(zip(names, torch.stack(logs).mean(0).tolist(), strict=True))

    @torch.no_grad()
    def advantages(self, D, V_old):
        """``[N]`` generalized advantages, trajectory after trajectory."""
        last_obs = tensorify(np.stack([tau.observations[-1] for tau in D]), self.device)
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
        return tensorify(A, self.device)
