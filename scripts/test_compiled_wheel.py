"""Builds a wheel with compiled kernels and uses it where nothing has been compiled.

    python scripts/test_compiled_wheel.py [WHEEL]

In a new virtual environment a first fit has to compile and store nothing, as this processor
and as each kind that the wheel brings code for and that this processor can run; what it
computes has to be, bit by bit, what code compiled there computes. The wheel is for one
platform, is small, and names no file of the machine that it was built on. Prints the size,
and the wall time of a first fit in a process, from the wheel and from the cache.
"""

import lzma
import os
import re
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_MOST_BYTES = 2**20
_SECONDS = 1800
_N_TIMES = 5

_FIT = """
import hashlib, os, sys, time
began = time.perf_counter()
import warnings
warnings.simplefilter("ignore")
import numpy as np
from sklearn.datasets import load_digits
from fastdnn import DNNClassifier, DNNRegressor
if "WITHOUT" in os.environ:
    from fastdnn.compiler import shipped
    shipped.kinds = lambda here: ()
X, y = load_digits(return_X_y=True)
digest = hashlib.sha256()
for rows in (1000, 50):
    model = DNNClassifier(random_state=0, max_iter=10).fit(X[:rows], y[:rows])
    digest.update(model.predict_proba(X).tobytes())
    if rows == 1000:
        seconds = time.perf_counter() - began
    regressor = DNNRegressor(random_state=0, max_iter=10).fit(X[:rows], y[:rows])
    digest.update(regressor.predict(X).tobytes())
print(seconds, digest.hexdigest())
"""

# Prints what each kind is, and whether this processor can run its code.
_KINDS = """
import json
from numba.core.registry import cpu_target
from fastdnn.compiler import shipped
from fastdnn.compiler.target import Target
here = Target.of(cpu_target.target_context.codegen())
for kind in json.loads(shipped._read("contents.json"))["kinds"]:
    target = Target(*kind["target"])
    print(target.processor, target.features, target.has_no_more_than(here))
"""


def main() -> None:
    """Build, install, use, compare."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wheel = Path(sys.argv[1]) if len(sys.argv) > 1 else build(folder)
        inspect(wheel)
        python = install(wheel, folder / "environment")
        use(python, folder)


def build(folder: Path) -> Path:
    """Return a wheel with compiled kernels."""
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    environment = os.environ | {"FASTDNN_COMPILE": "1"}
    subprocess.run([*command, str(_ROOT)], env=environment, check=True, timeout=_SECONDS)
    [wheel] = folder.glob("*.whl")
    return wheel


def inspect(wheel: Path) -> None:
    """Require a tag, a size and what is inside."""
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    assert re.search(rf"-{tag}-{tag}t?-(?!any)\w+\.whl$", wheel.name), wheel.name
    with zipfile.ZipFile(wheel) as archive:
        archives = [name for name in archive.namelist() if name.endswith(".xz")]
        content = b"".join(lzma.decompress(archive.read(name)) for name in archives)
    assert content.count(b"fastdnn code") > len(archives) > 0
    files = re.findall(
        rb"[\w./-]*/(?:home|root|tmp|work|Users)/[\w./-]*|[\w./-]+\.py\b", content
    )
    assert not files, f"the code names files: {files[:5]}"
    n_bytes = wheel.stat().st_size
    print(f"{wheel.name}: {n_bytes} bytes for {len(archives)} kinds of processors")
    assert n_bytes < _MOST_BYTES


def install(wheel: Path, folder: Path) -> Path:
    """Return the Python of a new environment that has the wheel and what it needs."""
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    command = [str(python), "-m", "pip", "install", "--quiet", str(wheel)]
    subprocess.run(command, check=True, timeout=_SECONDS)
    return python


def run(python: Path, code: str, cache: Path, **variables: str) -> str:
    """Return what code prints in a process that may say nothing else."""
    left_out = ("NUMBA_", "PYTHON", "FASTDNN_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(left_out)}
    done = subprocess.run(
        [str(python), "-c", code],
        cwd=python.parent,
        env=environment | {"FASTDNN_CACHE_DIR": str(cache), **variables},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    if "WITHOUT" not in variables:
        assert not done.stderr, done.stderr
    return done.stdout


def use(python: Path, folder: Path) -> None:
    """Fit from the wheel and from the cache, and require the same bits."""
    empty, filled = folder / "empty", folder / "filled"
    expected = run(python, _FIT, filled, WITHOUT="1").split()[1]
    for line in run(python, _KINDS, empty).splitlines():
        name, features, can_run = line.split()
        if can_run != "True":
            print(f"not run as {name}: this processor has less")
            continue
        kind = {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features}
        assert run(python, _FIT, empty, **kind).split()[1] == expected, name
        print(f"as {name}: nothing compiled, the same bits")
    seconds: dict[str, list[float]] = {"from the wheel": [], "from the cache": []}
    for _ in range(_N_TIMES):
        for name, taken in seconds.items():
            without = {"WITHOUT": "1"} if name == "from the cache" else {}
            cache = filled if without else empty
            printed = run(python, _FIT, cache, **without).split()
            taken.append(float(printed[0]))
            assert printed[1] == expected
    assert not list(empty.rglob("*.code"))
    for name, taken in seconds.items():
        print(f"first fit {name}: {sorted(taken)[_N_TIMES // 2]:.2f} s")


if __name__ == "__main__":
    main()
