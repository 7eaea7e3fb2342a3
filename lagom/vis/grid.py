"""Many images as one."""

import numpy as np


class GridImage:
    """Put images of equal size, in the order of adding, into a grid.

    Args:
        ncol (int): images in a row, at most.
        padding (int): width of the border around each image, in pixels.
        pad_value (int): gray level of the border, in [0, 255].

    Raises:
        ValueError: ``ncol`` is not positive, ``padding`` is negative, or ``pad_value`` is no level.

    Example:
        >>> grid = GridImage(ncol=8, padding=5, pad_value=0)
        >>> grid.add(np.zeros([10, 3, 64, 64]))
        >>> grid().shape
        (143, 557, 3)
    """

    def __init__(self, ncol=8, padding=2, pad_value=0):
        _check(ncol, padding, pad_value)
        self.ncol, self.padding, self.pad_value = ncol, padding, pad_value
        self.images = []  # [3, H, W] uint8 each

    def add(self, x) -> None:
        """Add one image ``[H, W]`` or ``[C, H, W]``, or several ``[N, C, H, W]``.

        ``C`` is 1 (gray) or 3 (RGB).  Integers are levels in [0, 255]; floats and booleans that do
        not exceed 1 are fractions of white.

        Args:
            x (ndarray or list): the images.

        Raises:
            TypeError: if ``x`` is neither an array nor a list.
            ValueError: if its shape is none of those above, or the size differs from earlier ones.
        """
        if not isinstance(x, np.ndarray | list):
            raise TypeError(f"GridImage.add: got {type(x).__name__}; expected an ndarray or a list")
        x = np.asarray(x)
        shape = x.shape
        if x.ndim in (2, 3):
            x = x.reshape(1, -1, *shape[-2:])  # [1, C, H, W]
        if x.ndim != 4 or x.shape[1] not in (1, 3):
            raise ValueError(
                f"GridImage.add: got shape {shape}; expected [H, W], [C, H, W] or [N, C, H, W] "
                "with C = 1 or 3"
            )
        if self.images and x.shape[2:] != self.images[0].shape[1:]:
            raise ValueError(
                f"GridImage.add: got images of size {x.shape[2:]}; "
                f"expected {self.images[0].shape[1:]}, as the earlier ones"
            )
        if x.dtype.kind in "fb" and x.size and x.max() <= 1:
            x = x * 255.0
        x = np.clip(x, 0, 255).astype(np.uint8)
        self.images.extend(np.broadcast_to(x, (len(x), 3, *x.shape[2:])))

    def __call__(self, *, ncol=None, padding=None, pad_value=None) -> np.ndarray:
        """Return the grid, ``[H, W, 3]`` uint8.

        Args:
            ncol, padding, pad_value (int): for this grid only, instead of the constructor's.

        Raises:
            ValueError: if nothing was added, or an argument is out of its range.
        """
        ncol = self.ncol if ncol is None else ncol
        pad = self.padding if padding is None else padding
        level = self.pad_value if pad_value is None else pad_value
        _check(ncol, pad, level)
        if not self.images:
            raise ValueError("GridImage: there is no image; expected at least one call of add")
        H, W = self.images[0].shape[1:]
        ncol = min(len(self.images), ncol)
        nrow = -(-len(self.images) // ncol)
        canvas = np.full((nrow * (H + pad) + pad, ncol * (W + pad) + pad, 3), level, np.uint8)
        for i, image in enumerate(self.images):
            top = pad + i // ncol * (H + pad)
            left = pad + i % ncol * (W + pad)
            canvas[top : top + H, left : left + W] = image.transpose(1, 2, 0)
        return canvas


def _check(ncol, padding, pad_value):
    for name, value, low, high in (
        ("ncol", ncol, 1, np.inf),
        ("padding", padding, 0, np.inf),
        ("pad_value", pad_value, 0, 255),
    ):
        if not low <= value <= high:
            raise ValueError(
                f"GridImage: {name} is {value!r}; expected a number in [{low}, {high}]"
            )
