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
        self._group: int | None = None
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
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise PermissionError(f"{self.path / name} is not a regular file")
            self._require_trusted(status, self.path / name)
        except BaseException:
            os.close(descriptor)
            raise
        with os.fdopen(descriptor, "rb") as file:
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
        descriptor = self._open_file(temporary, flags, 0o644)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if _HAS_DESCRIPTORS and self._group is not None:
                    os.fchown(descriptor, -1, self._group)
                    os.fchmod(descriptor, 0o664)
                elif _HAS_DESCRIPTORS and self._is_chosen:
                    os.fchmod(descriptor, 0o644)
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
        try:
            self._reopen_if_gone()
            names = os.listdir(self._opened[0] if _HAS_DESCRIPTORS else self.path)
        except OSError:
            return
        for name in names:
            if name.startswith((prefix, f".{prefix}")):  # what a killed writer left, too
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
            self.path = base.joinpath(*self._names)
            self.path.mkdir(parents=True, exist_ok=True)
            return -1, -1, -1
        path = Path(os.path.realpath(base))
        descriptor = os.open(path, os.O_RDONLY | _TO_OPEN_FOLDER)
        try:
            status = os.fstat(descriptor)
            self._group = self._group_that_shares(status)
            for parent in [*path.parents][-2::-1]:  # the root of all is what it is
                self._require_trusted(os.lstat(parent), parent, is_ours=False)
            self._require_trusted(status, path, is_ours=False)
            for name in self._names:
                path /= name
                inner = self._open_or_make(name, mode, descriptor)
                os.close(descriptor)
                descriptor = inner
                status = os.fstat(descriptor)
                group = self._group_that_shares(status)
                self._group = self._group if group is None else group
                self._require_trusted(status, path)
        except BaseException:
            os.close(descriptor)
            raise
        self.path = path
        return descriptor, status.st_dev, status.st_ino

    def _group_that_shares(self, status: os.stat_result) -> int | None:
        """Return the group that a chosen folder is shared with, if there is one."""
        writers = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_ISVTX)
        return status.st_gid if self._is_chosen and writers == stat.S_IWGRP else None

    def _open_or_make(self, name: str, mode: int, at: int) -> int:
        """Open a folder in the one that is open as `at`, made if it is missing."""
        try:
            return os.open(name, os.O_RDONLY | _TO_OPEN_FOLDER, dir_fd=at)
        except FileNotFoundError:
            pass
        try:
            os.mkdir(name, mode, dir_fd=at)
        except FileExistsError:  # another process was faster
            return os.open(name, os.O_RDONLY | _TO_OPEN_FOLDER, dir_fd=at)
        descriptor = os.open(name, os.O_RDONLY | _TO_OPEN_FOLDER, dir_fd=at)
        if self._group is not None:
            os.fchown(descriptor, -1, self._group)
            os.fchmod(descriptor, 0o2775)
        elif self._is_chosen:  # whatever the user's mask: an image is read by others
            os.fchmod(descriptor, mode)
        return descriptor

    def _require_trusted(
        self, status: os.stat_result, path: Path, *, is_ours: bool = True
    ) -> None:
        """Raise where a folder or a file could have been written by others.

        Folders that are not ours are those above, which may be sticky.
        """
        if not _HAS_DESCRIPTORS:
            return
        is_shared = self._group is not None and status.st_gid == self._group
        is_known = status.st_uid in (0, os.geteuid()) or (
            not is_ours and status.st_uid == _unmapped_user()
        )
        # Members of the group that shares a folder have made some of what is in it.
        if not (is_known or (is_shared and self._group in [os.getegid(), *os.getgroups()])):
            raise PermissionError(f"{path} belongs to another user (uid {status.st_uid})")
        if not is_ours and status.st_mode & stat.S_ISVTX:
            return
        if status.st_mode & stat.S_IWOTH:
            raise PermissionError(f"{path} can be written by other users")
        if status.st_mode & stat.S_IWGRP and not (is_shared or _is_private(status.st_gid)):
            raise PermissionError(f"{path} can be written by other users of its group")


def _unmapped_user() -> int:
    """Return whom root's files seem to belong to in a container of a user, or -1."""
    try:
        mapped = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
        if mapped == ["0", "0", "4294967295"]:
            return -1
        return int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return -1


def _is_private(group: int) -> bool:
    """Whether a group is the one that systems make for each user alone."""
    try:
        import grp
        import pwd

        user = pwd.getpwuid(os.geteuid())
        return group == user.pw_gid and grp.getgrgid(group).gr_name == user.pw_name
    except (ImportError, KeyError):
        return False
