"""Containers that are damaged or made to do damage give a clear error and cost no memory."""

import json

import pytest

from fastdnn.storage.schema import FORMAT_VERSION
from scripts.corrupt_files import sealed
from tests.storage.hostile import BINARY, HEADER, PAYLOAD, edited, entry, refuse, renamed

CONTAINERS = {
    "empty": (b"", "length of a header"),
    "seven bytes": (b"\x10" + b"\0" * 6, "length of a header"),
    "zeros": (bytes(100), "length of a header"),
    "a huge header": (b"\xff" * 8 + HEADER + PAYLOAD, "length of a header"),
    "a header of 2**62": ((2**62).to_bytes(8, "little") + HEADER, "length of a header"),
    "a header longer than the file": (
        (len(HEADER) + len(PAYLOAD) + 1).to_bytes(8, "little") + HEADER + PAYLOAD,
        "length of a header",
    ),
    "a header too long to parse": (
        sealed(HEADER[:-1] + b" " * 2**20 + b"}", b""),
        "length of a header",
    ),
    "a pickle": (b"\x80\x04cos\nsystem\n(S'true'\ntR.", "length of a header"),
    "text": (b"\x05\0\0\0\0\0\0\0hello", "header is not valid"),
    "no UTF-8": (sealed(b'{"\xff"}', b""), "header is not valid"),
    "an empty object": (sealed(b"{}", b""), "lacks '__metadata__'"),
    "a list": (sealed(b"[]", b""), "type object"),
    "null": (sealed(b"null", b""), "type object"),
    "deep lists": (sealed(b"[" * 10_000 + b"]" * 10_000, b""), "nested"),
    "deep objects": (sealed(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b""), "nested"),
    "deep lists without an end": (sealed(b"[" * 1_000_000, b""), "nested"),
    "many brackets": (sealed(b"[" + b"[]," * 100_000 + b"[]]", b""), "type object"),
    "NaN": (sealed(HEADER.replace(b"[0,24]", b"[NaN,24]", 1), PAYLOAD), "NaN is not JSON"),
    "Infinity": (
        sealed(HEADER.replace(b"[0,24]", b"[0,Infinity]", 1), PAYLOAD),
        "Infinity is not JSON",
    ),
    "a number of many digits": (
        sealed(HEADER.replace(b"[0,24]", b"[0," + b"9" * 10_000 + b"]", 1), PAYLOAD),
        "header is not valid",
    ),
    "a key twice": (
        sealed(b'{"a":1,' + HEADER[1:].rstrip()[:-1] + b',"a":1}', PAYLOAD),
        "'a' twice",
    ),
    "a tensor twice": (
        sealed(HEADER.rstrip()[:-1] + b"," + HEADER[HEADER.index(b'"classes"') :], PAYLOAD),
        "'classes' twice",
    ),
    "the metadata twice": (
        sealed(HEADER.rstrip()[:-1] + b"," + HEADER[1:], PAYLOAD),
        "'__metadata__' twice",
    ),
    "something after the header": (sealed(HEADER.rstrip() + b"{}", PAYLOAD), "not valid"),
    "a part that is missing": (
        edited(lambda header: header["classes"].pop("shape")),
        "'classes' lacks 'shape'",
    ),
    "a part too many": (entry("classes", more=1), "'more', which is unknown"),
    "a tensor that is a number": (edited(lambda header: header.update(classes=3)), "classes"),
    "an unknown type": (entry("classes", dtype="F128"), "dtype"),
    "a type that is a number": (entry("classes", dtype=64), "dtype"),
    "another type": (entry("classes", dtype="U64"), "uint64.*needs int64"),
    "another type of floats": (entry("coefs.0", dtype="I32"), "int32.*needs float32"),
    "a size that is negative": (entry("classes", shape=[-2]), "shape"),
    "a size with a point": (entry("classes", shape=[2.0]), "type integer"),
    "a size that is true": (entry("classes", shape=[True, 2]), "type integer"),
    "a size that is text": (entry("classes", shape=["2"]), "type integer"),
    "a size of 2**62": (entry("classes", shape=[2**62]), "does not lie where it should"),
    "a size of 2**64": (entry("classes", shape=[2**64]), "or less"),
    "sizes whose product overflows": (entry("coefs.0", shape=[2**62, 2**62]), "does not lie"),
    "sizes whose product is small in 64 bits": (
        entry("coefs.0", shape=[2**33, 2**33]),
        "does not lie",
    ),
    "three sizes": (entry("coefs.0", shape=[3, 4, 1]), "2 items or fewer"),
    "sizes exchanged": (entry("coefs.0", shape=[4, 3]), r"shape \(4, 3\).*\(3, 4\)"),
    "a scalar": (entry("classes", shape=[]), "does not lie"),
    "offsets exchanged": (entry("classes", data_offsets=[40, 24]), "does not lie"),
    "one offset": (entry("classes", data_offsets=[24]), "2 items or more"),
    "three offsets": (entry("classes", data_offsets=[24, 32, 40]), "2 items or fewer"),
    "offsets out of the file": (
        entry("classes", data_offsets=[2**40, 2**40 + 16]),
        "does not",
    ),
    "offsets below zero": (entry("classes", data_offsets=[-8, 8]), "or more"),
    "offsets that overlap": (entry("classes", data_offsets=[0, 16]), "does not lie"),
    "a gap": (sealed(HEADER, PAYLOAD + b"\0"), "describes.*bytes"),
    "a missing end": (sealed(HEADER, PAYLOAD[:-1]), "describes.*bytes"),
    "a tensor that is missing": (
        sealed(
            json.dumps(
                {k: v for k, v in json.loads(HEADER).items() if k != "optimizer.memory"}
            ).encode(),
            PAYLOAD[: json.loads(HEADER)["optimizer.memory"]["data_offsets"][0]],
        ),
        "'optimizer.memory' is missing",
    ),
    "a tensor too many": (
        edited(
            lambda header: header.update(
                more={"dtype": "U8", "shape": [0], "data_offsets": [len(PAYLOAD)] * 2}
            )
        ),
        "'more' does not belong",
    ),
    "a tensor of another name": (renamed("coefs.0", "coefs.00"), "coefs"),
    "a tensor of another alphabet": (renamed("coefs.0", "\u0441oefs.0"), "coefs"),
    "a name of control characters": (renamed("coefs.0", "\x1b[31m\r\n"), "coefs|x1b"),
    "a name of many characters": (renamed("coefs.0", "c" * 100_000), "coefs|ccc"),
    "a name of half a character": (renamed("coefs.0", "\ud800"), "coefs|ud800"),
    "no digest": (edited(lambda header: header["__metadata__"].pop("sha256")), "sha256"),
    "a wrong digest": (HEADER and BINARY[:-1] + b"\1", "digest"),
    "a digest that is no text": (
        edited(lambda header: header["__metadata__"].update(sha256=1)),
        "type string",
    ),
    "a short digest": (
        BINARY[:8] + HEADER.replace(b'"sha256":"', b'"sha256":"0', 1)[: len(HEADER)] + PAYLOAD,
        "sha256|not valid",
    ),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_is_refused(name, path):
    refuse(path, *CONTAINERS[name])


def about(**changes):
    header = json.loads(HEADER)
    header["__metadata__"].update(changes)
    return sealed(json.dumps(header, separators=(",", ":")).encode(), PAYLOAD)


METADATA = {
    "of another library": (about(format="pt"), "not a model of fastdnn"),
    "without a format": (
        edited(lambda header: header["__metadata__"].pop("format")),
        "not a model of fastdnn",
    ),
    "of a newer format": (
        about(format_version=str(FORMAT_VERSION + 1), model="{}"),
        f"version {FORMAT_VERSION + 1}.*newer fastdnn",
    ),
    "of a far newer format": (about(format_version="99999999", more="1"), "newer fastdnn"),
    "of format 0": (about(format_version="0"), "format_version"),
    "of format -1": (about(format_version="-1"), "format_version"),
    "of format 1.0": (about(format_version="1.0"), "format_version"),
    "of a format in other digits": (about(format_version="\u0661"), "format_version"),
    "of a format of many digits": (about(format_version="9" * 5000), "format_version"),
    "with more to it": (about(more="1"), "'more', which is unknown"),
    "by a strange version": (about(fastdnn_version="1; rm -rf /"), "fastdnn_version"),
    "without a model": (about(model=""), "what it says of its model is not valid"),
    "of a model of deep lists": (about(model="[" * 100_000), "nested"),
    "of a model with a key twice": (about(model='{"class":"a","class":"b"}'), "'class' twice"),
    "of a model of NaN": (about(model='{"class":NaN}'), "NaN is not JSON"),
    "of a model that is a list": (about(model="[]"), "class=None must be one of"),
}


@pytest.mark.parametrize("name", METADATA)
def test_a_file_is_refused(name, path):
    refuse(path, *METADATA[name])
