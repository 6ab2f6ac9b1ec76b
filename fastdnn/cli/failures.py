"""What goes wrong in a command for a reason that its user can put right."""


class Failure(Exception):
    """Its message is printed, without a traceback, and the command exits with 1."""
