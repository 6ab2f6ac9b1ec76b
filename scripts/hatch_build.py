"""Puts compiled kernels into a wheel that is built with FASTDNN_COMPILE=1, and into no other.

    FASTDNN_COMPILE=1 pip wheel --no-deps .

Such a wheel is for one system, one version of Python and the versions of numba and NumPy that
were there when it was built: fix them with pip's ``--build-constraint`` or
``--no-build-isolation``. With others it compiles, as every other wheel of fastdnn does.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_FOLDER_IN_WHEEL = "fastdnn/compiler/shipped"


class CompiledKernels(BuildHookInterface):
    """Compiles before a wheel is built, where that is asked for."""

    def dependencies(self) -> list[str]:
        """Return what is needed to compile: what fastdnn needs to run."""
        return self.metadata.core.dependencies if _is_asked_for() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what to put where."""
        self._made: str | None = None
        if version != "standard" or not _is_asked_for():
            return
        self._made = tempfile.mkdtemp()
        script = Path(self.root, "scripts", "compile_kernels.py")
        path = os.pathsep.join(filter(None, (self.root, os.environ.get("PYTHONPATH"))))
        subprocess.run(
            [sys.executable, str(script), self._made],
            env=os.environ | {"PYTHONPATH": path},
            check=True,
        )
        build_data["force_include"][self._made] = _FOLDER_IN_WHEEL
        build_data["pure_python"], build_data["infer_tag"] = False, True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what is in the wheel by now."""
        if self._made is not None:
            shutil.rmtree(self._made, ignore_errors=True)


def _is_asked_for() -> bool:
    return os.environ.get("FASTDNN_COMPILE", "0") not in ("", "0")
