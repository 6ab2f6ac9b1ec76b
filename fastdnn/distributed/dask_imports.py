"""Dask, imported where it is needed, and the client that a user means."""

import importlib
from typing import Any


def dask_module(name: str) -> Any:
    """Return a module of Dask.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"fastdnn.distributed needs {name}, which cannot be imported: {error}. Install it "
            'by: pip install "fastdnn[dask]"'
        ) from error


def require_client(client: Any, default: str) -> None:
    """Raise where something is no client that one can wait for; None stands for a default.

    Raises
    ------
    TypeError
        If it is no client.
    ValueError
        If it is asynchronous.
    """
    if not isinstance(client, dask_module("distributed").Client):
        raise TypeError(
            f"client={client!r} must be a dask.distributed.Client, or None for {default}."
        )
    if client.asynchronous:
        raise ValueError(
            f"client={client!r} is asynchronous, but training waits for its rounds. Make "
            "a Client without asynchronous=True."
        )


def client_or_default(client: Any) -> Any:
    """Return a client, or the one that was made last if it is None.

    Raises
    ------
    TypeError
        If it is no client.
    ValueError
        If there is none.
    """
    distributed = dask_module("distributed")
    if client is not None:
        require_client(client, "the one that was made last")
        return client
    try:
        return distributed.get_client()
    except ValueError:
        raise ValueError(
            "client=None stands for the dask.distributed.Client that was made last, but there "
            "is none. Make one, such as Client(), or give one."
        ) from None
