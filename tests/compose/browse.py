"""A person at the web page: Chromium without a window, told by lines on standard input.

Each line is a list in JSON, a command and its arguments; each gets one line in answer.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

SIZE = {"width": 1400, "height": 860}


class Person:
    """Look, click and drag on one page."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames = self.nbytes = 0
        self.last = 0.0
        page.on("websocket", lambda socket: socket.on("framereceived", self._frame))

    def _frame(self, data: bytes | str) -> None:
        self.frames += 1
        self.nbytes += len(data)
        self.last = time.monotonic()

    def open(self, url: str) -> str:
        self.page.goto(url)
        return self.page.url

    def connected(self) -> bool:
        return self.page.locator("#noVNC_container canvas").count() > 0

    def asks_for_password(self) -> bool:
        dialog = self.page.locator("#noVNC_credentials_dlg")
        return "noVNC_open" in (dialog.get_attribute("class") or "")

    def picture(self, path: str) -> None:
        self.page.screenshot(path=path)

    def click(self, x: float, y: float) -> float:
        """Return the milliseconds until the first bytes of the next picture."""
        frames, began = self.frames, time.monotonic()
        self.page.mouse.click(x, y)
        while self.frames == frames and time.monotonic() < began + 10:
            self.page.wait_for_timeout(2)
        return (time.monotonic() - began) * 1000

    def drag(self, x: float, y: float, to_x: float, to_y: float) -> None:
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(to_x, to_y, steps=10)
        self.page.mouse.up()

    def park(self) -> None:
        """Put the pointer where nothing happens."""
        self.page.mouse.move(5, SIZE["height"] - 5)

    def rest(self, seconds: float) -> list[int]:
        """Wait; return the frames and bytes that came meanwhile."""
        before = self.frames, self.nbytes
        self.page.wait_for_timeout(seconds * 1000)
        return [self.frames - before[0], self.nbytes - before[1]]


def main() -> None:
    from playwright.sync_api import sync_playwright  # of `make compose-test` alone

    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        person = Person(browser.new_page(viewport=SIZE))
        for line in sys.stdin:
            name, *arguments = json.loads(line)
            answer: Any = getattr(person, name)(*arguments)
            print(json.dumps(answer), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
