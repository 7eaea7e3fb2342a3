"""Films of environments, as files: mp4 where there is an ``ffmpeg``, otherwise WebP or GIF."""

import io
import shutil
import subprocess
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np

from lagom.experiment.storage import write_bytes
from lagom.vis.grid import GridImage

SUFFIXES = (".mp4", ".webp", ".gif")
_MAX_BYTES = 400_000_000  # of the pictures of a WebP or GIF, which are all in memory in the end


class VideoWriter:
    """Collects pictures and writes them to a file when it is closed; a context manager.

    An mp4 (H.264) needs ``ffmpeg``, on the path or in the package imageio-ffmpeg, to which every
    picture goes at once.  Where there is none, ``path`` ends in ``.webp`` instead.  WebP and GIF
    are made in memory by Pillow; of long films every second picture is dropped, and again, until
    the rest is below 400 MB, at a rate that keeps their speed.

    If the ``with`` block ends in an exception, nothing is written.

    Args:
        path (Path): ``.mp4``, ``.webp`` or ``.gif``.
        fps (float): pictures a second.

    Attributes:
        path (Path): the file that is written, which is not the one named if there is no ``ffmpeg``.
        num (int): pictures given so far.

    Raises:
        ValueError: the name ends differently, or ``fps`` is not positive.
    """

    def __init__(self, path, fps):
        self.path, self.fps, self.num = Path(path), float(fps), 0
        if self.path.suffix.lower() not in SUFFIXES:
            raise ValueError(
                f"VideoWriter: {str(path)!r} is no film; expected a name in {', '.join(SUFFIXES)}"
            )
        if not 0 < self.fps < 1000:
            raise ValueError(f"VideoWriter: fps is {fps!r}; expected a number between 0 and 1000")
        self._program = None
        if self.path.suffix.lower() == ".mp4":
            self._program = find_ffmpeg()
            if self._program is None:
                self.path = self.path.with_suffix(".webp")
        self._shape = self._process = self._folder = None
        self._pictures, self._every = [], 1

    def __call__(self, picture):
        """Add a picture.

        Args:
            picture (ndarray): ``[H, W, 3]`` uint8, of the same size each time.

        Raises:
            ValueError: it is another.
            RuntimeError: ``ffmpeg`` has given up; the message holds its last line.
        """
        picture = np.ascontiguousarray(picture)
        is_picture = picture.ndim == 3 and picture.shape[2] == 3 and picture.dtype == np.uint8
        if not is_picture or self._shape not in (None, picture.shape):
            expected = self._shape or "[H, W, 3]"
            raise ValueError(
                f"VideoWriter: got shape {picture.shape} of {picture.dtype}; "
                f"expected {expected} of uint8"
            )
        self._shape = picture.shape
        if self._program is not None:
            self._pipe(picture)
        elif self.num % self._every == 0:
            self._keep(picture)
        self.num += 1

    def _keep(self, picture):
        self._pictures.append(zlib.compress(picture.data, 1))  # most of a picture is background
        if len(self._pictures) * picture.nbytes > _MAX_BYTES and len(self._pictures) > 1:
            self._pictures, self._every = self._pictures[::2], 2 * self._every

    def _pipe(self, picture):
        if self._process is None:
            self._folder = tempfile.TemporaryDirectory(prefix="lagom-")
            self._errors = open(Path(self._folder.name, "errors"), "w+b")  # noqa: SIM115
            H, W, _ = self._shape
            self._process = subprocess.Popen(
                [
                    *(self._program, "-y", "-loglevel", "error", "-f", "rawvideo"),
                    *("-pix_fmt", "rgb24", "-s", f"{W}x{H}", "-r", f"{self.fps:g}", "-i", "-"),
                    # Browsers and slides want 4:2:0, which wants even numbers of pixels.
                    *("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"),
                    *("-c:v", "libx264", "-crf", "20", "-movflags", "+faststart"),
                    str(Path(self._folder.name, "film.mp4")),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
            )
        try:
            self._process.stdin.write(picture.data)
        except BrokenPipeError:
            raise self._failure() from None

    def _failure(self):
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return RuntimeError(f"VideoWriter: ffmpeg failed: {lines[-1] if lines else 'no reason'}")

    def close(self):
        """Write the file; nothing without pictures.

        Raises:
            OSError: it cannot be written.
            RuntimeError: ``ffmpeg`` has given up.
        """
        try:
            if self._process is not None:
                with suppress(BrokenPipeError):
                    self._process.stdin.close()
                if self._process.wait():
                    raise self._failure()
                write_bytes(self.path, Path(self._folder.name, "film.mp4").read_bytes())
            elif self._pictures:
                write_bytes(self.path, self._animate())
        finally:
            self._clean()

    def _animate(self):
        """The pictures as WebP or GIF."""
        from PIL import Image

        size = self._shape[1], self._shape[0]
        first, *rest = (
            Image.frombytes("RGB", size, zlib.decompress(data)) for data in self._pictures
        )
        file, milliseconds = io.BytesIO(), 1000 * self._every / self.fps
        options = {"save_all": True, "append_images": rest, "loop": 0}
        if self.path.suffix.lower() == ".gif":
            first.save(file, "GIF", duration=max(20, round(milliseconds)), **options)
        else:
            first.save(file, "WEBP", duration=max(1, round(milliseconds)), quality=75, **options)
        return file.getvalue()

    def _clean(self):
        process, self._process, self._pictures = self._process, None, []
        if process is not None:
            process.kill()  # does nothing to one that has ended
            process.wait()
            with suppress(OSError):  # what it would still flush, nobody reads
                process.stdin.close()
            self._errors.close()
            self._folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.close()
        else:
            self._clean()


def find_ffmpeg():
    """The path of an ``ffmpeg``, from this machine or the package imageio-ffmpeg; None without."""
    if found := shutil.which("ffmpeg"):
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        return None


class Film:
    """Records the first episode of some sub-environments, side by side; one that ends stands still.

    What an episode ends on is not shown: by then the environment has been reset.

    Args:
        writer (VideoWriter): where pictures go.
        num (int): sub-environments, from the first one.
    """

    def __init__(self, writer, num):
        self.writer = writer
        self.pictures, self.ended = [None] * num, [False] * num

    def __call__(self, env, done):
        """Take a picture after ``reset`` or ``step``.

        Args:
            env (VecEnv): made with ``render_mode="rgb_array"``.
            done (ndarray): ``[B]``, whose episode has just ended.

        Raises:
            ValueError: an environment renders no picture.
        """
        for b in range(len(self.ended)):
            self.ended[b] = self.ended[b] or bool(done[b])
            if not self.ended[b]:
                self.pictures[b] = _picture(env.get_image(b))
        if all(self.ended):
            return
        if len(self.pictures) == 1:
            self.writer(self.pictures[0])
            return
        grid = GridImage(ncol=_num_column(len(self.pictures)), padding=2, pad_value=128)
        grid.add(np.stack(self.pictures).transpose(0, 3, 1, 2))
        self.writer(grid())


def _picture(rendered):
    rendered = np.asarray(rendered)
    if rendered.ndim != 3 or rendered.shape[2] != 3:
        raise ValueError(
            f"Film: the environment rendered shape {rendered.shape} of {rendered.dtype}; "
            "expected a picture [H, W, 3]"
        )
    return rendered.astype(np.uint8, copy=False)


def _num_column(num):
    """Columns of a grid that is about as wide as it is high, and not higher: 2 for 3, 3 for 5."""
    return int(np.ceil(np.sqrt(num)))
