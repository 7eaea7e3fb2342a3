"""Chromium without a window, spoken to over a pipe."""

import base64
import itertools
import json
import os
import select
import shutil
import time

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page in a headless browser that has no network.

    Args:
        folder (Path): where its profile may live.
    """

    def __init__(self, folder):
        words = [
            CHROMIUM, "--headless=new", "--remote-debugging-pipe", "--no-sandbox", "--disable-gpu",
            "--no-first-run", "--hide-scrollbars", "--disable-dev-shm-usage",
            f"--user-data-dir={folder}", "--host-resolver-rules=MAP * ~NOTFOUND", "about:blank",
        ]  # fmt: skip
        child_in, self.to = os.pipe()
        self.back, child_out = os.pipe()
        void = os.open(os.devnull, os.O_RDWR)
        actions = [(void, 0), (void, 1), (void, 2), (child_in, 3), (child_out, 4)]
        # Places far above those that the child wants.
        high = [(os.dup2(old, 100 + i), new) for i, (old, new) in enumerate(actions)]
        moves = [(os.POSIX_SPAWN_DUP2, old, new) for old, new in high]
        self.pid = os.posix_spawn(CHROMIUM, words, os.environ, file_actions=moves)
        for file in (void, child_in, child_out, *(old for old, _ in high)):
            os.close(file)
        self.numbers, self.rest, self.events, self.session = itertools.count(1), b"", [], None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        attached = self("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")

    def __call__(self, method, **parameters):
        """Send a command of the DevTools protocol; return its result."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']}")
        return answer["result"]

    def _read(self):
        deadline = time.monotonic() + 60
        while b"\0" not in self.rest:
            if not select.select([self.back], [], [], deadline - time.monotonic())[0]:
                raise TimeoutError("the browser does not answer")
            chunk = os.read(self.back, 1 << 20)
            if not chunk:
                raise RuntimeError("the browser is gone")
            self.rest += chunk
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def open(self, path, width=1200, height=900, dark=False, scale=1):
        """Load a file; forget what the last one has said."""
        self("Emulation.setDeviceMetricsOverride", width=width, height=height,
             deviceScaleFactor=scale, mobile=False)  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self("Emulation.setEmulatedMedia", features=[scheme])
        self.events = []
        self("Page.navigate", url=path.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._read())

    def js(self, expression):
        """The value of an expression in the page."""
        answer = self("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"]["description"])
        return answer["result"].get("value")

    def mouse(self, kind, x, y, **more):
        """An event of the mouse: Moved, Pressed, Released."""
        self("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **more)

    def complaints(self):
        """Errors and warnings of the page so far."""
        self.js("0")
        kinds = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        return [event["params"] for event in self.events if event.get("method") in kinds]

    def requests(self):
        """Addresses that the page asked for."""
        sent = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]

    def picture(self, path, whole=True):
        """A screenshot as PNG."""
        data = self("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def close(self):
        """End it."""
        self.session = None
        self("Browser.close")
        os.waitpid(self.pid, 0)
        os.close(self.to)
        os.close(self.back)
