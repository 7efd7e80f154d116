"""The same engine for as long as one likes: ``python tests/fuzz/run.py --seconds 600``.

With atheris (libFuzzer) programs are chosen by what code they reach; where it has no wheel for this
Python, they are drawn at random. A program that breaks a promise is written to a file and ends the
run with exit code 1; put it among the engine's `SEEDS` when it is mended.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

LENGTH = 2000
"""Bytes of a program: some 60 messages."""


def at_random(seconds: float, seed: int) -> int:
    from fuzz.engine import play, private_segments

    draw = random.Random(seed)
    end = time.monotonic() + seconds
    done = 0
    with private_segments():
        while time.monotonic() < end:
            data = draw.randbytes(draw.choice((50, 300, LENGTH)))
            try:
                play(data)
            except Exception:
                path = Path(f"finding-{seed}-{done}.bin")
                path.write_bytes(data)
                print(f"{done} programs, then a finding, written to {path}")
                raise
            done += 1
    print(f"{done} programs in {seconds:.0f} s, drawn at random with seed {seed}: no finding")
    return 0


def guided(seconds: float, corpus: Path) -> int:
    import atheris

    with atheris.instrument_imports(include=["dask_napari.stream"]):
        from fuzz import engine
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(engine.SEEDS):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [
        f"-max_total_time={seconds:.0f}",
        f"-max_len={LENGTH}",
        # An allocation beyond any limit is a finding, too; so is a program that takes long.
        "-rss_limit_mb=2048",
        "-malloc_limit_mb=512",
        "-timeout=20",
        "-artifact_prefix=finding-",
        "-print_final_stats=1",
    ]
    with engine.private_segments():
        atheris.Setup([sys.argv[0], *options, str(corpus)], engine.play)
        atheris.Fuzz()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0, help="where no atheris is")
    parser.add_argument("--corpus", type=Path, default=Path(".fuzz-corpus"))
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # what is rejected is logged, thousands a second
    try:
        import atheris  # noqa: F401
    except ImportError:
        print("atheris is not installed (it has wheels for some Pythons only): drawing at random")
        return at_random(options.seconds, options.seed)
    return guided(options.seconds, options.corpus)


if __name__ == "__main__":
    sys.exit(main())
