"""How far PPO's steps by hand are from its own; see :mod:`lagom.algorithms.by_hand`."""

import torch
from lagom.algorithms.by_hand import restorer
from lagom.algorithms.ppo.closed_form import ClosedForm

_NUM_ROW = 128  # of the data, at most, that a check looks at


def disagreement(agent, obs, action, look=0):
    """The relative difference between what both ways do, on made-up numbers; nothing is changed.

    In the data of an iteration no ratio has left 1 and hardly any entropy its maximum: much of the
    loss could be edited unnoticed.  So all but the observations is made up, such that ratios and
    values lie on both sides of where they are clipped, and advantages have both signs and any size.
    Networks are compared each by itself, or the critic's large numbers would hide the others.

    Args:
        agent (Agent): its ``step`` is right by definition.
        obs (Tensor): ``[N, D]``.
        action (Tensor): ``[N]`` or ``[N, D]``.
        look (int): rows and numbers are others with each.
    """
    config, every, restore = agent.config, -(-len(obs) // _NUM_ROW), restorer(agent)
    obs, action = obs[look % every :: every], action[look % every :: every]
    i = torch.arange(len(obs)) + 10.0 * look
    if action.ndim == 1:
        action = i.long() % agent.action_space.n  # likely or not
    with torch.no_grad():
        logprob, _, V = agent.evaluate(obs, action)
    scale = 4 * (1 + V.abs().mean())
    batch = (
        *(obs, action, logprob + 3 * config["agent.clip"] * torch.cos(i)),
        V + 3 * (config["agent.value_clip"] or scale) * torch.cos(2 * i),
        *(1 + 4 * torch.cos(3 * i), V + scale * (0.25 + torch.cos(5 * i))),
    )
    with torch.no_grad():
        loss, parts, _ = agent.loss(*batch)
    weights = 1.0, config["agent.value_coef"], -config["agent.entropy_coef"]
    terms = torch.stack([w * part for w, part in zip(weights, parts, strict=True)])
    # Nothing but a few roundings; a small bonus for entropy shows here, and not in the gradient.
    error = 100 * (loss - terms.sum()).abs() / terms.abs().sum()

    vec, sides = agent.to_vec().detach(), []
    for by_hand in (False, True):
        restore()
        step = ClosedForm(agent).step if by_hand else agent.step
        row, logratio = step(*batch)
        unclipped = row[3] / (agent.flat.grad.norm() + 1e-12)  # else 0.01 below were large
        grads = [
            torch.cat([p.grad.flatten() * unclipped for p in net.parameters()])
            for net in (agent.actor, agent.critic, agent.head)
            if net.num_params
        ]
        move = (agent.to_vec().detach() - vec) / (1e-3 * vec.norm())
        sides.append([*row, logratio, move, *grads])
    restore()
    errors = [(a - b).norm() / (a.norm() + 0.01) for a, b in zip(*sides, strict=True)]
    return torch.stack([error, *errors]).max().item()  # NaN if any is
