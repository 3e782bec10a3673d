#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cost.py [--seconds S] [--commands A,B] BUILD_DIR - what a watching gotrace adds to its target's CPU time.

The target is the http example under wrk. What is compared is its CPU time a request, by the process's own
clock: what gotrace itself burns is not in it and is stated apart. To see an effect below 1 %:

  One server process and its connections stay throughout: memory and tables are the same, watched or not.
  Server and wrk share one CPU, GOMAXPROCS=1. On two, who waits for whom decides how many requests come in
  one batch, and that changes a request's cost by several times the effect; on one, wrk fills the sockets,
  the server empties them, and the batches are alike. The price is several times the hand-offs that a server
  with a CPU of its own has, as wrk interrupts it within calls: more probe hits, so rather too much cost
  than too little. gotrace runs where the kernel puts it.
  A quad is half a second unwatched, twice half a second watched, half a second unwatched (ABBA): a drift
  that is even over the two seconds cancels. The watched second holds one row, as every second of a user's.
  A quad in which the target's share of the CPU differs by more than a fifth is left out, watched or not:
  others had the CPU, and who must wait meets other batches. How many were left out is told.
  The noise is measured like the cost: quads with the same pauses and no gotrace take turns with the others.

Quads end up as their median and its 95 % interval by order statistics (the sign test turned round: no
assumption on how the noise is distributed). Beside it stands an account from below: what the kernel says
its BPF programs ran (bpf_stats; a watched second of its own, since counting costs too), and probe hits times
what a hit costs, measured here. The program on sched_switch runs for the whole machine; the scheduler takes
the time before it, so that who comes pays, once each time a thread of the target gets the CPU.
"""

import argparse
import contextlib
import math
import os
import re
import signal
import statistics
import sys
import time

from child import TIMEOUT_S, Child, Skip, parse

CONNS = 16  # of 1, 4, 16, 64, 256 and 1,000 the one whose cost a request varies least
COMMANDS = {  # options behind the pid, and what it may add in %
    "threads": (["-i", "1s"], 1),
    "blocked": (["-w", "-i", "1s"], 1),
    "growth": (["-i", "1s"], 1),
    "handoff": (["-i", "1s"], 1),
    "netpoll": (["-i", "1s"], 3),
}
HALF_S = 0.5
SETTLE_S = 0.15  # after the attach and after the detach; rows come on the second and must stay inside
# How long after the attach gotrace is measured: by then --max-overhead may have shed what costs too much.
AFTER_S = float(os.environ.get("AFTER", SETTLE_S))
WARM_S = 1.5
LATE_S = 30  # a busy machine may take longer for as many quads as it needs
TRIES = 5
SHARE_SPREAD = 1.2  # between the slices of one quad
QUADS_MIN = 6  # fewer have no 95 % interval
HOT_CHUNKS = 11  # with a trap in every call
PAIR_TRIES = 5
PROBES_PER_PAIR = 2  # entersyscall, exitsyscall
TYPE_KPROBE = 2  # enum bpf_prog_type: uprobes are of this one
CPU = 0


def cpu_ns(pid):
    """CPU time of a process, its ended threads included: clock_getcpuclockid(3) of it."""
    return time.clock_gettime_ns((~pid << 3) | 2)


def requests(pid):
    """Requests answered so far: each is one write."""
    with open(f"/proc/{pid}/io") as f:
        return int(re.search(r"syscw: (\d+)", f.read()).group(1))


class Starved(Skip):
    """Others had the CPU all the while."""


class Slice:
    """What the target did in a while."""

    def __init__(self, pid, seconds):
        began, cpu, answered = time.monotonic(), cpu_ns(pid), requests(pid)
        time.sleep(seconds)
        self.cpu_ns, self.requests = cpu_ns(pid) - cpu, requests(pid) - answered
        self.seconds = time.monotonic() - began

    @property
    def ns(self):
        return self.cpu_ns / self.requests


def switches(pid):
    """How often its threads were given a CPU."""
    total = 0
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/schedstat") as f:
            total += int(f.read().split()[2])
    return total


def one_cpu():
    os.sched_setaffinity(0, {CPU})


class Load:
    """The server under wrk, both on one CPU."""

    def __init__(self, build, conns, seconds):
        self.stack = contextlib.ExitStack()
        pinned = {"preexec_fn": one_cpu}
        try:
            http = self.stack.enter_context(Child([f"{build}/examples/http", "--port", "0"],
                                                  env=dict(os.environ, GOMAXPROCS="1"), **pinned))
            url = "http://" + re.search(r"127\.0\.0\.1:\d+", http.until("listening")).group(0) + "/"
            self.wrk = self.stack.enter_context(
                Child(["wrk", "-t1", f"-c{conns}", f"-d{seconds:.0f}s", url], **pinned))
        except BaseException:
            self.stack.close()
            raise
        self.pid = http.p.pid
        time.sleep(WARM_S)

    def slice(self, seconds):
        got = Slice(self.pid, seconds)
        if self.wrk.p.poll() is not None:
            raise Skip("failed: wrk ended early")
        if got.requests == 0:
            is_busy = os.getloadavg()[0] > os.cpu_count()
            raise Starved("skipped: others have the CPU" if is_busy else "failed: http answers nothing")
        return got

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()


class Watcher(Child):
    """A gotrace that has attached."""

    def __init__(self, build, command, pid):
        super().__init__([f"{build}/gotrace", command, str(pid)] + COMMANDS[command][0])
        self.pid = self.p.pid
        try:
            self.until("\n")
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.terminate()
            self.p.wait(TIMEOUT_S)
        super().__exit__()

    def why(self):
        """Usage and permission (2 and 5) are no failures: it does not have it, or may not do it, here."""
        code, text = self.p.wait(TIMEOUT_S), self.p.stderr.read().decode().strip()
        first = (text.splitlines() or [f"gotrace: exit status {code}"])[0]
        return ("skipped: " if code in (2, 5) else "failed: ") + first

    def check(self):
        if self.p.poll() is not None:
            raise Skip(self.why())

    def programs(self):
        """Nanoseconds and runs of its BPF programs so far, by type."""
        sums = {}
        for fd in os.listdir(f"/proc/{self.pid}/fdinfo"):
            with open(f"/proc/{self.pid}/fdinfo/{fd}") as f:
                info = dict(re.findall(r"^(\w+):\s+(\d+)$", f.read(), re.M))
            if "prog_type" in info:
                ns, runs = sums.get(int(info["prog_type"]), (0, 0))
                sums[int(info["prog_type"])] = (ns + int(info["run_time_ns"]),
                                                runs + int(info["run_cnt"]))
        return sums


class Series:
    """Relative differences in %, one a quad."""

    def __init__(self):
        self.values = []

    def add(self, outer, inner):
        self.values.append((sum(s.ns for s in inner) / sum(s.ns for s in outer) - 1) * 100)

    def median(self):
        return statistics.median(self.values)

    def interval(self):
        """Of the median: the k-th from either end, so that it is outside in less than 5 % of all series."""
        n, k, outside = len(self.values), 0, 0.0
        while k < n // 2:
            outside += 2 * math.comb(n, k) / 2**n
            if outside > 0.05:
                break
            k += 1
        return sorted(self.values)[max(0, k - 1)], sorted(self.values)[n - max(1, k)]

    def text(self):
        low, high = self.interval()
        return f"{self.median():+.2f} [{low:+.2f}..{high:+.2f}] %"


class Cost:
    """All that one command under one load was found to cost."""

    def __init__(self, after_s):
        self.after_s = after_s
        self.cost, self.noise = Series(), Series()
        self.base_ns, self.own_pct = [], []
        self.attach_s = 0.1
        self.left_out = 0
        self.bpf_pct = self.switches_s = self.run_ns = self.hits_pct = self.hits_s = 0.0

    def quads(self):
        return min(len(self.cost.values), len(self.noise.values))

    def is_even(self, slices):
        shares = [s.cpu_ns / s.seconds for s in slices]
        is_even = max(shares) <= min(shares) * SHARE_SPREAD
        self.left_out += not is_even
        return is_even

    def watched(self, build, command, load):
        outer = [load.slice(HALF_S)]
        began = time.monotonic()
        with Watcher(build, command, load.pid) as watcher:
            self.attach_s = time.monotonic() - began
            time.sleep(self.after_s)
            own = cpu_ns(watcher.pid)
            inner = [load.slice(HALF_S), load.slice(HALF_S)]
            own = cpu_ns(watcher.pid) - own
            watcher.check()
        time.sleep(SETTLE_S)
        outer.append(load.slice(HALF_S))
        if not self.is_even(outer + inner):
            return
        self.cost.add(outer, inner)
        self.own_pct.append(own / 1e7 / sum(s.seconds for s in inner))
        self.base_ns += [s.ns for s in outer]

    def unwatched(self, load):
        outer = [load.slice(HALF_S)]
        time.sleep(self.attach_s + self.after_s)
        inner = [load.slice(HALF_S), load.slice(HALF_S)]
        time.sleep(SETTLE_S)
        outer.append(load.slice(HALF_S))
        if self.is_even(outer + inner):
            self.noise.add(outer, inner)

    def account(self, build, command, load, hit_ns):
        """One more watched second, with the kernel's clocks on."""
        with Child([f"{build}/bench/watch", "stats"]) as stats:
            stats.until("counting")
            with Watcher(build, command, load.pid) as watcher:
                time.sleep(SETTLE_S)
                before, switched = watcher.programs(), switches(load.pid)
                target = load.slice(2 * HALF_S)
                after, switched = watcher.programs(), switches(load.pid) - switched
                watcher.check()
            stats.finish()
        if not after:
            raise Skip("skipped: gotrace uses no BPF here")
        for kind, (ns, runs) in after.items():
            ns, runs = ns - before[kind][0], runs - before[kind][1]
            if kind == TYPE_KPROBE:
                self.hits_s = runs / target.seconds
                self.hits_pct = runs * hit_ns / target.cpu_ns * 100
            else:
                self.switches_s, self.run_ns = switched / target.seconds, ns / runs if runs else 0
                self.bpf_pct = self.run_ns * switched / target.cpu_ns * 100


