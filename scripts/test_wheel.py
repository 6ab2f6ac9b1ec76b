"""Builds a wheel as releases do, and uses it where nothing else is installed.

    python scripts/test_wheel.py [WHEEL]

Without a WHEEL the source distribution is built, a wheel from that, and both are checked by
``twine check --strict``: that needs ``pip install build twine``. In a new virtual
environment the wheel with what it needs, and no extra, does what the README shows and is
found by its command; with the extra ``plot`` it takes the README's tour. The wheel is small
and holds the package only.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_MOST_BYTES = 10**6
_SECONDS = 900

# What users have to ask for by an extra: none of it comes with the wheel, or is imported.
_OPTIONAL = ("matplotlib", "onnx", "pandas", "polars", "skops", "tensorboardX", "tqdm")


def main() -> None:
    """Build, look inside, install, use."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wheel = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else build(folder / "dist")
        inspect(wheel)
        use(wheel, folder)


def build(folder: Path) -> Path:
    """Return a wheel that was made from the source distribution."""
    run([sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)], ROOT)
    made = sorted(folder.iterdir())
    run([sys.executable, "-m", "twine", "check", "--strict", *map(str, made)], ROOT)
    assert [path.suffix for path in made] == [".whl", ".gz"], made
    return made[0]


def inspect(wheel: Path) -> None:
    """Require a size, and what is inside and what is not."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [name for name in names if name.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode("utf-8")
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"fastdnn", metadata.partition("/")[0]}, tops
    assert "fastdnn/py.typed" in names
    assert any(name.endswith("/LICENSE") for name in names)
    for field in ("Project-URL: Documentation, https://", "Classifier: Operating System ::"):
        assert f"\n{field}" in text, field
    n_bytes = wheel.stat().st_size
    print(f"{wheel.name}: {n_bytes} bytes")
    assert n_bytes < _MOST_BYTES


def use(wheel: Path, folder: Path) -> None:
    """Install and run, in a folder that has nothing of the repository."""
    environment, here = folder / "environment", folder / "empty"
    here.mkdir()
    venv.create(environment, with_pip=True)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    python = str(scripts / "python")
    install = [python, "-m", "pip", "install", "--quiet"]
    run([*install, str(wheel)], here)
    run([python, "-m", "pip", "check"], here)
    found = f"import sys, fastdnn; print([m for m in {_OPTIONAL} if m in sys.modules])"
    assert run([python, "-c", found], here).strip() == "[]"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first, of_frame = re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    score = float(run([python, "-c", first], here).split()[0])
    assert score > 0.95, score
    version = wheel.name.split("-")[1]
    assert run([str(scripts / "fastdnn"), "--version"], here).split() == ["fastdnn", version]
    run([*install, f"{wheel}[plot]"], here)
    shutil.copy(ROOT / "scripts" / "quickstart.py", here)
    print(run([python, "quickstart.py"], here))
    assert (here / "quickstart-loss.png").stat().st_size > 10**4
    run([*install, "pandas"], here)
    said = run([python, "-c", of_frame], here)
    assert re.findall("no|yes", said) == ["no", "no", "yes", "yes"], said


def run(command: list[str], folder: Path) -> str:
    """Return what a command prints in a folder, with no other Python's settings."""
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, timeout=_SECONDS
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
