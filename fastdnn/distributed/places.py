"""Which worker has which shards."""

from collections.abc import Mapping, Sequence


def placed(holders: Sequence[str | None], workers: Mapping[str, int]) -> list[str]:
    """Return a worker for each shard: shared out by threads, with as few moves as can be.

    Parameters
    ----------
    holders : sequence of str or None
        Who has each shard now; others than those of `workers` are gone.
    workers : mapping of str to int
        The workers, each with its threads; at least one.
    """
    held = {name: sum(holder == name for holder in holders) for name in workers}
    n_threads = sum(workers.values())
    exact = {name: len(holders) * n / n_threads for name, n in workers.items()}
    room = {name: int(share) for name, share in exact.items()}
    # What is left over goes to those who have more shards already, and then to larger parts.
    order = sorted(
        workers, key=lambda name: (room[name] - held[name], room[name] - exact[name], name)
    )
    for name in order[: len(holders) - sum(room.values())]:
        room[name] += 1
    places: list[str | None] = []
    for holder in holders:
        stays = holder is not None and room.get(holder, 0) > 0
        if stays:
            room[str(holder)] -= 1
        places.append(holder if stays else None)
    free = iter([name for name in sorted(room) for _ in range(room[name])])
    return [next(free) if place is None else place for place in places]