def pair_ns(target):
    """Of several measurements the least: others can only add."""
    got = []
    for _ in range(PAIR_TRIES):
        target.ask()
        got.append(parse(target.until("pair_ns"))["pair_ns"])
    return min(got)


def hit_ns_measure(build):
    """One hit of a probe, its BPF program included: what two of them add to a trivial call."""
    with Child([f"{build}/bench/grt", "calls", str(HOT_CHUNKS)]) as target:
        plain = pair_ns(target)
        with Child([f"{build}/bench/watch", "attach", str(target.p.pid), "hot"]) as watch:
            watch.until("attach_ms")
            hot = pair_ns(target)
            if parse(watch.finish())["probe_hits"] == 0:
                raise Skip("failed: no probe was hit")
        target.finish()
    return (hot - plain) / PROBES_PER_PAIR


def patient(attempt):
    """What was starved is tried again: a slice without requests says nothing."""
    for _ in range(TRIES):
        try:
            return attempt()
        except Starved as e:
            last = e
    raise last


def measure(build, command, seconds, hit_ns, after_s=AFTER_S):
    """Quads with and without gotrace, the order changing, until the time is over."""
    began, result = time.monotonic(), Cost(after_s)
    late_s = LATE_S + 3 * QUADS_MIN * after_s  # two quads a turn, and some are left out
    with Load(build, CONNS, 2 * seconds + late_s) as load:
        patient(lambda: result.account(build, command, load, hit_ns))
        turn = 0
        while (late := time.monotonic() - began - seconds) < 0 or result.quads() < QUADS_MIN:
            if late > late_s:
                raise Skip(f"skipped: {result.quads()} quads in {seconds + late:.0f} s: the machine is busy")
            quads = [lambda: result.watched(build, command, load), lambda: result.unwatched(load)]
            for quad in quads if turn % 2 == 0 else reversed(quads):
                patient(quad)
            turn += 1
    return result


