import os
import subprocess
import sys

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.backend_bases import CloseEvent, FigureManagerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lagom.vis import ImageViewer


class Canvas(FigureCanvasAgg):
    num_flush = 0

    def flush_events(self):
        self.num_flush += 1


class Window(FigureManagerBase):
    """A window that nobody sees."""

    shown = destroyed = 0
    size = None

    def show(self):
        self.shown += 1

    def resize(self, width, height):
        self.size = (width, height)

    def destroy(self):
        self.destroyed += 1

    def close_by_hand(self):
        CloseEvent("close_event", self.canvas)._process()

    def pixels(self):
        return np.asarray(self.canvas.buffer_rgba())[..., :3]


@pytest.fixture
def windows(monkeypatch):
    """The windows that were opened."""
    opened = []

    def new_figure_manager(num, **kwargs):
        opened.append(Window(Canvas(Figure(**kwargs)), num))
        return opened[-1]

    monkeypatch.setattr(plt, "new_figure_manager", new_figure_manager)
    return opened


def picture(H, W, seed=0):
    return np.random.default_rng(seed).integers(256, size=(H, W, 3), dtype=np.uint8)


def test_the_window_shows_the_latest_picture(windows):
    viewer = ImageViewer()
    viewer(picture(20, 29))
    np.testing.assert_array_equal(windows[0].pixels(), picture(20, 29))
    viewer(picture(20, 29, seed=1))

    (window,) = windows
    np.testing.assert_array_equal(window.pixels(), picture(20, 29, seed=1))
    np.testing.assert_array_equal(viewer.image, picture(20, 29, seed=1))
    assert (window.shown, window.canvas.num_flush, viewer.closed) == (1, 2, False)
    assert plt.get_fignums() == []


def test_wide_pictures_are_scaled_down(windows):
    x = np.zeros((40, 60, 3), np.uint8)
    x[:, :30, 0] = 255

    viewer = ImageViewer(max_width=30)
    viewer(x)

    pixels = windows[0].pixels()
    assert pixels.shape == (20, 30, 3)
    assert (pixels[:, :13, 0] == 255).all()
    assert not pixels[:, 17:].any()
    assert viewer.image.shape == (40, 60, 3)
    viewer(np.zeros((1, 900, 3), np.uint8))
    assert windows[0].pixels().shape == (1, 30, 3)


def test_the_window_follows_the_size_of_the_picture(windows):
    viewer = ImageViewer(max_width=100)
    viewer(picture(20, 30))
    viewer(picture(20, 30))
    assert windows[0].size == (30, 20)
    windows[0].size = None  # what a user would change is left alone
    viewer(picture(20, 30))
    assert windows[0].size is None
    viewer(picture(48, 400))
    assert windows[0].size == (100, 12)
    viewer(picture(7, 5))

    np.testing.assert_array_equal(windows[0].pixels(), picture(7, 5))


def test_pictures_are_copied(windows):
    viewer, x = ImageViewer(), picture(20, 30)
    viewer(x)
    x[:] = 0

    np.testing.assert_array_equal(viewer.image, picture(20, 30))


def test_close(windows):
    with ImageViewer() as viewer:
        assert not viewer.closed
        viewer(picture(2, 2))
    viewer.close()
    viewer(picture(2, 2, seed=1))

    assert viewer.closed
    assert [window.destroyed for window in windows] == [1]
    np.testing.assert_array_equal(viewer.image, picture(2, 2, seed=1))
    unused = ImageViewer()
    unused.close()
    assert unused.closed


def test_closed_by_hand(windows):
    viewer = ImageViewer()
    viewer(picture(2, 2))
    windows[0].close_by_hand()
    viewer(picture(2, 2, seed=1))
    assert viewer.closed
    viewer.close()

    assert [window.destroyed for window in windows] == [0]
    np.testing.assert_array_equal(viewer.image, picture(2, 2, seed=1))


def test_without_windows_the_latest_picture_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    viewer = ImageViewer()

    with pytest.warns(UserWarning, match="backend 'agg' has no windows; pictures are kept") as told:
        viewer(picture(2, 2))
    viewer(picture(2, 2, seed=1))  # warnings are errors: it is said once

    assert told[0].filename == __file__
    np.testing.assert_array_equal(viewer.image, picture(2, 2, seed=1))
    viewer.close()
    assert (list(tmp_path.iterdir()), plt.get_fignums()) == ([], [])


def test_a_backend_that_cannot_be_had(monkeypatch):
    def new_figure_manager(num, **kwargs):
        raise ImportError("Failed to import any Qt binding")

    monkeypatch.setattr(plt, "new_figure_manager", new_figure_manager)
    viewer = ImageViewer()

    with pytest.warns(UserWarning, match="ImageViewer: Failed to import any Qt binding; pictures"):
        viewer(picture(2, 2))

    np.testing.assert_array_equal(viewer.image, picture(2, 2))


def test_wrong_pictures_are_refused():
    viewer = ImageViewer()
    for x in (
        np.zeros((4, 6), np.uint8),
        np.zeros((3, 4, 6), np.uint8),
        np.zeros((4, 6, 4), np.uint8),
        np.zeros((1, 4, 6, 3), np.uint8),
        np.zeros((4, 6, 3)),
        np.zeros((0, 6, 3), np.uint8),
    ):
        with pytest.raises(
            ValueError, match="ImageViewer: got shape .* expected .H, W, 3. of uint"
        ):
            viewer(x)
    assert viewer.image is None
    with pytest.raises(ValueError, match="max_width is 0; expected at least 1 pixel"):
        ImageViewer(max_width=0)


REAL = """
import numpy as np
from lagom.vis import ImageViewer

x = np.zeros((400, 600, 3), np.uint8)
x[:, :, 1] = 200
with ImageViewer(max_width=300) as viewer:
    viewer(x)
    viewer(x)
    window, canvas = viewer._manager.window, viewer._manager.canvas
    assert window.winfo_viewable()
    assert abs(window.winfo_width() / window.winfo_height() - 1.5) < 0.02
    assert set(np.asarray(canvas.buffer_rgba())[..., 1].flat) == {200}
    command = window.protocol("WM_DELETE_WINDOW")
    window.after(0, lambda: window.tk.call(command))  # the cross in its corner
    viewer(x)
    assert viewer.closed
    viewer(x)
with ImageViewer() as viewer:
    viewer(x)
assert viewer._manager is None
print("seen")
"""


@pytest.mark.skipif(not os.environ.get("DISPLAY"), reason="no display")
def test_a_real_window():
    env = {**os.environ, "MPLBACKEND": "TkAgg"}
    command = [sys.executable, "-W", "error", "-c", REAL]
    out = subprocess.run(command, env=env, capture_output=True, text=True)

    assert (out.stdout, out.stderr) == ("seen\n", "")
