"""A cable between two hosts that can be slow, long, lossy or cut; a process of its own.

It carries packets between two TUN devices and does in user space what ``tc netem`` does in
the kernel, since many kernels come without netem. Its settings come as lines of JSON on standard
input, each answered by a line; when the input closes it ends, and its devices with it.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import random
import select
import struct
import sys
import time
from collections import deque
from dataclasses import dataclass, field

CLONE_NEWNET = 0x40000000
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000

QUEUE_SECONDS = 0.2
"""What a router in front of a slow line holds, as time; beyond it packets are lost."""

QUEUE_LEAST = 64 << 10


@dataclass
class Settings:
    """One direction and the other alike."""

    delay: float = 0.0
    loss: float = 0.0
    rate: float = 0.0
    cut: bool = False


@dataclass
class Direction:
    """Packets on their way from one device to the other."""

    source: int
    target: int
    settings: Settings
    busy: float = 0.0
    flying: deque[tuple[float, bytes]] = field(default_factory=deque)
    carried: int = 0
    lost: int = 0

    def take(self, now: float) -> None:
        """Accept what the source has sent."""
        for _ in range(64):
            try:
                packet = os.read(self.source, 65536)
            except (BlockingIOError, OSError):
                return
            rate = self.settings.rate / 8
            start = max(now, self.busy)
            full = rate and (start - now) * rate > max(QUEUE_LEAST, QUEUE_SECONDS * rate)
            if self.settings.cut or full or random.random() < self.settings.loss:
                self.lost += 1
                continue
            self.busy = start + (len(packet) / rate if rate else 0.0)
            self.flying.append((self.busy + self.settings.delay, packet))

    def deliver(self, now: float) -> None:
        """Hand over what has arrived by now."""
        while self.flying and self.flying[0][0] <= now:
            _, packet = self.flying.popleft()
            if self.settings.cut:
                self.lost += 1
                continue
            try:
                os.write(self.target, packet)
                self.carried += len(packet)
            except OSError:
                self.lost += 1


def open_tun(pid: int, name: str) -> int:
    """A TUN device in the network namespace of a process."""
    space = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.setns(space, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
    finally:
        os.close(space)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
    return device


def main() -> None:
    near = open_tun(int(sys.argv[1]), sys.argv[2])
    far = open_tun(int(sys.argv[3]), sys.argv[4])
    settings = Settings()
    ways = [Direction(near, far, settings), Direction(far, near, settings)]
    print(json.dumps({"ready": True}), flush=True)
    wait: float | None = None
    while True:
        readable, _, _ = select.select([near, far, 0], [], [], wait)
        now = time.monotonic()
        if 0 in readable:
            line = sys.stdin.readline()
            if not line:
                return
            vars(settings).update(json.loads(line))
            found = {"carried": sum(w.carried for w in ways), "lost": sum(w.lost for w in ways)}
            print(json.dumps(found), flush=True)
        for way in ways:
            if way.source in readable:
                way.take(now)
            way.deliver(now)
        due = [way.flying[0][0] for way in ways if way.flying]
        wait = max(0.0, min(due) - time.monotonic()) if due else None


if __name__ == "__main__":
    main()
