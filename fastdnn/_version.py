"""The version, in its one place."""

VERSION = "0.3.0"
