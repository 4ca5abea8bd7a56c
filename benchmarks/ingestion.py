"""How long until a file is ready to train on, and how much memory that takes, parent and workers together.

    python benchmarks/ingestion.py DATA

Reads the file with an empty cache, without and with the molecules' keys (which a split needs), and each time again from
the cache. Memory is the peak of the proportional set size, looked at five times a second. The table goes to the
terminal and to ``benchmarks/results/ingestion.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from molvae.data.ingest import ingest
from molvae.execution import available_cores
from molvae.files import atomic_write
from molvae.workflows.environment import environment

RESULTS = Path(__file__).parent / "results" / "ingestion.json"


class PeakMemory:
    """The largest proportional set size of this process and those below it, in bytes, while the block lasts."""

    def __enter__(self) -> PeakMemory:
        self.bytes, self._done = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.2):
            total = 0
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:  # it has just ended
                    continue
            self.bytes = max(self.bytes, total)


def measure(path: Path, keys: bool) -> dict[str, Any]:
    """Seconds and memory of one ingestion, and seconds of the second one."""
    with tempfile.TemporaryDirectory() as cache:
        os.environ["MOLVAE_CACHE"] = cache
        with PeakMemory() as memory:
            start = time.perf_counter()
            result = ingest(path, keys=keys)
            first = time.perf_counter() - start
        start = time.perf_counter()
        ingest(path, keys=keys)
        second = time.perf_counter() - start
    return {"keys": keys, "read": result.num_read, "kept": result.num_kept, "tokens": len(result.table.ids),
            "seconds": round(first, 1), "seconds_from_cache": round(second, 2),
            "peak_pss_bytes": memory.bytes}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="How long until a file is ready to train on.")
    parser.add_argument("data", type=Path)
    path: Path = parser.parse_args().data
    load = os.getloadavg()[0]
    rows = [measure(path, keys) for keys in (False, True)]
    print(f"{path.name}, {available_cores()} cores, load average {load:.1f} before the start")
    print("keys   read        kept        seconds  from cache  peak PSS")
    for row in rows:
        print(f"{row['keys']!s:6} {row['read']:<11,} {row['kept']:<11,} {row['seconds']:<8} "
              f"{row['seconds_from_cache']:<11} "
              f"{row['peak_pss_bytes'] / 1e6:.0f} MB")
    about = {**environment(), "cores": available_cores(), "load_average_before": load, "file": path.name}
    with atomic_write(RESULTS) as file:
        file.write(json.dumps({"about": about, "results": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
