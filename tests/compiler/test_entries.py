"""Stored compiled code as bytes: whole, damaged, or that of another key."""

import pytest

from fastdnn.compiler.entries import code_in, entry

pytestmark = pytest.mark.needs_jit


def test_an_entry_is_whole_or_damaged_or_that_of_another_key():
    key, code = b"function and types", b"machine code"
    stored = entry(key, code)
    assert code_in(stored, key) == code
    assert code_in(stored, key + b" ") is None
    assert code_in(entry(b"", code), key) is None
    for position in range(len(stored)):
        for bit in range(8):
            flipped = bytearray(stored)
            flipped[position] ^= 1 << bit
            with pytest.raises(ValueError, match="does not match its digest"):
                code_in(bytes(flipped), key)
        with pytest.raises(ValueError, match="does not match its digest"):
            code_in(stored[:position], key)
