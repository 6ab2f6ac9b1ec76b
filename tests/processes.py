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


def start_python(code, cache=None, *options, path=PACKAGE.parent, before=(), **variables):
    """Begin code in a new process, with more environment variables; its output is piped.

    None as a cache folder is that of this process; None unsets a variable. `before` comes
    before the command.
    """
    environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONSAFEPATH": "1"}
    if cache is not None:
        variables = {"FASTDNN_CACHE_DIR": str(cache), "NUMBA_CACHE_DIR": None} | variables
    environment |= variables
    return subprocess.Popen(
        [*before, sys.executable, *options, "-c", code],
        env={name: value for name, value in environment.items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end_of(process):
    """Wait for a process; return it as completed, with what it said."""
    said, errors = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, said, errors)


def run_python(code, cache=None, *options, **environment):
    """Run code in a new process, as `start_python` begins it."""
    with start_python(code, cache, *options, **environment) as process:
        return end_of(process)


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
