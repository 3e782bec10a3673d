#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""latency.py [--seconds S] [--commands A,B] BUILD_DIR - what a watching gotrace adds to its target's p99.

The load is that of cost.py: the http example and wrk on one CPU, gotrace where the kernel puts it. A slice is
one run of wrk, as it tells its percentile at its end only: of a second, some 50,000 answers, so that p99 rests
on 500. A quad is one slice unwatched, two watched, one unwatched; quads with the same pauses and no gotrace take
turns with them and are the noise. Median of the quads and its 95 % interval, as in cost.py. The watched
slices begin AFTER_S after the attach: by then --max-overhead has shed what costs too much.
"""

import argparse
import contextlib
import os
import re
import signal
import sys
import time

from child import Child, Skip, run
from cost import COMMANDS, CONNS, QUADS_MIN, SETTLE_S, Series, Watcher, one_cpu

AFTER_S = 4
P99_PCT = 2
LUA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "p99.lua")


class Slice:
    """`ns`: as of cost.py's, so that a Series compares them."""

    def __init__(self, url):
        argv = ["taskset", "-c", "0", "wrk", "-t1", f"-c{CONNS}", "-d1s", "-s", LUA, url]
        got = re.search(r"p99_us (\d+)", run(argv))
        if not got:
            raise Skip("failed: wrk tells no p99")
        self.ns = int(got.group(1)) * 1000


def watched(build, command, pid, url):
    outer = [Slice(url)]
    with Watcher(build, command, pid) as watcher:
        time.sleep(AFTER_S)
        inner = [Slice(url), Slice(url)]
        watcher.check()
    time.sleep(SETTLE_S)
    return outer + [Slice(url)], inner


def unwatched(url):
    outer = [Slice(url)]
    time.sleep(AFTER_S)
    inner = [Slice(url), Slice(url)]
    time.sleep(SETTLE_S)
    return outer + [Slice(url)], inner


def measure(build, command, seconds):
    """Two Series: what gotrace adds, and the noise."""
    added, noise, began, turn = Series(), Series(), time.monotonic(), 0
    with contextlib.ExitStack() as stack:
        http = stack.enter_context(Child([f"{build}/examples/http", "--port", "0"], preexec_fn=one_cpu,
                                         env=dict(os.environ, GOMAXPROCS="1")))
        url = "http://" + re.search(r"127\.0\.0\.1:\d+", http.until("listening")).group(0) + "/"
        Slice(url)  # warms up
        while time.monotonic() - began < seconds or turn < QUADS_MIN:
            quads = [lambda: added.add(*watched(build, command, http.p.pid, url)),
                     lambda: noise.add(*unwatched(url))]
            for quad in quads if turn % 2 == 0 else reversed(quads):
                quad()
            turn += 1
    return added, noise


def verdict(added):
    low, high = added.interval()
    is_met = "yes" if added.median() <= P99_PCT else "no"
    return f"<= {P99_PCT} %: {is_met}{', within the noise' if low <= P99_PCT < high else ''}"


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--seconds", type=float, default=180, help="for each command")
    args.add_argument("--commands", default=",".join(COMMANDS), help="separated by commas")
    args.add_argument("build")
    args = args.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("latency.py: stopped before it had a result"))
    failed = False
    for name in args.commands.split(","):
        try:
            added, noise = measure(args.build, name, args.seconds)
            lines = [(f"gotrace {name}: p99 of a request ({len(added.values)} quads)", added.text(),
                      verdict(added)),
                     (f"  noise: without gotrace ({len(noise.values)} quads)", noise.text(), "")]
        except (Skip, OSError) as e:
            failed |= not str(e).startswith("skipped")
            lines = [(f"gotrace {name}: p99 of a request", str(e), f"<= {P99_PCT} %")]
        for label, value, reach in lines:
            print(f"{label:52} | {value:25} | {reach}".rstrip(" |"), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
