"""Pictures in a window, while a program goes on."""

import warnings

import numpy as np

_DPI = 100


class ImageViewer:
    """Shows pictures in one window, each as soon as it is given, and waits for nobody.

    Where no window can be (no display, or a matplotlib backend without windows), a warning says so
    at the first picture, and ``image`` is all there is.  A window that was closed, by :meth:`close`
    or by hand, stays closed: later pictures are kept in ``image`` and not shown.

    Args:
        max_width (int): of the window, in pixels (larger ones on a screen of more than 96 dots per
            inch); wider pictures are scaled down.

    Attributes:
        image (ndarray): the latest picture as it came, ``[H, W, 3]`` uint8; ``None`` before.
        closed (bool): whether pictures are shown no longer.

    Raises:
        ValueError: ``max_width`` is not positive.

    Example::

        with ImageViewer(max_width=500) as viewer:
            for picture in pictures:
                viewer(picture)
    """

    def __init__(self, max_width=500):
        if max_width < 1:
            raise ValueError(f"ImageViewer: max_width is {max_width!r}; expected at least 1 pixel")
        self.max_width = max_width
        self.image, self.closed = None, False
        self._manager = self._artist = None

    def __call__(self, x) -> None:
        """Show a picture, in place of the one before.

        Args:
            x (ndarray): ``[H, W, 3]`` uint8, red, green and blue.

        Raises:
            ValueError: ``x`` is not such a picture.
        """
        x = np.array(x)  # a copy, as environments may draw into the same buffer again
        if x.ndim != 3 or x.shape[2] != 3 or x.dtype != np.uint8 or not x.size:
            raise ValueError(
                f"ImageViewer: got shape {x.shape} of {x.dtype}; expected [H, W, 3] of uint8"
            )
        is_resized = self.image is None or x.shape != self.image.shape
        self.image = x
        if self.closed:
            return
        if self._manager is None and not self._open():
            return
        self._artist.set_data(x)
        canvas = self._manager.canvas
        if is_resized:
            canvas.figure.set_size_inches(self._inches())
        canvas.draw_idle()
        canvas.flush_events()  # handles what the user did, and returns

    def _inches(self):
        H, W, _ = self.image.shape
        width = min(W, self.max_width)
        return width / _DPI, max(1, round(H * width / W)) / _DPI

    def _open(self):
        """Open the window, unknown to ``pyplot.show`` and ``gcf``; whether there is one now."""
        import matplotlib as mpl
        from matplotlib import pyplot as plt
        from matplotlib.backend_bases import FigureManagerBase

        with mpl.rc_context({"toolbar": "None", "figure.raise_window": False}):
            try:
                manager = plt.new_figure_manager(0, figsize=self._inches(), dpi=_DPI)
                reason = f"matplotlib's backend {mpl.get_backend()!r} has no windows"
            except ImportError as error:  # a backend was asked for that cannot be had here
                manager, reason = None, str(error)
            if manager is None or type(manager).show is FigureManagerBase.show:
                warnings.warn(
                    f"ImageViewer: {reason}; pictures are kept in .image and not shown; run where "
                    "there is a display, or set MPLBACKEND to a backend with windows, e.g. TkAgg",
                    stacklevel=3,
                )
                self.closed = True
                return False
            ax = manager.canvas.figure.add_axes((0, 0, 1, 1))
            ax.set_axis_off()
            self._artist = ax.imshow(self.image, aspect="auto", origin="upper")
            manager.set_window_title("lagom")
            manager.canvas.mpl_connect("close_event", self._forget)
            manager.show()
        self._manager = manager
        return True

    def _forget(self, event):
        self.closed, self._manager = True, None

    def close(self) -> None:
        """Close the window, if there is one; a second call does nothing."""
        manager, self._manager, self.closed = self._manager, None, True
        if manager is not None:
            manager.destroy()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()
