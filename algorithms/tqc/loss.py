"""The loss of quantiles: Dabney et al., 2018 (arXiv:1710.10044); TQC's equation 8."""

import torch


def quantile_huber(Z, target):
    """The quantile Huber loss of the critics, and its gradient for ``Z``.

    Written out, since autograd would keep several arrays of all pairs: errors above 0 and below,
    where the weights of equation 8 differ, one after the other.

    Args:
        Z (Tensor): quantiles ``[N, C, M]`` of ``C`` critics; of each, for ``(2m - 1) / (2M)``.
        target (Tensor): samples ``[N, K]`` of the distribution wanted.

    Returns:
        tuple: the mean over all pairs, a scalar, and the gradient ``[N, C, M]``.
    """
    M = Z.shape[-1]
    tau = (torch.arange(M, device=Z.device) + 0.5) / M
    with torch.no_grad():
        error = target[:, None, None, :] - Z[..., None]  # [N, C, M, K]
        loss, grad = 0.0, 0.0
        for weight, size in ((tau, error.clamp(min=0)), (1 - tau, error.clamp_(max=0))):
            clipped = size.clamp(-1, 1)  # the slope of the Huber loss, with the threshold at 1
            grad = grad - weight * clipped.sum(-1)
            huber = clipped.mul_(size.sub_(clipped, alpha=0.5)).sum(-1)
            loss = loss + (weight * huber).sum()
        return loss / error.numel(), grad / error.numel()
