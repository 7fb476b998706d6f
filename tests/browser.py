"""A headless Chromium, spoken to over a pipe: what a page looks like, and what it does."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

SECONDS = 20.0

WIRE = """
import os, sys
for given, safe in zip(sys.argv[1:3], (100, 101)):  # one of them may be a 3 or a 4 itself
    os.dup2(int(given), safe)
os.dup2(100, 3)
os.dup2(101, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Becomes a browser, which reads from 3 and writes to 4, without forking this process."""


def find() -> str | None:
    """Returns the program; None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@contextlib.contextmanager
def running() -> Iterator[Browser]:
    """Starts a Chromium with nothing in its profile, and ends it."""
    program = find()
    assert program is not None
    ours_in, theirs_out = os.pipe()
    theirs_in, ours_out = os.pipe()
    profile = tempfile.mkdtemp()

    flags = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"]
    flags += ["--remote-debugging-pipe", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    flags += ["--disable-background-networking", "--no-first-run", f"--user-data-dir={profile}"]
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            WIRE,
            f"{theirs_in}",
            f"{theirs_out}",
            program,
            *flags,
            "about:blank",
        ],
        pass_fds=(theirs_in, theirs_out),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        yield Browser(ours_in, ours_out)
    finally:
        for handle in (ours_in, ours_out):
            os.close(handle)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(profile, ignore_errors=True)


class Browser:
    """The pipe to a browser.

    Attributes:
      events: What it has told without being asked.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._rest = b""
        self._count = 0
        self.events: list[dict[str, Any]] = []

    def send(self, method: str, session: str | None = None, /, **params: Any) -> dict[str, Any]:
        """Asks for something, and waits for the answer."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._writing, data) :]
        end = time.monotonic() + SECONDS
        while True:
            answer = self._read(end - time.monotonic())
            if answer is None:
                raise TimeoutError(f"Chromium did not answer {method}")
            if answer.get("id") == self._count:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.events.append(answer)

    def _read(self, seconds: float) -> dict[str, Any] | None:
        while b"\0" not in self._rest:
            if seconds <= 0 or not select.select([self._reading], [], [], seconds)[0]:
                return None
            part = os.read(self._reading, 1 << 20)
            if not part:
                raise RuntimeError("Chromium has ended")
            self._rest += part
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, path: Path, width: int = 1440, height: int = 900, **media: str) -> Page:
        """Opens a file in a new tab, and waits until its scripts have started."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, target, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.send(f"{domain}.enable")
        page.resize(width, height)
        if media:
            features = [{"name": k.replace("_", "-"), "value": v} for k, v in media.items()]
            page.send("Emulation.setEmulatedMedia", features=features)
        start = time.monotonic()
        page.send("Page.navigate", url=path.resolve().as_uri())
        page.wait("document.documentElement?.dataset.ready === 'true'")
        page.seconds = time.monotonic() - start
        return page


class Page:
    """A tab.

    Attributes:
      seconds: From the call until the scripts of the page had started.
    """

    def __init__(self, browser: Browser, target: str, session: str) -> None:
        self.browser, self.target, self.session = browser, target, session
        self.seconds = 0.0

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Asks for something in this tab."""
        return self.browser.send(method, self.session, **params)

    def run(self, script: str) -> Any:
        """Returns the value of an expression of JavaScript."""
        given = {"expression": script, "returnByValue": True, "awaitPromise": True}
        found = self.send("Runtime.evaluate", **given)
        if "exceptionDetails" in found:
            raise AssertionError(f"{script}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = SECONDS) -> None:
        """Waits until an expression is true."""
        end = time.monotonic() + seconds
        while not self._holds(script):
            assert time.monotonic() < end, f"in vain: {script}; {self.complaints()}"
            time.sleep(0.02)

    def _holds(self, script: str) -> bool:
        try:
            return bool(self.run(script))
        except (RuntimeError, AssertionError):  # The page is only just being read.
            return False

    def resize(self, width: int, height: int) -> None:
        """Gives the tab a size, in pixels."""
        shape = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.send("Emulation.setDeviceMetricsOverride", **shape)

    def see(self, selector: str) -> None:
        """Scrolls to an element, and waits until nothing moves any more."""
        self.run(
            f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block:'center'}})"
        )
        self.settle()

    def settle(self) -> None:
        """Waits for two frames."""
        self.run("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => r(1))))")

    def middle(self, selector: str) -> tuple[float, float]:
        """Returns where the middle of an element is on the screen."""
        box = self.run(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        return box[0], box[1]

    def mouse(self, kind: str, x: float, y: float, buttons: int = 0) -> None:
        """Moves or presses the mouse: "Moved", "Pressed" or "Released"."""
        button = "left" if kind != "Moved" or buttons else "none"
        given = {"type": f"mouse{kind}", "x": x, "y": y, "button": button, "buttons": buttons}
        self.send("Input.dispatchMouseEvent", **given, clickCount=int(kind != "Moved"))

    def click(self, selector: str) -> None:
        """Clicks on the middle of an element."""
        self.see(selector)
        x, y = self.middle(selector)
        self.mouse("Moved", x, y)
        self.mouse("Pressed", x, y, 1)
        self.mouse("Released", x, y)

    def key(self, name: str, code: int, text: str = "") -> None:
        """Presses a key."""
        given = {"key": name, "code": name, "windowsVirtualKeyCode": code}
        more = {"text": text} if text else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", **given, **more)
        self.send("Input.dispatchKeyEvent", type="keyUp", **given)

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Writes what is seen, or the whole page, as a PNG."""
        given: dict[str, Any] = {"captureBeyondViewport": whole}
        if whole:
            size = self.send("Page.getLayoutMetrics")["cssContentSize"]
            box = {"x": 0, "y": 0, "width": size["width"], "height": min(size["height"], 16000)}
            given["clip"] = {**box, "scale": 1}
        found = self.send("Page.captureScreenshot", format="png", **given)
        path.write_bytes(base64.b64decode(found["data"]))

    def printed(self) -> bytes:
        """Returns the page as a PDF on A4."""
        given = {"paperWidth": 8.27, "paperHeight": 11.69, "preferCSSPageSize": False}
        found = self.send("Page.printToPDF", printBackground=False, **given)
        return base64.b64decode(found["data"])

    def told(self, *methods: str) -> list[dict[str, Any]]:
        """Returns what this tab has told of these kinds."""
        self.settle()
        return [
            event["params"]
            for event in self.browser.events
            if event.get("sessionId") == self.session and event["method"] in methods
        ]

    def complaints(self) -> list[str]:
        """Returns the errors and warnings of the console."""
        found = []
        for event in self.told(
            "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"
        ):
            entry = event.get("entry", event)
            level = entry.get("level", event.get("type", "error"))
            if entry.get("source") == "rendering":  # Advice on speed, from the 3D library.
                continue
            if "exceptionDetails" in event or level in ("error", "warning", "assert"):
                found.append(json.dumps(event)[:600])
        return found

    def fetched(self) -> list[str]:
        """Returns the addresses that were asked for, save the file itself and what is in it."""
        asked = [event["request"]["url"] for event in self.told("Network.requestWillBeSent")]
        return [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]

    def close(self) -> None:
        """Closes the tab."""
        self.browser.send("Target.closeTarget", targetId=self.target)
