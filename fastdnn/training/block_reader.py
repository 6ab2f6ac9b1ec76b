"""A thread that reads the next block of a stream while the network trains on one."""

import contextvars
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from fastdnn.data.blocks import Block, Epoch, StreamedSamples
from fastdnn.system.interruptible import Attendance, start_thread

# Seconds between two looks of who waits for the other.
_PAUSE = 1e-3
# A thread that computes for so much of its time needs a processor.
_MUCH = 0.5
# After which a thread that has not begun is taken for one that never will.
_SECONDS_TO_COME = 1.0
# How long the end of a fit waits for a thread that is held up in a source.
_SECONDS_TO_LEAVE = 2.0


class BlockReader:
    """Fills blocks, at most one ahead of the one that is trained on.

    Parameters
    ----------
    samples : StreamedSamples
        The stream.
    order_of_units : callable
        ``order_of_units(epoch)`` says in which order an epoch reads the units.
    first_epoch : int
        The number of the first epoch, counted from 0.
    n_epochs : int
        How many there may be.
    """

    def __init__(
        self,
        samples: StreamedSamples,
        order_of_units: Callable[[int], Sequence[int]],
        first_epoch: int,
        n_epochs: int,
    ) -> None:
        self._samples, self._order_of_units = samples, order_of_units
        self._epochs = range(first_epoch, first_epoch + n_epochs)
        n_blocks = min(2, samples.n_blocks)
        self._free = deque(samples.new_block() for _ in range(n_blocks))
        self._ready: deque[Block | BaseException] = deque()
        self._attendance, self._is_over = Attendance(), False
        self._read_here: Iterator[Block] | None = None
        self._is_reading, self._share_of_processor = False, 0.0

    def start(self) -> None:
        """Begin to read."""
        context = contextvars.copy_context()

        def work(worker: int) -> None:
            context.run(self._read_ahead)

        if not start_thread(work, 0, self._attendance, self._ready.append):
            self._read_here = self._blocks()

    def close(self) -> None:
        """Read no more; wait until the rows at hand are read, but not for ever."""
        self._is_over = True
        until = time.monotonic() + _SECONDS_TO_LEAVE
        while self._attendance.is_anybody_here and time.monotonic() < until:
            time.sleep(_PAUSE)

    def next(self, deadline: float = math.inf) -> Block | None:
        """Return the next block, or None where the deadline came before it.

        Raises
        ------
        StreamError
            If it could not be read.
        """
        begin = time.monotonic()
        while self._read_here is None and not self._ready:
            now = time.monotonic()
            if now >= deadline:
                return None
            is_missed = now > begin + _SECONDS_TO_COME and not self._attendance.has_begun
            if is_missed and self._attendance.give_up():
                self._read_here = self._blocks()
            time.sleep(_PAUSE)
        if self._read_here is not None:
            return next(self._read_here)
        found = self._ready.popleft()
        if isinstance(found, BaseException):
            raise found
        return found

    def is_at_work(self) -> bool:
        """Whether the thread has a block to fill, and a processor rather than a disk to do it.

        That the last block tells; nothing is known before.
        """
        return (
            self._share_of_processor >= _MUCH
            and (self._is_reading or bool(self._free))
            and self._attendance.is_anybody_here
        )

    def give_back(self, block: Block) -> None:
        """Let a block be filled again."""
        self._free.append(block)

    def _read_ahead(self) -> None:
        for block in self._blocks():
            self._ready.append(block)

    def _blocks(self) -> Iterator[Block]:
        """Yield block after block, each when it is filled, while somebody wants them."""
        n_blocks = self._samples.n_blocks
        for epoch in self._epochs:
            order, is_first = self._order_of_units(epoch), epoch == self._epochs.start
            rows = Epoch(self._samples, order, epoch + 1, is_known=not is_first)
            for number in range(n_blocks):
                while not self._free and self._is_wanted():
                    time.sleep(_PAUSE)
                if not self._is_wanted():
                    return
                self._is_reading, block = True, self._free.popleft()
                begin, processor = time.perf_counter(), time.thread_time()
                rows.fill(block, self._is_wanted, is_last=number == n_blocks - 1)
                seconds = max(time.perf_counter() - begin, 1e-9)
                self._share_of_processor = (time.thread_time() - processor) / seconds
                self._is_reading = False
                if not self._is_wanted():
                    return
                yield block

    def _is_wanted(self) -> bool:
        return not self._is_over
