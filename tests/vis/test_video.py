import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from lagom.vis import video as module
from lagom.vis.video import Film, VideoWriter, find_ffmpeg


def picture(level, H=6, W=8):
    return np.full((H, W, 3), level, np.uint8)


def read(path):
    """Levels and durations (ms) of the pictures in a file."""
    image, levels, durations = Image.open(io.BytesIO(path.read_bytes())), [], []
    for i in range(image.n_frames):
        image.seek(i)
        image.load()
        levels.append(int(np.asarray(image.convert("RGB")).mean().round()))
        durations.append(image.info["duration"])
    return levels, durations


@pytest.fixture
def no_ffmpeg(monkeypatch):
    monkeypatch.setattr(module, "find_ffmpeg", lambda: None)


@pytest.fixture
def fake_ffmpeg(tmp_path, monkeypatch):
    """A program that writes what it is told and what it gets into the file that it is told."""
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nfor last; do :; done\n{ echo "$@"; cat; } > "$last"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    return program


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_pictures_and_their_speed(tmp_path, suffix):
    with VideoWriter(tmp_path / f"film{suffix}", fps=20) as writer:
        for level in (0, 100, 200):
            writer(picture(level))

    levels, durations = read(tmp_path / f"film{suffix}")
    assert levels == pytest.approx([0, 100, 200], abs=3)
    assert durations == [50, 50, 50]
    assert writer.num == 3
    assert [path.name for path in tmp_path.iterdir()] == [f"film{suffix}"]


def test_raw_pictures_go_to_ffmpeg(tmp_path, fake_ffmpeg):
    with VideoWriter(tmp_path / "film.MP4", fps=12.5) as writer:
        writer(picture(65)[:, ::-1])
        writer(picture(66))

    words, _, pixels = (tmp_path / "film.MP4").read_bytes().partition(b"\n")
    assert b"-pix_fmt rgb24 -s 8x6 -r 12.5 -i -" in words
    assert pixels == b"A" * (6 * 8 * 3) + b"B" * (6 * 8 * 3)
    assert find_ffmpeg() == str(fake_ffmpeg)


def test_an_mp4_without_ffmpeg_is_a_webp(tmp_path, no_ffmpeg):
    with VideoWriter(tmp_path / "film.mp4", fps=10) as writer:
        writer(picture(7))

    assert writer.path == tmp_path / "film.webp"
    assert Image.open(io.BytesIO(writer.path.read_bytes())).format == "WEBP"


def test_a_package_may_bring_ffmpeg(monkeypatch):
    monkeypatch.setenv("PATH", "")
    package = SimpleNamespace(get_ffmpeg_exe=lambda: "here")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", package)
    assert find_ffmpeg() == "here"

    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert find_ffmpeg() is None


def test_long_films_lose_every_second_picture_and_keep_their_speed(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MAX_BYTES", 4 * 6 * 8 * 3)  # four pictures
    with VideoWriter(tmp_path / "film.gif", fps=50) as writer:
        for level in range(0, 220, 20):  # 11 pictures
            writer(picture(level))

    # The fifth leaves 0, 2, 4; of every second one more, 6 and 8, leave 0, 4, 8.
    assert read(tmp_path / "film.gif") == ([0, 80, 160], [80, 80, 80])


def record(path, pictures):
    with VideoWriter(path, 10) as writer:
        for one in pictures:
            writer(one)


def breaking():
    yield picture(1)
    raise KeyError


def test_what_breaks_off_leaves_nothing(tmp_path, fake_ffmpeg):
    for name in ("film.gif", "film.mp4"):
        with pytest.raises(KeyError):
            record(tmp_path / name, breaking())
        assert not (tmp_path / name).exists()
    VideoWriter(tmp_path / "empty.gif", 10).close()
    assert not (tmp_path / "empty.gif").exists()


def test_ffmpeg_may_give_up(tmp_path, fake_ffmpeg):
    fake_ffmpeg.write_text("#!/bin/sh\ncat > /dev/null\necho no such codec >&2\nexit 1\n")
    with pytest.raises(RuntimeError, match="ffmpeg failed: no such codec"):
        record(tmp_path / "film.mp4", [picture(1)])

    fake_ffmpeg.write_text("#!/bin/sh\nexec 0<&-\nexit 1\n")
    with pytest.raises(RuntimeError, match="ffmpeg failed: no reason"):
        record(tmp_path / "film.mp4", [picture(1, 100, 100)] * 100)  # more than a pipe holds
    assert not (tmp_path / "film.mp4").exists()


def test_what_is_no_film():
    with pytest.raises(ValueError, match=r"'a.avi' is no film; expected a name in .mp4, .webp"):
        VideoWriter("a.avi", 10)
    with pytest.raises(ValueError, match="fps is 0; expected a number between 0 and 1000"):
        VideoWriter("a.gif", 0)
    writer = VideoWriter("a.gif", 10)
    with pytest.raises(ValueError, match=r"got shape \(6, 8\) of uint8; expected \[H, W, 3\]"):
        writer(picture(0)[..., 0])
    writer(picture(0))
    with pytest.raises(ValueError, match=r"got shape \(6, 9, 3\) of uint8; expected \(6, 8, 3\)"):
        writer(picture(0, W=9))


class Env:
    """Sub-environments that render what they are told."""

    def __init__(self, *levels):
        self.levels = list(levels)

    def get_image(self, b):
        return picture(self.levels[b])


def test_episodes_side_by_side_and_those_that_ended_stand_still():
    frames, env = [], Env(10, 20, 30)
    film = Film(frames.append, 2)  # the third is not shown

    film(env, np.array([False, False, False]))
    env.levels[:2] = 11, 21
    film(env, np.array([True, False, False]))  # 11 is the next episode's already
    env.levels[:2] = 12, 22
    film(env, np.array([False, False, True]))
    film(env, np.array([False, True, False]))
    film(env, np.array([False, False, False]))

    assert [f.shape for f in frames] == [(10, 22, 3)] * 3  # a border of 2 around each
    assert [(f[5, 5, 0], f[5, 15, 0]) for f in frames] == [(10, 20), (10, 21), (10, 22)]
    assert frames[0][0, 0, 0] == 128


def test_one_episode_has_no_border():
    frames = []
    Film(frames.append, 1)(Env(5), np.array([False]))

    assert (frames[0] == picture(5)).all()


def test_what_renders_nothing():
    film, env = Film(print, 1), SimpleNamespace(get_image=lambda b: None)
    with pytest.raises(ValueError, match=r"rendered shape \(\) of object; expected a picture"):
        film(env, np.array([False]))
