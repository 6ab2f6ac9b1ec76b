"""`TensorBoard`: writes what is recorded of epochs where TensorBoard reads it."""

import importlib
import math
import os
from pathlib import Path
from typing import Any

from fastdnn.callbacks.epoch_callback import Epoch, EpochCallback


class TensorBoard(EpochCallback):
    """Writes each column of ``history_`` as a curve, over the epochs.

    It needs tensorboardX: ``pip install "fastdnn[tensorboard]"``. Each fit gets a folder of
    its own, named by its class and the first number that is free: ``logs/DNNClassifier-1``.
    The parameters are there as a text. ``tensorboard --logdir logs`` shows all of them.

    Parameters
    ----------
    log_dir : str or PathLike, default='logs'
        Folder of the folders; it is made if it is not there.

    Examples
    --------
    >>> from fastdnn import DNNClassifier
    >>> from fastdnn.callbacks import TensorBoard
    >>> model = DNNClassifier().set_callbacks(TensorBoard("logs"))  # doctest: +SKIP
    """

    def __init__(self, log_dir: str | os.PathLike = "logs") -> None:
        _writers()
        self.log_dir = os.fspath(log_dir)

    def begin_fit(self, estimator: Any, context: Any) -> Any:
        """Open a new folder, and write the parameters."""
        folder = _new_folder(Path(self.log_dir), type(estimator).__name__)
        writer = _writers().SummaryWriter(str(folder))
        params = estimator.get_params(deep=False)
        rows = "".join(f"| {name} | {value!r} |\n" for name, value in params.items())
        writer.add_text("parameters", f"| parameter | value |\n|---|---|\n{rows}")
        return writer

    def end_epoch(self, estimator: Any, epoch: Epoch, run: Any) -> None:
        """Write the numbers of an epoch."""
        numbers = dict(epoch.numbers)
        step = numbers.pop("epoch")
        for name, value in numbers.items():
            if math.isfinite(value):
                run.add_scalar(name, value, step)

    def end_fit(self, estimator: Any, run: Any, is_complete: bool) -> None:
        """Close the file."""
        run.close()


def _writers() -> Any:
    try:
        return importlib.import_module("tensorboardX")
    except ImportError:
        raise ImportError(
            'TensorBoard needs tensorboardX. Install it: pip install "fastdnn[tensorboard]"'
        ) from None


def _new_folder(log_dir: Path, name: str) -> Path:
    """Make the first folder of a name that is not there; other processes may do so, too."""
    number = 1
    while True:
        folder = log_dir / f"{name}-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        else:
            return folder
