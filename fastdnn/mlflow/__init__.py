"""MLflow: models in its registry, and fits that are logged by themselves.

`models` has `save_model` and `log_model`, whose models MLflow loads by its own functions;
`autologging` has `autolog`.

On top of all other rooms. MLflow is imported by a call, never by an import.
"""

from fastdnn.mlflow.autologging import autolog
from fastdnn.mlflow.models import log_model, save_model

__all__ = ["autolog", "log_model", "save_model"]
