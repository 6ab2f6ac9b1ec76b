"""Builds the documentation site, with warnings as errors.

    python scripts/build_docs.py [FOLDER] [--without-examples]

Needs ``pip install -e ".[docs]"``. The pages are put together in ``FOLDER/sources``, of
``build/docs`` unless another is named, where Sphinx adds those of the reference and of the
examples, and built into ``FOLDER/html``. What a page shows of the rest of the repository is
copied beside it. Links between the built pages are checked, and where there is a browser
``scripts/look_at_pages.py`` looks at each page, on a phone and on a desktop.
``--without-examples`` shows the examples' code and does not run it.
"""

import argparse
import filecmp
import os
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "scripts" / "docs"
#: Documents that have their place elsewhere, and what they are called on the site.
ELSEWHERE = {ROOT / ".github" / "CONTRIBUTING.md": "contributing.md"}

_LINK = re.compile(r"(\]\()([^)\s]+)(\))")


def main() -> None:
    """Put the sources together and build them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "docs")
    parser.add_argument("--without-examples", action="store_true")
    arguments = parser.parse_args()
    try:
        from sphinx.cmd.build import main as sphinx
    except ImportError:
        sys.exit('Sphinx is missing. Install it by: pip install -e ".[docs]"')
    folder = arguments.folder.resolve()
    sources, html = folder / "sources", folder / "html"
    assemble(sources)
    # Warnings are errors. Jobs would run examples beside each other, which use all processors.
    options = ["--fail-on-warning", "--keep-going", "--nitpicky", "--quiet", "-b", "html"]
    if arguments.without_examples:
        options += ["-t", "without_examples"]
    code = sphinx([*options, "-d", str(folder / "doctrees"), str(sources), str(html)])
    if code:
        sys.exit(code)
    import look_at_pages  # beside this script

    problems = broken_links(html)
    reason = look_at_pages.why_not()
    if reason:
        print(f"No browser has looked at the pages: {reason}")
    else:
        problems += look_at_pages.problems_of(html)
    if problems:
        sys.exit("\n".join(problems))
    print(f"The pages are in {html / 'index.html'}")


def assemble(sources: Path) -> None:
    """Copy the pages, with links that lead to what they will be beside.

    What has not changed keeps its time, so that Sphinx reads it once.
    """
    copied = {"generated", "examples_run"}  # which Sphinx writes
    for path in sorted(PAGES.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            name = path.relative_to(PAGES)
            place(path, sources / name, sources, PAGES)
            copied.add(name.parts[0])
    for path, name in ELSEWHERE.items():
        place(path, sources / name, sources, PAGES)
        copied.add(name)
    for path in sources.iterdir():
        if path.name not in copied | {"files"}:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def place(path: Path, target: Path, sources: Path, pages: Path) -> None:
    """Copy a file; in a page of Markdown, rewrite the links that leave the pages."""
    content = path.read_bytes()
    if path.suffix == ".md":
        text = content.decode("utf-8")
        content = _LINK.sub(
            lambda match: match[1] + moved(match[2], path, target, sources, pages) + match[3],
            text,
        ).encode("utf-8")
    if not target.exists() or target.read_bytes() != content:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def moved(link: str, page: Path, target: Path, sources: Path, pages: Path) -> str:
    """Return what a link of a page becomes, and copy what it leads to if that is no page."""
    address, _, anchor = link.partition("#")
    if not address or urlsplit(link).scheme:
        return link
    file = Path(os.path.normpath(page.parent / address))
    if file in ELSEWHERE:
        there = sources / ELSEWHERE[file]
    elif file == pages / "examples":
        there = sources / "examples_run" / "index.rst"
    elif file.parent == pages / "examples":
        there = sources / "examples_run" / f"{file.stem}.rst"
    elif file.is_relative_to(pages):
        there = sources / file.relative_to(pages)
    else:
        there = sources / "files" / file.name
        there.parent.mkdir(parents=True, exist_ok=True)
        if not there.exists() or not filecmp.cmp(file, there, shallow=False):
            shutil.copy(file, there)
    relative = Path(os.path.relpath(there, target.parent)).as_posix()
    return f"{relative}#{anchor}" if anchor else relative


def broken_links(html: Path) -> list[str]:
    """Return the links between built pages that lead nowhere."""
    built = [path for path in html.rglob("*.html") if "_static" not in path.parts]
    pages = {path: path.read_text(encoding="utf-8") for path in built}
    anchors = {path: set(re.findall(r'\bid="([^"]+)"', text)) for path, text in pages.items()}
    problems = []
    for page, text in pages.items():
        for link in sorted(set(re.findall(r'\b(?:href|src)="([^"]+)"', text))):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            there = page
            if parts.path:
                there = Path(os.path.normpath(page.parent / unquote(parts.path)))
            name = unquote(parts.fragment)
            if not there.exists():
                problems.append(f"{page.relative_to(html)}: {link} leads nowhere.")
            elif name and there in anchors and name not in anchors[there]:
                problems.append(f"{page.relative_to(html)}: {link} has no such anchor.")
    return problems


if __name__ == "__main__":
    main()
