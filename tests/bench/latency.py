#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""latency.py [--seconds S] [--commands A,B] BUILD_DIR - what a watching gotrace adds to its target's p99.

The load is that of cost.py --interrupted: two http examples, each under its wrk, on one CPU, one of them watched
(as SCHED_BATCH the percentile is that of turns on the CPU, and wanders by hundreds of per cent). A slice is one
run of wrk on each at the same time, as it tells its percentile at its end only: of three seconds, some 60,000
answers, so that p99 rests on 600. p99 wanders by 10 % from one to the next, but for both servers alike: their
ratio by 1.6 %. A turn is one server watched, then the other, as in cost.py; every third is the noise. Median
of the turns and its 95 % interval. A watched slice begins AFTER_S after the attach: by then
--max-overhead has shed what costs too much.
"""

import argparse
import contextlib
import os
import re
import signal
import sys
import time

from child import TIMEOUT_S, Child, Skip
from cost import (COMMANDS, CONNS, SETTLE_S, TURNS_MIN, Series, Server, Watcher, lines_print, one_cpu, turn,
                  verdict)

AFTER_S = float(os.environ.get("AFTER", 4))
SLICE_S = 3
# netpoll has none: it tells of every wait, which is every request, until it is shed.
P99_PCT = {name: None if name == "netpoll" else 2 for name in COMMANDS}
LUA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "p99.lua")


def slices(servers):
    """p99 of each, of the same time."""
    with contextlib.ExitStack() as stack:
        wrks = [stack.enter_context(Child(["wrk", "-t1", f"-c{CONNS}", f"-d{SLICE_S}s", "-s", LUA, s.url],
                                          preexec_fn=one_cpu)) for s in servers]
        texts = [wrk.p.communicate(timeout=TIMEOUT_S)[0].decode() for wrk in wrks]
    got = [re.search(r"p99_us (\d+)", text) for text in texts]
    if not all(got):
        raise Skip("failed: wrk tells no p99")
    return [int(m.group(1)) for m in got]


def watched(build, command, servers, which):
    with Watcher(build, command, servers[which].pid) as watcher:
        time.sleep(AFTER_S)
        got = slices(servers)
        watcher.check()
    time.sleep(SETTLE_S)
    return got


def unwatched(servers):
    time.sleep(AFTER_S + SETTLE_S)
    return slices(servers)


def measure(build, command, seconds):
    """Two Series: what gotrace adds, and the noise."""
    added, noise, began, number = Series(), Series(), time.monotonic(), 0
    with contextlib.ExitStack() as stack:
        servers = [Server(build, stack, one_cpu) for _ in range(2)]
        slices(servers)  # warms up
        while time.monotonic() - began < seconds or len(added.values) < TURNS_MIN:
            turn(number, added, noise, lambda which: watched(build, command, servers, which),
                 lambda: unwatched(servers))
            number += 1
    return added, noise


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
            lines = [(f"gotrace {name}: p99 of a request ({len(added.values)} turns)", added.text(),
                      verdict(added, P99_PCT[name])),
                     (f"  noise: without gotrace ({len(noise.values)} turns)", noise.text(), "")]
        except (Skip, OSError) as e:
            failed |= not str(e).startswith("skipped")
            lines = [(f"gotrace {name}: p99 of a request", str(e), "")]
        lines_print(lines)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
