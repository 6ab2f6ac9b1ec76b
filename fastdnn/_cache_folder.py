"""A folder of files that nobody but trusted users can have written: opened once and checked.

What is read from it is run as machine code and unpickled. So on POSIX systems the folder is
opened once, what was opened is checked, not its name, and files are opened relative to it and
checked likewise: a folder or a file that is put in its place afterwards is not read.

Trusted are the user and root: folders and files belong to one of them, and others can write
neither to them nor to the folders above, unless these are sticky as ``/tmp`` is. A group may
be able to write if it is the user's private one, or where the user has named the folder for
that; then its members are trusted, too.
"""

import errno
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
    is_public : bool
        Whether others may read what is made here.
    trusts_groups : bool
        Whether a group that can write to a folder is trusted, whichever it is.

    Raises
    ------
    OSError
        If it cannot be made or opened, or could have been written by others; says which.
    """

    def __init__(
        self, base: Path, names: tuple[str, ...], *, is_public: bool, trusts_groups: bool
    ) -> None:
        self._base, self._names = base, names
        self._mode, self._trusts_groups = 0o755 if is_public else 0o700, trusts_groups
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
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise PermissionError(f"{self.path / name} is not a regular file")
            self._require_trusted(status, self.path / name)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)

    def has(self, name: str) -> bool:
        """Whether there is a file of that name."""
        try:
            os.close(self._open_file(name, os.O_RDONLY))
        except OSError:
            return False
        return True

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
            self._replace(temporary, name)
        except BaseException:
            self._remove(temporary)
            raise

    def _replace(self, temporary: str, name: str) -> None:
        if _HAS_DESCRIPTORS:
            at = self._opened[0]
            os.replace(temporary, name, src_dir_fd=at, dst_dir_fd=at)
            return
        try:
            os.replace(self.path / temporary, self.path / name)
        except PermissionError:
            # Windows replaces no file that is open: another process reads or stores the same.
            if not self.has(name):
                raise
            self._remove(temporary)

    def remove(self, prefix: str) -> None:
        """Remove all files whose names begin like that, as far as that is possible."""
        try:
            self._reopen_if_gone()
            names = os.listdir(self._opened[0] if _HAS_DESCRIPTORS else self.path)
        except OSError:
            return
        for name in names:
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
        _make(self._base, self._mode)
        if not _HAS_DESCRIPTORS:
            self.path, self._file_mode = self._base.joinpath(*self._names), 0o644
            _make(self.path, self._mode)
            return -1, -1, -1
        path = Path(os.path.realpath(self._base))
        for parent in [*path.parents][-2::-1]:  # the root of all is what it is
            self._require_trusted(os.lstat(parent), parent)
        descriptor = os.open(path, os.O_RDONLY | _TO_OPEN_FOLDER)
        try:
            status = os.fstat(descriptor)
            self._require_trusted(status, path)
            for name in self._names:
                path /= name
                # In a group's folder its members shall be able to write; a sticky one, like
                # /tmp, is there for everybody to have folders of their own in.
                is_shared = self._trusts_groups and bool(status.st_mode & stat.S_IWGRP)
                group = status.st_gid if is_shared and not _is_sticky(status) else None
                inner = _open_or_make(path, self._mode, group, descriptor)
                os.close(descriptor)
                descriptor = inner
                status = os.fstat(descriptor)
                self._require_trusted(status, path, may_be_sticky=False)
        except BaseException:
            os.close(descriptor)
            raise
        self._is_shared = self._trusts_groups and bool(status.st_mode & stat.S_IWGRP)
        self.path, self._file_mode = path, 0o664 if self._is_shared else 0o644
        return descriptor, status.st_dev, status.st_ino

    def _require_trusted(
        self, status: os.stat_result, path: Path, *, may_be_sticky: bool = True
    ) -> None:
        """Raise where a folder or a file could have been written by others."""
        if not _HAS_DESCRIPTORS:
            return
        is_folder = stat.S_ISDIR(status.st_mode)
        trusts_group = self._trusts_groups if is_folder else self._is_shared
        is_foreign = status.st_uid not in (0, os.geteuid())
        # A group that may write to the folder has made some of its files.
        if is_foreign and (is_folder or not trusts_group):
            raise PermissionError(f"{path} belongs to another user (uid {status.st_uid})")
        if is_folder and may_be_sticky and _is_sticky(status):
            return
        if status.st_mode & stat.S_IWOTH:
            raise PermissionError(f"{path} can be written by other users")
        if status.st_mode & stat.S_IWGRP and not (trusts_group or _is_private(status.st_gid)):
            raise PermissionError(f"{path} can be written by other users of its group")


def _is_sticky(status: os.stat_result) -> bool:
    return bool(status.st_mode & stat.S_ISVTX)


def _make(folder: Path, mode: int) -> None:
    """Make a folder and those above, where they are missing, all with that mode."""
    if not folder.is_dir() and folder.parent != folder:
        _make(folder.parent, mode)
        folder.mkdir(mode, exist_ok=True)


def _open_or_make(path: Path, mode: int, group: int | None, at: int) -> int:
    """Open a folder in the one that is open as `at`, made if it is missing.

    If a `group` is given, one that is made can be written by it.
    """
    flags = os.O_RDONLY | _TO_OPEN_FOLDER
    try:
        try:
            return os.open(path.name, flags, dir_fd=at)
        except FileNotFoundError:
            pass
        try:
            os.mkdir(path.name, mode, dir_fd=at)
        except FileExistsError:  # another process was faster
            group = None
        descriptor = os.open(path.name, flags, dir_fd=at)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP) and path.is_symlink():
            raise PermissionError(f"{path} is a symbolic link") from error
        raise OSError(error.errno, error.strerror, str(path)) from error
    if group is not None:
        _share(descriptor, group)
    return descriptor


def _share(descriptor: int, group: int) -> None:
    """Let a group write to a new folder, whatever the user's mask, if it is the user's."""
    try:
        if os.fstat(descriptor).st_gid != group:
            os.fchown(descriptor, -1, group)
        os.fchmod(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode) | 0o775)
    except OSError:
        pass


def _is_private(group: int) -> bool:
    """Whether a group is the one that systems make for each user alone."""
    try:
        import grp
        import pwd

        user, entry = pwd.getpwuid(os.geteuid()), grp.getgrgid(group)
    except (ImportError, KeyError):
        return False
    has_no_others = {user.pw_name}.issuperset(entry.gr_mem)
    return group == user.pw_gid and entry.gr_name == user.pw_name and has_no_others
