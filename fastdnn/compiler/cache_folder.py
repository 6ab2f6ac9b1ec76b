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
        self._is_public, self._trusts_groups = is_public, trusts_groups
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
        descriptor = self._open_file(temporary, flags, 0o644)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if _HAS_DESCRIPTORS:
                    self._let_others_use(descriptor, 0o644, 0o664)
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
        mode = 0o755 if self._is_public else 0o700
        is_new = _make(self._base, mode)
        if not _HAS_DESCRIPTORS:
            self.path = self._base.joinpath(*self._names)
            _make(self.path, mode)
            return -1, -1, -1
        path = Path(os.path.realpath(self._base))
        descriptor = os.open(path, os.O_RDONLY | _TO_OPEN_FOLDER)
        try:
            status = os.fstat(descriptor)
            self._group = self._group_that_shares(status)
            for parent in [*path.parents][-2::-1]:  # the root of all is what it is
                self._require_trusted(os.lstat(parent), parent, is_ours=False)
            self._require_trusted(status, path, is_ours=False)
            if is_new:
                self._let_others_use(descriptor, mode)
            for name in self._names:
                path /= name
                inner = self._open_or_make(path, mode, descriptor)
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
        """Return the group that a folder is shared with, if there is one and it may be."""
        writers = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH | stat.S_ISVTX)
        return status.st_gid if self._trusts_groups and writers == stat.S_IWGRP else None

    def _open_or_make(self, path: Path, mode: int, at: int) -> int:
        """Open a folder in the one that is open as `at`, made if it is missing."""
        name, flags, is_new = path.name, os.O_RDONLY | _TO_OPEN_FOLDER, True
        try:
            try:
                return os.open(name, flags, dir_fd=at)
            except FileNotFoundError:
                pass
            try:
                os.mkdir(name, mode, dir_fd=at)
            except FileExistsError:  # another process was faster
                is_new = False
            descriptor = os.open(name, flags, dir_fd=at)
        except OSError as error:
            if error.errno in (errno.ENOTDIR, errno.ELOOP) and path.is_symlink():
                raise PermissionError(f"{path} is a symbolic link") from error
            raise OSError(error.errno, error.strerror, str(path)) from error
        if is_new:
            self._let_others_use(descriptor, mode, 0o2775)
        return descriptor

    def _let_others_use(self, descriptor: int, mode: int, shared: int | None = None) -> None:
        """Set the mode of what is new, whatever the user's mask, and its group if shared."""
        try:
            if self._group is not None and shared is not None:
                os.fchown(descriptor, -1, self._group)
                os.fchmod(descriptor, shared)
            elif self._is_public:  # an image is read by others
                os.fchmod(descriptor, mode)
        except OSError:  # a group that the user is no member of
            pass

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


def _make(folder: Path, mode: int) -> bool:
    """Make a folder and those above, where they are missing; whether it was."""
    if folder.is_dir() or folder.parent == folder:
        return False
    _make(folder.parent, mode)  # `parents=True` would let others write, by some users' masks
    folder.mkdir(mode, exist_ok=True)
    return True


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
