"""Show outputs of a running cluster, given its scheduler's address.

``python examples/attach.py tcp://scheduler:8786 --task segment --kind labels`` shows the outputs
of all tasks named ``segment``, whoever submitted them; outputs that are still in memory appear
first. Without ``--task``, the example submits a few images of its own. The cluster keeps running
after you close the window.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
from dask.distributed import Client, wait

import dask_napari as dn
from dask_napari.model import Kind
from plate_data import expose, stains


def enhance(image: npt.NDArray[np.uint16], gamma: float) -> npt.NDArray[np.float32]:
    """Return an image with its dark parts lifted.

    Parameters
    ----------
    image : numpy.ndarray
        Raw camera image.
    gamma : float
        Exponent; below one brightens.
    """
    return ((image / image.max()) ** gamma).astype(np.float32)


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scheduler", help="address, for instance tcp://127.0.0.1:8786")
    parser.add_argument("--task", help="name of the tasks to show, as on the dashboard")
    parser.add_argument("--kind", default="image", choices=get_args(Kind))
    parser.add_argument("--at", help="pattern of file names or keys: {well}_s{field:d}")
    parser.add_argument("--screenshot", type=Path, help="save a picture and end")
    arguments = parser.parse_args()
    with Client(arguments.scheduler, timeout="10s") as client, dn.watch(client) as live:
        futures = []
        if arguments.task:
            live.tap(arguments.task, kind=arguments.kind, at=arguments.at)
        else:
            live.tap("enhance", at=lambda key, value, args: {"gamma": args[1]})
            image = client.scatter(expose(stains(), 512, seed=0)[0])
            futures = [client.submit(enhance, image, gamma / 10) for gamma in range(2, 21)]
        if arguments.screenshot:
            wait(futures)
            live.wait()
            print(f"screenshot: {live.screenshot(arguments.screenshot)}")
        else:
            print("close napari's window to end; the cluster keeps running")
            live.block()
        print(live.ledger())
        del futures  # held until this line, so that the cluster keeps the outputs


if __name__ == "__main__":
    main()
