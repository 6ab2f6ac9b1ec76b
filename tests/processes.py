"""Python processes for tests of what is kept between them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import fastdnn

PACKAGE = Path(fastdnn.__file__).parent

# The kernels without the estimators: importing scikit-learn takes seconds a process.
_KERNELS_ALONE = """
import sys, types
package = types.ModuleType("fastdnn")
package.__path__ = [{package!r}]
sys.modules["fastdnn"] = package
"""
_CALL_RELU = """
import numpy as np
from fastdnn.textbook import relu
print(relu(np.array([-1.0, 2.0])))
"""


#: What makes of root a user whom the system does not know, and who can read what root can:
#: Python itself often lies in root's home.
AS_NOBODY = (
    *("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"),
    *("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"),
)


def can_become_nobody():
    """Whether `AS_NOBODY` works here."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("setpriv") is None:
        return False
    return subprocess.run([*AS_NOBODY, "true"], capture_output=True).returncode == 0


def run_python(code, cache, *options, path=PACKAGE.parent, before=(), **variables):
    """Run code in a new process, with a cache folder and more environment variables.

    None unsets a variable. `before` comes before the command.
    """
    environment = {**os.environ, "FASTDNN_CACHE_DIR": str(cache), "PYTHONPATH": str(path)}
    environment |= {"PYTHONSAFEPATH": "1", "NUMBA_CACHE_DIR": None} | variables
    return subprocess.run(
        [*before, sys.executable, *options, "-c", code],
        env={name: value for name, value in environment.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=300,
    )


def kernels_alone(code, package=PACKAGE):
    """Return code that runs on the kernels alone."""
    return _KERNELS_ALONE.format(package=str(package)) + code


def run_kernels(code, cache):
    """Run code on the kernels alone in a new process; return what it prints."""
    done = run_python(kernels_alone(code), cache)
    assert done.returncode == 0, done.stderr
    return done.stdout


def call_relu(cache, package=PACKAGE, **options):
    """Call a cheap entry point in a new process; return what it says on stderr."""
    done = run_python(kernels_alone(_CALL_RELU, package), cache, **options)
    assert (done.returncode, done.stdout) == (0, "[0. 2.]\n"), done.stderr
    return done.stderr


def cached_files(cache):
    """Return the files of a cache, with when they were written."""
    return {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}
