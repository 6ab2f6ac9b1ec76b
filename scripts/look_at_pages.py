"""Looks at built pages in a headless browser, as wide as a phone and as a desktop.

    python scripts/look_at_pages.py FOLDER [--screenshots FOLDER]

Needs Playwright, which ``pip install -e ".[docs]"`` brings, and a Chromium or Chrome of the
system. On a page nothing may be wider than the screen but what scrolls by itself, every file
that it asks for has to be there, every picture has to be drawn, and its scripts may complain
of nothing. Nothing is fetched: what a page wants from elsewhere is answered by nothing.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Pixels: a phone held upright, and a window on a desktop.
SCREENS = {"phone": (390, 844), "desktop": (1280, 900)}
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

# A phone lays out what does not fit on a wider page, of which it shows a part or tiny letters.
_TOO_WIDE = """width => {
    const scrolls = element => getComputedStyle(element).overflowX !== "visible";
    const found = [];
    for (const element of document.querySelectorAll("body *")) {
        const box = element.getBoundingClientRect();
        if (box.width === 0 || box.height === 0 || box.right <= width + 1) continue;
        let parent = element.parentElement;
        while (parent !== document.body && !scrolls(parent)) parent = parent.parentElement;
        if (parent === document.body) found.push(
            `<${element.localName} class="${element.getAttribute("class") ?? ""}">` +
            ` reaches ${Math.round(box.right)} of ${width} pixels`);
    }
    const whole = Math.max(window.innerWidth, document.documentElement.scrollWidth);
    if (found.length === 0 && whole > width)
        found.push(`the page has ${whole} of ${width} pixels`);
    return found;
}"""
_NOT_DRAWN = """() => [...document.images]
    .filter(image => image.complete && image.naturalWidth === 0)
    .map(image => image.getAttribute("src"))"""


def why_not() -> str:
    """Return why no page can be looked at here, or ''."""
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "Playwright is missing: pip install playwright"
    return "" if program() else f"there is none of {', '.join(_PROGRAMS)} on PATH"


def program() -> str | None:
    """Return the path of the browser, or None."""
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


class Viewer:
    """A browser that opens one page after the other, and notes what is wrong with each."""

    def __init__(self, browser) -> None:
        width, height = SCREENS["phone"]
        # As on a phone, a page says itself that it fits a narrow screen.
        context = browser.new_context(
            viewport={"width": width, "height": height}, is_mobile=True
        )
        context.route("**/*", self._answer)
        #: Playwright's page, to be clicked on.
        self.page = context.new_page()
        self.page.set_default_timeout(20_000)
        self._noted: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self._noted.append(f"a script fails: {error}"))
        self.page.on("requestfailed", lambda request: self._miss(request.url))

    def problems(self, path: Path, screenshots: Path | None = None) -> list[str]:
        """Open the page of a file on each screen; return what is wrong with it."""
        self._noted = []
        for screen, (width, height) in SCREENS.items():
            self.page.set_viewport_size({"width": width, "height": height})
            if screen == "phone":
                self.page.goto(path.resolve().as_uri())
            self._noted += [f"on a {screen} {text}" for text in self.too_wide()]
            if screenshots is not None:
                screenshots.mkdir(parents=True, exist_ok=True)
                self.page.screenshot(path=screenshots / f"{path.stem}-{screen}.png")
        sources = self.page.evaluate(_NOT_DRAWN)
        self._noted += [f"the picture {source} is not drawn" for source in sources]
        return list(dict.fromkeys(self._noted))

    def too_wide(self) -> list[str]:
        """Return what of the page, as it is now, is wider than the screen."""
        return self.page.evaluate(_TOO_WIDE, self.page.viewport_size["width"])

    def _answer(self, route) -> None:
        if route.request.url.startswith(("file:", "data:", "blob:")):
            route.continue_()
        else:
            route.fulfill(status=200, body="")

    def _hear(self, message) -> None:
        # What is not loaded is noted with its address.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self._noted.append(f"a script says: {message.text}")

    def _miss(self, url: str) -> None:
        self._noted.append(f"{url.rpartition('/')[2]} cannot be loaded")


@contextmanager
def viewer() -> Iterator[Viewer]:
    """Start a browser, and end it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program())
        try:
            yield Viewer(browser)
        finally:
            browser.close()


def pages_in(folder: Path) -> list[Path]:
    """Return the pages of a built site."""
    return [path for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts]


def problems_of(folder: Path, screenshots: Path | None = None) -> list[str]:
    """Look at all pages of a site; return what is wrong, with the names of the pages."""
    with viewer() as looking:
        return [
            f"{path.relative_to(folder)}: {problem}"
            for path in pages_in(folder)
            for problem in looking.problems(path, screenshots)
        ]


def main() -> None:
    """Look at the pages of a folder."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER")
    arguments = parser.parse_args()
    reason = why_not()
    n_pages = len(pages_in(arguments.folder))
    if reason or not n_pages:
        sys.exit(reason or f"there are no pages in {arguments.folder}")
    problems = problems_of(arguments.folder, arguments.screenshots)
    if problems:
        sys.exit("\n".join(problems))
    print(f"{n_pages} pages are in order on {' and '.join(SCREENS)}.")


if __name__ == "__main__":
    main()
