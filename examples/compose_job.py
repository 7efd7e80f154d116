"""Stream to a viewer that waits in another container; the job of ``docker-compose.yml``.

``python examples/compose_job.py tcp://scheduler:8786 tcp://viewer:5577 --insecure``
"""

from __future__ import annotations

import argparse

from dask.distributed import Client, as_completed

import dask_napari as dn
from dask_napari.cli._demo_tasks import expose, segment


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scheduler", help="address, for instance tcp://scheduler:8786")
    parser.add_argument("viewer", help="address, for instance tcp://viewer:5577")
    parser.add_argument("--fields", type=int, default=96)
    keys = parser.add_mutually_exclusive_group(required=True)
    keys.add_argument("--security-file", help="the viewer's keys, keys.json.client")
    keys.add_argument("--insecure", action="store_true", help="on a network that you trust")
    options = parser.parse_args()
    security = dn.Security.load(options.security_file) if options.security_file else None
    names = [f"P1_A{n // 4 + 1:02d}_s{n % 4 + 1}" for n in range(options.fields)]
    at = "{plate}_{well}_s{field:d}"
    with Client(options.scheduler) as client:
        taps = [
            dn.Tap("expose", layer="raw", at=at),
            dn.Tap("segment", kind="labels", layer="cells", at=at),
        ]
        sink = dn.NapariSink(options.viewer, taps, security=security, insecure=options.insecure)
        client.register_plugin(sink)
        fields = client.map(expose, names, pure=False)
        cells = client.map(segment, fields, key=[f"segment-{name}" for name in names])
        for done, future in enumerate(as_completed(cells), 1):
            print(f"{done} of {len(cells)}: {future.key}", flush=True)


if __name__ == "__main__":
    main()
