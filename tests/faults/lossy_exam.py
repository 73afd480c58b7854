"""An exam over a network that loses 40 % of all packets, to be run in a network namespace of its own.

A tun device stands for the network: what is sent to 10.77.0.2 comes back as if from there, 40 % of it
never. (Swapping the two addresses of a packet leaves its checksums right.) The web process listens on
10.77.0.1. The driver is Python and not nft, so that it needs no more than the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import random
import struct
import subprocess
import sys
import threading

from tests.faults.sitters import Sitter, check_nothing_lost
from tests.makers.servers import stage

HERE, THERE, LOST_PERCENT = "10.77.0.1", "10.77.0.2", 40
CANDIDATES, ANSWERS, SECONDS = 10, 6, 45
_TUNSETIFF, _TUN_WITHOUT_HEADER = 0x400454CA, 0x1001


def _open_network() -> list[int]:
    """Set the device up and let it carry. Gives the counts of packets that were carried and lost."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", b"lossy", _TUN_WITHOUT_HEADER))
    for command in ("link set lo up", f"addr add {HERE}/24 dev lossy", "link set lossy up"):
        subprocess.run(["ip", *command.split()], check=True)
    counts = [0, 0]
    threading.Thread(target=_carry, args=(device, counts), daemon=True).start()
    return counts


def _carry(device: int, counts: list[int]) -> None:
    chance = random.Random(1)
    while True:
        packet = os.read(device, 65536)
        if packet[0] >> 4 != 4:
            continue
        is_lost = chance.randrange(100) < LOST_PERCENT
        counts[is_lost] += 1
        if not is_lost:
            with contextlib.suppress(OSError):
                os.write(device, packet[:12] + packet[16:20] + packet[12:16] + packet[20:])


async def _sit(sitters: list[Sitter]) -> None:
    async def answer(sitter: Sitter) -> None:
        for _ in range(ANSWERS):
            await sitter.answer()
        sitter.hang_up()

    await asyncio.wait_for(asyncio.gather(*map(answer, sitters)), SECONDS)


def main() -> None:
    counts = _open_network()
    with stage(host=HERE) as place:
        sittings = place.make_sittings(CANDIDATES)
        place.start_web()
        sitters = [Sitter(sitting, place.port, host=THERE, patience=4) for sitting in sittings]
        asyncio.run(_sit(sitters))
        saved = check_nothing_lost(place, sitters, at_least=ANSWERS - 1)
    tries = sum(sitter.interruptions for sitter in sitters)
    json.dump({"saved": saved, "carried": counts[0], "lost": counts[1], "tries_again": tries}, sys.stdout)


if __name__ == "__main__":
    main()
