"""A folder of files that nobody but trusted users can have written: opened once and checked.

What is read from it is run as machine code and unpickled. So on POSIX systems the folder is
opened once, what was opened is checked, not its name, and files are opened relative to it and
checked likewise: a folder or a file that is put in its place afterwards is not read.

Trusted are the user and root: folders and files belong to one of them, and others can write
neither to them nor to the folders above, unless these are sticky as ``/tmp`` is. A group may
be able to write if it is the user's private one, or where the user has chosen the folder; then
its members are trusted, too.
"""

import os
import secrets
import stat
from pathlib import Path

_HAS_DESCRIPTORS = os.name == "posix" and {os.open, os.mkdir, os.unlink} <= os.supports_dir_fd
_TO_OPEN_FOLDER = (
    getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
)
_TO_OPEN_FILE = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # so that nobody is kept waiting by a named pipe
    | getattr(os, "O_BINARY", 0)
)


class Folder:
    """A checked folder, made where it is missing.

    Parameters
    ----------
    base : Path
        Where it begins; may be a symbolic link, and made by others if it is trusted.
    names : tuple of str
        The folders below, one in the other, that are ours.
    is_chosen : bool
        Whether the user has named `base`: then a group may be able to write to it, and what
        is made there can be read by others.

    Raises
    ------
    OSError
        If it cannot be made or opened, or could have been written by others; says which.
    """

    def __init__(self, base: Path, names: tuple[str, ...], *, is_chosen: bool) -> None:
        self._base, self._names, self._is_chosen = base, names, is_chosen
        self._is_shared = False
        # Without a lock, which a fork might leave locked: two threads may both open it.
        self._opened = self._open()

    def read(self, name: str) -> bytes | None:
        """Return what a file holds, or None if there is none that can be trusted.

        Raises
        ------
        OSError
            If the file is there and could have been written by others; says why.
        """
        try:
            descriptor = self._open_file(name, os.O_RDONLY)
        except OSError:  # none, a symbolic link, or one that this user may not read
            return None
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise PermissionError(f"{self.path / name} is not a regular file")
            self._require_trusted(status, self.path / name)
            return file.read()

    def write(self, name: str, content: bytes) -> None:
        """Write a file at once: nobody ever sees a part of it.

        Raises
        ------
        OSError
            If the folder cannot be written to, or is full.
        """
        temporary = f".{name[:100]}.{secrets.token_hex(8)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = self._open_file(temporary, flags, self._file_mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            if _HAS_DESCRIPTORS:
                at = self._opened[0]
                os.replace(temporary, name, src_dir_fd=at, dst_dir_fd=at)
            else:
                os.replace(self.path / temporary, self.path / name)
        except BaseException:
            self._remove(temporary)
            raise

    def remove(self, prefix: str) -> None:
        """Remove all files whose names begin like that, as far as that is possible."""
        self._reopen_if_gone()
        for name in os.listdir(self._opened[0] if _HAS_DESCRIPTORS else self.path):
            if name.startswith(prefix):
                self._remove(name)

    def _remove(self, name: str) -> None:
        try:
            if _HAS_DESCRIPTORS:
                os.unlink(name, dir_fd=self._opened[0])
            else:
                os.unlink(self.path / name)
        except OSError:
            pass

    def _open_file(self, name: str, flags: int, mode: int = 0) -> int:
        self._reopen_if_gone()
        if _HAS_DESCRIPTORS:
            return os.open(name, flags | _TO_OPEN_FILE, mode, dir_fd=self._opened[0])
        return os.open(self.path / name, flags | _TO_OPEN_FILE, mode)

    def _reopen_if_gone(self) -> None:
        """Open the folder anew if it was deleted, or its descriptor closed by others."""
        if not _HAS_DESCRIPTORS:
            return
        descriptor, *identity = self._opened
        try:
            status = os.fstat(descriptor)
            if [status.st_dev, status.st_ino] == identity and status.st_nlink > 0:
                return
        except OSError:
            pass
        # The number may belong to another file by now, so it is not closed.
        self._opened = self._open()

    def _open(self) -> tuple[int, int, int]:
        """Return the descriptor of the folder, and the device and number of what it is."""
        base = self._base
        mode = 0o755 if self._is_chosen else 0o700
        base.mkdir(mode=mode, parents=True, exist_ok=True)
        if not _HAS_DESCRIPTORS:
            self.path, self._file_mode = base.joinpath(*self._names), 0o644
            self.path.mkdir(parents=True, exist_ok=True)
            return -1, -1, -1
        path = Path(os.path.realpath(base))
        for parent in [*path.parents][-2::-1]:  # the root of all is what it is
            self._require_trusted(os.lstat(parent), parent)
        descriptor = os.open(path, os.O_RDONLY | _TO_OPEN_FOLDER)
        try:
            status = os.fstat(descriptor)
            self._require_trusted(status, path)
            for name in self._names:
                if self._is_chosen and status.st_mode & stat.S_IWGRP:
                    mode = 0o775
                path /= name
                inner = _open_or_make(name, mode, descriptor)
                os.close(descriptor)
                descriptor = inner
                status = os.fstat(descriptor)
                self._require_trusted(status, path, may_be_sticky=False)
        except BaseException:
            os.close(descriptor)
            raise
        self._is_shared = self._is_chosen and bool(status.st_mode & stat.S_IWGRP)
        self.path, self._file_mode = path, 0o664 if self._is_shared else 0o644
        return descriptor, status.st_dev, status.st_ino

    def _require_trusted(
        self, status: os.stat_result, path: Path, *, may_be_sticky: bool = True
    ) -> None:
        """Raise where a folder or a file could have been written by others."""
        if not _HAS_DESCRIPTORS:
            return
        is_folder = stat.S_ISDIR(status.st_mode)
        trusts_group = self._is_chosen if is_folder else self._is_shared
        is_foreign = status.st_uid not in (0, os.geteuid())
        # A group that may write to the folder has made some of its files.
        if is_foreign and (is_folder or not trusts_group):
            raise PermissionError(f"{path} belongs to another user (uid {status.st_uid})")
        if is_folder and may_be_sticky and status.st_mode & stat.S_ISVTX:
            return
        if status.st_mode & stat.S_IWOTH:
            raise PermissionError(f"{path} can be written by other users")
        if status.st_mode & stat.S_IWGRP and not (trusts_group or _is_private(status.st_gid)):
            raise PermissionError(f"{path} can be written by other users of its group")


def _open_or_make(name: str, mode: int, at: int) -> int:
    """Open a folder in the one that is open as `at`, made if it is missing."""
    try:
        return os.open(name, os.O_RDONLY | _TO_OPEN_FOLDER, dir_fd=at)
    except FileNotFoundError:
        try:
            os.mkdir(name, mode, dir_fd=at)
            if mode & stat.S_IWGRP:  # whatever the user's mask
                os.chmod(name, mode, dir_fd=at)
        except FileExistsError:  # another process was faster
            pass
        return os.open(name, os.O_RDONLY | _TO_OPEN_FOLDER, dir_fd=at)


def _is_private(group: int) -> bool:
    """Whether a group is the one that systems make for each user alone."""
    try:
        import grp
        import pwd

        user = pwd.getpwuid(os.geteuid())
        return group == user.pw_gid and grp.getgrgid(group).gr_name == user.pw_name
    except (ImportError, KeyError):
        return False
