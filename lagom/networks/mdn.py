"""Mixture density networks: any density, as a mixture of Gaussians."""

import math

import torch
from torch import distributions as D

from lagom.networks.layers import Linear, ortho_init
from lagom.networks.module import Module


class MDNHead(Module):
    r"""Turns features into a mixture of ``K`` Gaussians over ``D`` dimensions.

    Mixing coefficients :math:`\pi_{kd}` are a softmax over components in each dimension.  Which
    component made a point is nevertheless one choice for all its dimensions, in ``loss`` and in
    ``sample``.

    Args:
        in_features (int): size of the features.
        out_features (int): ``D``, dimensions of the target.
        num_density (int): ``K``, number of Gaussians.
        device (torch.device): where the parameters live.

    Reference:
        Bishop, Mixture Density Networks, 1994 (NCRG/94/004).  The temperature: Ha and Eck,
        A Neural Representation of Sketch Drawings, 2017 (arXiv:1704.03477), eq. 8.
    """

    def __init__(self, in_features, out_features, num_density, device, **kwargs):
        super().__init__()
        self.shape = num_density, out_features
        size = num_density * out_features
        self.pi_head = ortho_init(Linear(in_features, size), weight_scale=0.01)
        self.mean_head = ortho_init(Linear(in_features, size), weight_scale=0.01)
        self.logvar_head = ortho_init(Linear(in_features, size), weight_scale=0.01)
        self.to(device)

    def forward(self, x):
        """Features ``[N, in_features]`` to ``(logit_pi, mean, std)``, ``[N, K, D]`` each."""
        logit_pi = self.pi_head(x).unflatten(-1, self.shape)
        mean = self.mean_head(x).unflatten(-1, self.shape)
        std = torch.exp(0.5 * self.logvar_head(x)).unflatten(-1, self.shape)
        return logit_pi, mean, std

    def loss(self, logit_pi, mean, std, target):
        r"""The mean over ``N`` of the negative log-likelihood.

        .. math::
            L = -\frac{1}{N} \sum_n \log \sum_k \exp \sum_d
                \left( \log \pi_{kd} + \log \mathcal{N}(x_{nd}; \mu_{kd}, \sigma_{kd}) \right)

        For ``D > 1`` the weights :math:`\prod_d \pi_{kd}` sum to less than one, so that this bounds
        the negative log-likelihood of a mixture from above and is not to be compared with others.

        Args:
            logit_pi (Tensor): ``[N, K, D]``.
            mean (Tensor): ``[N, K, D]``.
            std (Tensor): ``[N, K, D]``.
            target (Tensor): ``[N, D]``.

        Returns:
            Tensor: scalar, in nats.

        Raises:
            ValueError: the target has another shape.

        Example:
            >>> head = MDNHead(5, 2, 1, "cpu")
            >>> zeros, ones = torch.zeros(4, 1, 2), torch.ones(4, 1, 2)
            >>> head.loss(zeros, zeros, ones, torch.zeros(4, 2))  # log(2 pi)
            tensor(1.8379)
        """
        expected = mean.shape[:-2] + mean.shape[-1:]
        if target.shape != expected:
            raise ValueError(
                f"MDNHead.loss: target has shape {tuple(target.shape)}; expected {tuple(expected)}"
            )
        z = (target.unsqueeze(-2) - mean) / std  # [N, K, D]
        log_normal = -0.5 * z.square() - std.log() - 0.5 * math.log(2 * math.pi)
        return -(logit_pi.log_softmax(-2) + log_normal).sum(-1).logsumexp(-1).mean()

    def sample(self, logit_pi, mean, std, tau=1.0):
        r"""Draws from the mixtures: a component each, then its Gaussian, from torch's stream.

        The component is chosen once for all dimensions, as the loss has it.  Choices in each would
        mix modes: after (-1, -1) and (1, 1), half of the draws would be (-1, 1) or (1, -1).

        Its probabilities are the geometric means :math:`\propto (\prod_d \pi_{kd})^{1/D}`.  For the
        loss has the gradient :math:`\pi_{kd} - r_k` in the logits, :math:`r_k` being the posterior
        of component ``k``.  Where it is least, every :math:`\pi_{kd}` is the share of data that
        component ``k`` explains, and their product would be that share to the power of ``D``.

        Gradients reach ``mean`` and ``std`` of the chosen component, and no mixing coefficient.

        Args:
            logit_pi (Tensor): ``[N, K, D]``.
            mean (Tensor): ``[N, K, D]``.
            std (Tensor): ``[N, K, D]``.
            tau (float): temperature, > 0: logits are divided by it, variances multiplied.

        Returns:
            Tensor: ``[N, D]``.

        Raises:
            ValueError: ``tau`` is not positive.
        """
        if not tau > 0:
            raise ValueError(f"MDNHead.sample: tau is {tau!r}; expected a number > 0")
        k = D.Categorical(logits=logit_pi.mean(-1) / tau).sample()  # [N]
        k = k[..., None, None].expand(*k.shape, 1, mean.shape[-1])
        mean, std = mean.gather(-2, k).squeeze(-2), std.gather(-2, k).squeeze(-2)  # [N, D]
        return mean + math.sqrt(tau) * std * torch.randn_like(mean)
