"""Whether a minibatch is learned from by autograd, or by hand: only as long as both do the same.

Who changes the loss in ``agent.py`` gets the change, by autograd, and a warning that
``closed_form.py`` does not follow.
"""

import copy
import warnings

import torch
from lagom.algorithms.ppo.closed_form import ClosedForm, applies

_CHECK_EVERY = 3000  # minibatches; a check costs as much as about thirty
_NUM_ROW = 128  # of the data, at most, that a check looks at
_TOLERANCE = 1e-3  # relative; rounding gives 1e-5, and 1e-4 where values are in the thousands


def choose(agent, obs, action):
    """What makes the steps of one ``learn``: ``ClosedForm(agent).step``, or ``agent.step``.

    The former where it applies, and has agreed with the latter each time that they were compared:
    on the first data of each process, and now and then.

    Args:
        agent (Agent): ``agrees`` and ``until_check`` are kept up to date.
        obs (Tensor): ``[N, *obs]``, what is to be learned from.
        action (Tensor): ``[N, *action]``.
    """
    config = agent.config
    if config["agent.gradient"] == "autograd" or not agent.agrees or not applies(agent):
        return agent.step
    if agent.until_check <= 0:
        agent.until_check = _CHECK_EVERY
        for look in range(3):  # a kink may lie between two roundings, but hardly three times
            error = disagreement(agent, obs, action, look)
            agent.agrees = error < _TOLERANCE
            if agent.agrees:
                break
        else:
            warnings.warn(
                f"ppo: what {type(agent).__module__} does with a minibatch and its copy in "
                f"{ClosedForm.__module__} differ by {error:.1g} (relative); autograd is used, "
                "which is slower; agent.gradient=autograd chooses that without a warning",
                stacklevel=2,
            )
            return agent.step
    agent.until_check -= config["agent.num_epoch"] * len(obs) / config["agent.batch_size"]
    return ClosedForm(agent).step


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
    config, every, restore = agent.config, -(-len(obs) // _NUM_ROW), _restorer(agent)
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


def _restorer(agent):
    """A function that brings back what ``agent`` is now, even if it forgets to save something."""
    tensors = [(x, x.detach().clone()) for x in (*agent.parameters(), *agent.buffers())]
    optimizers = [(x, copy.deepcopy(x.state_dict())) for x in agent.optimizers.values()]
    rng, torch_rng = agent.rng.bit_generator.state, torch.get_rng_state()

    def restore():
        for x, value in tensors:
            x.detach().copy_(value)
        for optimizer, state in optimizers:
            optimizer.load_state_dict(copy.deepcopy(state))  # it keeps what it is given
        agent.rng.bit_generator.state = rng
        torch.set_rng_state(torch_rng)

    return restore