def verdict(name, cost):
    """By the median; where the interval holds the limit, it could be the other way."""
    limit, (low, high) = COMMANDS[name][1], cost.cost.interval()
    is_met = "yes" if cost.cost.median() <= limit else "no"
    return f"<= {limit} %: {is_met}{', within the noise' if low <= limit < high else ''}"


def report(name, cost, hit_ns):
    """The lines of one command, for who runs this file by itself."""
    base_us, own_pct = statistics.median(cost.base_ns) / 1000, statistics.median(cost.own_pct)
    return [
        (f"gotrace {name} adds, {cost.after_s:g} s after ({len(cost.cost.values)} quads)", cost.cost.text(),
         verdict(name, cost)),
        (f"  noise: without gotrace ({len(cost.noise.values)} quads)", cost.noise.text(), ""),
        (f"  from below: BPF at {cost.switches_s:,.0f} switches/s, {cost.run_ns:.0f} ns",
         f"{cost.bpf_pct:.2f} %", ""),
        (f"  from below: {cost.hits_s:,.0f} probe hits/s of {hit_ns:.0f} ns", f"{cost.hits_pct:.2f} %", ""),
        ("  gotrace's own CPU time, of a core", f"{own_pct:.2f} %", ""),
        (f"  CPU a request, unwatched, {CONNS} connections", f"{base_us:.2f} us", ""),
        ("  quads left out: others had the CPU", f"{cost.left_out}", ""),
    ]


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--seconds", type=float, default=180, help="for each command")
    args.add_argument("--commands", default=",".join(COMMANDS), help="separated by commas")
    args.add_argument("build")
    args = args.parse_args()
    names, failed = args.commands.split(","), False
    if unknown := [name for name in names if name not in COMMANDS]:
        sys.exit(f"cost.py: no such command: {unknown[0]}")
    # Not at once: what we started must end, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("cost.py: stopped before it had a result"))
    hit_ns = hit_ns_measure(args.build)
    print(f"target   the http example, one P, on one CPU with wrk; load {os.getloadavg()[0]:.2f} before")
    print("values   median [95 % interval]; from below: in the first second, before anything was shed")
    print()
    print(f"{'':52} | {'':25} | reach")
    print("-" * 53 + "+" + "-" * 27 + "+" + "-" * 28, flush=True)
    for name in names:
        try:
            lines = report(name, measure(args.build, name, args.seconds, hit_ns), hit_ns)
        except (Skip, OSError) as e:
            failed |= not str(e).startswith("skipped")
            lines = [(f"gotrace {name}", str(e), f"<= {COMMANDS[name][1]} %")]
        for label, value, reach in lines:
            print(f"{label:52} | {value:25} | {reach}".rstrip(" |"), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
