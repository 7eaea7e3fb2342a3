"""Natural gradients without matrices: products with Fisher's, and a solver that needs no more.

Schulman et al., Trust Region Policy Optimization, 2015 (arXiv:1502.05477), appendix C.
"""

import torch
from torch import distributions as D
from torch import nn


def flat_grad(outputs, parameters, **kwargs):
    """The gradient of ``outputs`` as one vector ``[P]``; ``kwargs`` as of ``autograd.grad``."""
    grads = torch.autograd.grad(outputs, parameters, **kwargs)
    return nn.utils.parameters_to_vector([g.contiguous() for g in grads])


def fisher_product(policy, parameters):
    r"""The function ``v`` to ``F v``, where ``F`` is the mean Fisher matrix of a policy.

    .. math:: F = \frac{1}{N} \sum_n J_n^\top M_n J_n

    ``J`` is the Jacobian of the numbers that make the distribution, and ``M`` the distribution's
    own Fisher matrix in these (appendix C.1).  A product is two sweeps through the network, half
    of what the second derivatives of the divergence cost, to which it is equal.

    Args:
        policy (Distribution): ``Categorical`` or ``Independent(Normal)`` with batch shape ``[N]``,
            with its history for autograd.
        parameters (list): what it depends on, ``P`` numbers in all.
    """
    if isinstance(policy, D.Categorical):
        numbers = [policy.logits]  # which Categorical has normalized
        metric = categorical_metric(policy.probs.detach())
    else:
        mean, std = policy.base_dist.loc, policy.base_dist.scale
        numbers, metric = [mean, std], gaussian_metric(std.detach())
    # J^T u is linear in u: the derivative of v^T J^T u by u is J v, whatever u.
    u = [torch.zeros_like(x, requires_grad=True) for x in numbers]
    pulled = flat_grad(numbers, parameters, grad_outputs=u, create_graph=True)

    def product(v):
        Jv = torch.autograd.grad(pulled @ v, u, retain_graph=True)
        return flat_grad(numbers, parameters, grad_outputs=metric(*Jv), retain_graph=True)

    return product


def categorical_metric(probs):
    """Changes of log-probabilities ``[N, K]`` times their Fisher matrices, over ``N``.

    Log-probabilities of one state cannot all grow: their changes have mean zero under ``probs``,
    and the matrix is diagonal for these.
    """
    weight = probs / len(probs)
    return lambda d_logprob: [weight * d_logprob]


def gaussian_metric(std):
    """Changes of means and scales ``[N, K]`` times the Fisher matrices, over ``N``."""
    weight = 1 / (len(std) * std.square())
    return lambda d_mean, d_std: [weight * d_mean, 2 * weight * d_std]


def conjugate_gradient(product, b, num_step, tolerance=1e-10):
    """Solve ``A x = b`` for a symmetric, positive definite ``A``, given by its products.

    Args:
        product (callable): ``v`` to ``A v``.
        b (Tensor): ``[P]``.
        num_step (int): products at most.
        tolerance (float): of the squared norm of what is left of ``b``.
    """
    x, r = torch.zeros_like(b), b.clone()
    p, rr = r.clone(), r @ r
    for _ in range(num_step):
        if rr < tolerance:
            break
        Ap = product(p)
        alpha = rr / (p @ Ap)
        x = x + alpha * p
        r = r - alpha * Ap
        rr_old, rr = rr, r @ r
        p = r + rr / rr_old * p
    return x
