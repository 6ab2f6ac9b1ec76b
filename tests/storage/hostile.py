"""Files made to do damage: well-formed ones of every kind, edited, and how one is refused."""

import tracemalloc

import pytest

import fastdnn
from fastdnn import ModelFileError
from scripts.corrupt_files import parts_of, with_document, write_anew
from tests.model_files import FOLDER

# Every kind of file has a part that others have not.
GOLDEN = {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.safetensors"))}
BINARY = GOLDEN["binary"]


HEADER, PAYLOAD = parts_of(BINARY)


def refuse(path, content, match):
    """Assert that a content is refused, by name, with advice, and without much memory."""
    write_anew(path, content)
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError, match=match) as caught:
            fastdnn.load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    message = str(caught.value)
    assert message.startswith(f"Cannot load {str(path)!r}: ")
    assert message.isprintable()
    assert message.isascii()
    assert "Use an intact copy" in message or "newer fastdnn" in message
    assert peak < 2**20 + 40 * len(content)


def edited(edit, content=BINARY):
    """Return a sealed file whose safetensors header was edited."""
    return with_document(content, lambda header, document: edit(header))


def entry(name, **changes):
    """Return a sealed file in whose header a tensor is described otherwise."""
    return edited(lambda header: header[name].update(changes))


def renamed(old, new):
    """Return a sealed file one of whose tensors has another name."""
    return edited(lambda header: header.update({new: header.pop(old)}))


def change(kind, *keys_and_value):
    """Return a sealed file of a kind, whose document has another value somewhere."""
    *keys, last, value = keys_and_value

    def edit(header, document):
        for key in keys:
            document = document[key]
        document[last] = value

    return with_document(GOLDEN[kind], edit)
