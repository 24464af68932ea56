"""Headless Chromium over its debugging pipe: no driver, no socket, no package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe")


def find() -> str:
    """The browser's path; empty where there is none."""
    return next(filter(None, map(shutil.which, NAMES)), "")


class Page:
    """One page in a browser, and what it said and asked for meanwhile.

    Attributes:
        said: console messages, log entries and exceptions.
        asked: addresses that it loaded.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self._reading = os.fdopen(reading, "rb", buffering=0)
        self._writing = os.fdopen(writing, "wb", buffering=0)
        self._rest = b""
        self._count = 0
        self._session = ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask the browser for something, and wait for the answer."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._writing.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return cast("dict[str, Any]", answer["result"])

    def open(self, path: Path) -> None:
        """Load a file and wait until all of it is there."""
        self.call("Page.navigate", url=path.as_uri())
        while not self.value("document.readyState === 'complete' && location.protocol === 'file:'"):
            pass

    def value(self, expression: str) -> Any:
        """What an expression is in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def press(self, key: str, code: int, text: str = "") -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text
            )

    def size(self, width: int, height: int, scheme: str) -> None:
        """A screen of this size in CSS pixels, ``light`` or ``dark``."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            found = self._reading.read(1 << 16)
            assert found, "the browser has gone"
            self._rest += found
        message, _, self._rest = self._rest.partition(b"\0")
        told = cast("dict[str, Any]", json.loads(message))
        parameters = told.get("params", {})
        match told.get("method"):
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded":
                self.said.append(json.dumps(parameters))
            case "Network.requestWillBeSent":
                self.asked.append(parameters["request"]["url"])
        return told

    def close(self) -> None:
        self._writing.close()
        self._reading.close()


@contextmanager
def page(profile: Path) -> Iterator[Page]:
    """A page in a browser of its own."""
    to_browser, writing = os.pipe()
    reading, from_browser = os.pipe()
    pipes = f"exec {find()} {' '.join(OPTIONS)} --user-data-dir='{profile}' 3<&{to_browser} 4>&{from_browser}"
    process = subprocess.Popen(
        ["bash", "-c", pipes],
        pass_fds=(to_browser, from_browser),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_browser)
    os.close(from_browser)
    opened = Page(reading, writing)
    try:
        yield opened
    finally:
        opened.close()
        process.terminate()
        process.wait(timeout=20)
