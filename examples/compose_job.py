"""Show a plate of real images in a viewer that waits in another container.

The job of ``docker-compose.yml``: ``docker compose run --rm job``. It is the pipeline of
``plate.py``, for a cluster and a viewer that are there already. It ends with the viewer's ledger,
and with exit code 1 if not all of it is shown, or if no worker or viewer is there.
"""

from __future__ import annotations

import argparse
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import plate
from dask.distributed import Client, as_completed

import dask_napari as dn
from dask_napari.model import Ledger
from dask_napari.sink import worker_counts
from dask_napari.stream import Control, ViewerGone
from plate_data import make_plate


def main() -> int:
    """Run the screen; return the exit status."""
    options = parse_arguments()
    keys = None
    if options.security_file:
        try:
            keys = dn.Security.load(options.security_file)
        except OSError as error:
            print(f"no viewer has been there to make keys: {error}", file=sys.stderr)
            return 1
    with Client(options.scheduler, timeout=f"{options.timeout}s") as client:
        try:
            client.wait_for_workers(1, timeout=options.timeout)
        except TimeoutError:
            print(f"no worker is there after {options.timeout} s", file=sys.stderr)
            return 1
        viewer = Viewer(options.viewer, security=keys, insecure=options.insecure)
        images = make_plate(options.data, options.wells, options.fields)
        print(f"{len(images)} images in {images[0].parent}", flush=True)
        taps = plate.make_taps(options.wells, options.fields)
        sink = dn.NapariSink(options.viewer, taps, security=keys, insecure=options.insecure)
        client.register_plugin(sink)
        futures = plate.run(client, images)
        for done, future in enumerate(as_completed(futures["tables"]), 1):
            print(f"{done} of {len(futures['tables'])}: {future.key}", flush=True)
        plate.report({future.key: future.result() for future in futures["tables"]})

        # The futures are held meanwhile, so that a viewer that was away gets all of it.
        try:
            ledger = viewer.settled_ledger(client, options.timeout)
        except (ViewerGone, TimeoutError) as error:
            print(f"the tasks are done, but not shown: {error}", file=sys.stderr)
            return 1
    print(ledger)
    sites = len(images) // 2
    missing = [
        f"{layer}: {ledger[layer].shown} of {number} shown"
        for layer, number in {"stain": 2 * sites, "cells": sites, "marker": sites}.items()
        if ledger[layer].shown < number
    ]
    # An output may be dropped on one worker and shown by another that computed it, too.
    if missing or not ledger.balanced:
        print("not all of it is shown:", ", ".join(missing) or "see the ledger", file=sys.stderr)
        return 1
    return 0


class Viewer:
    """A viewer that was there before the job, and may be started again meanwhile.

    Parameters
    ----------
    address : str
        Address of the viewer.
    **keys
        Options ``security`` and ``insecure`` of the connection.
    """

    def __init__(self, address: str, **keys: Any) -> None:
        self.address = address
        self.keys = keys
        self.earlier: set[str] = set()
        try:
            with closing(self.connect()) as control:
                self.earlier = {publisher for publisher, _ in control.ledger().tallies}
        except ViewerGone as error:
            print(f"no viewer yet: {error}", file=sys.stderr)

    def connect(self) -> Control:
        """Open a line to the viewer; raise ViewerGone without one."""
        return Control([self.address], timeout=5, **self.keys)

    def settled_ledger(self, client: Client, timeout: float) -> Ledger:
        """Return the ledger of this job once the viewer accounts for all that was selected.

        Parameters
        ----------
        client : dask.distributed.Client
            Client of the cluster.
        timeout : float
            Seconds until a TimeoutError with the ledger, or ViewerGone.
        """
        deadline = time.monotonic() + timeout
        while True:
            late = time.monotonic() > deadline
            try:
                with closing(self.connect()) as control:
                    selected = {
                        sink["name"]: sum(tally.selected for tally in sink["counts"].values())
                        for sink in client.run(worker_counts).values()
                        if sink and sink["name"]
                    }
                    settled = selected and control.settled(selected)
                    ledger = Ledger(
                        {
                            (publisher, layer): tally
                            for (publisher, layer), tally in control.ledger().tallies.items()
                            if publisher not in self.earlier
                        }
                    )
                if settled:
                    return ledger
                if late:
                    raise TimeoutError(f"after {timeout} s the ledger is\n{ledger}")
            except ViewerGone:
                if late:
                    raise
            time.sleep(1)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scheduler", help="address, for instance tcp://scheduler:8786")
    parser.add_argument("viewer", help="address, for instance tcp://viewer:5577")
    parser.add_argument("--wells", type=int, default=6, help="wells, 1 to 96 (default: 6)")
    parser.add_argument("--fields", type=int, default=4, help="fields per well (default: 4)")
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("demo-data"),
        help="folder of the images, which the workers see, too (default: demo-data)",
    )
    parser.add_argument(
        "--timeout", type=float, default=60, help="seconds to wait for workers and viewer (60)"
    )
    keys = parser.add_mutually_exclusive_group(required=True)
    keys.add_argument("--security-file", help="the viewer's keys, keys.json.client")
    keys.add_argument("--insecure", action="store_true", help="on a network that you trust")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
