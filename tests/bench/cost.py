#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cost.py [--seconds S] [--commands A,B] BUILD_DIR - what a watching gotrace adds to its target's CPU time.

The target is the http example under wrk. What is compared is its CPU time a request, by the process's own
clock: what gotrace itself burns is not in it and is stated apart. To see an effect below 1 %:

  Two servers run at once, each under its own wrk, all on one CPU, GOMAXPROCS=1; gotrace watches one of them.
  What a request costs wanders by 14 % from one quarter of a second to the next, by what else the host does,
  but for both alike: the ratio of the two wanders by 1.3 %, and evenly, so that longer blocks help (4 s: 0.3 %).
  A turn is two blocks: one server watched, then the other. The first's ratio over the second's is twice
  the cost, and what makes the servers differ cancels. Which is watched first alternates.
  On one CPU, as on two who waits for whom decides how many requests come in one batch, and that changes
  a request's cost by several times the effect. All are SCHED_BATCH: who is woken waits until who runs has
  done its share, and a server is not put off the CPU within a call for the wrk that it has just answered, as
  one with a CPU of its own is not. With --interrupted they are ordinary: then it is, loses its P, and has 30
  times the hand-offs. gotrace runs where the kernel puts it.
  A block is whole seconds: it holds a row of the watching gotrace for each, as a user's does.
  A program on sched_switch runs for the whole machine, so that the other server pays, too, and the ratio
  hides it: at most as much as the account from below says, and all of that is added.
  The noise is measured like the cost: every third turn has the same pauses and no gotrace.

Turns end up as their median and its 95 % interval by order statistics (the sign test turned round: no
assumption on how the noise is distributed). Beside it stands an account from below: what the kernel says
its BPF programs ran (bpf_stats; a watched second of its own, since counting costs too), and probe hits times
what a hit costs, measured here. The scheduler takes the time before the program on sched_switch, so that who
comes pays, once each time a thread of the target gets the CPU.
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
BLOCK_S = 4
ACCOUNT_S = 1
SETTLE_S = 0.15  # after the attach and after the detach; rows come on the second and must stay inside
# How long after the attach gotrace is measured: by then --max-overhead may have shed what costs too much.
AFTER_S = float(os.environ.get("AFTER", SETTLE_S))
WARM_S = 1.5
LATE_S = 30  # a busy machine may take longer for as many turns as it needs
TRIES = 5
TURNS_MIN = 6  # fewer have no 95 % interval
NOISE_EVERY = 3
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
    """What a server did in a while: made where that begins, ended by end()."""

    def __init__(self, pid):
        self.pid, self.began = pid, time.monotonic()
        self.cpu_ns, self.requests = cpu_ns(pid), requests(pid)

    def end(self):
        self.cpu_ns, self.requests = cpu_ns(self.pid) - self.cpu_ns, requests(self.pid) - self.requests
        self.seconds = time.monotonic() - self.began
        if self.requests == 0:
            is_busy = os.getloadavg()[0] > os.cpu_count()
            raise Starved("skipped: others have the CPU" if is_busy else "failed: http answers nothing")
        return self

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


def batch():
    one_cpu()
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


class Server:
    """The http example on the one CPU."""

    def __init__(self, build, stack, preexec_fn):
        http = stack.enter_context(Child([f"{build}/examples/http", "--port", "0"], preexec_fn=preexec_fn,
                                         env=dict(os.environ, GOMAXPROCS="1")))
        self.url = "http://" + re.search(r"127\.0\.0\.1:\d+", http.until("listening")).group(0) + "/"
        self.pid = http.p.pid


class Load:
    """Two servers, each under its wrk, all on one CPU."""

    def __init__(self, build, conns, seconds, is_interrupted=False):
        self.stack = contextlib.ExitStack()
        how = one_cpu if is_interrupted else batch
        try:
            self.servers = [Server(build, self.stack, how) for _ in range(2)]
            self.wrks = [self.stack.enter_context(
                Child(["wrk", "-t1", f"-c{conns}", f"-d{seconds:.0f}s", server.url], preexec_fn=how))
                for server in self.servers]
        except BaseException:
            self.stack.close()
            raise
        self.pids = [server.pid for server in self.servers]
        time.sleep(WARM_S)

    def block(self, seconds):
        """The slices of both, of the same time."""
        slices = [Slice(pid) for pid in self.pids]
        time.sleep(seconds)
        slices = [s.end() for s in slices]
        if any(wrk.p.poll() is not None for wrk in self.wrks):
            raise Skip("failed: wrk ended early")
        return slices

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
        """Type, nanoseconds and runs so far of each of its BPF programs."""
        got = {}
        for fd in os.listdir(f"/proc/{self.pid}/fdinfo"):
            with open(f"/proc/{self.pid}/fdinfo/{fd}") as f:
                info = dict(re.findall(r"^(\w+):\s+(\d+)$", f.read(), re.M))
            if "prog_type" in info:
                got[info["prog_id"]] = [int(info[k]) for k in ("prog_type", "run_time_ns", "run_cnt")]
        return got


class Series:
    """What one of two pays more for being watched, in %, one a turn."""

    def __init__(self):
        self.values = []

    def add(self, first, second):
        """Pairs of the two servers' numbers: while the first was watched, and while the second was."""
        self.values.append((first[0] / first[1] / (second[0] / second[1]) - 1) / 2 * 100)

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


def turn(number, added, noise, watched, unwatched):
    """One more value of one of the two Series. watched(which) and unwatched() return both servers' numbers."""
    if number % NOISE_EVERY == NOISE_EVERY - 1:
        noise.add(unwatched(), unwatched())
        return
    got = {which: watched(which) for which in ((0, 1) if number % 2 == 0 else (1, 0))}
    added.add(got[0], got[1])


class Cost:
    """All that one command under one load was found to cost."""

    def __init__(self, after_s):
        self.after_s = after_s
        self.cost, self.noise = Series(), Series()
        self.base_ns, self.own_pct = [], []
        self.attach_s = 0.1
        self.bpf_pct = self.switches_s = self.run_ns = self.hits_pct = self.hits_s = 0.0

    def watched(self, build, command, load, which):
        """What a request costs each server, while one of them is watched."""
        began = time.monotonic()
        with Watcher(build, command, load.pids[which]) as watcher:
            self.attach_s = time.monotonic() - began
            time.sleep(self.after_s)
            own = cpu_ns(watcher.pid)
            slices = load.block(BLOCK_S)
            own = cpu_ns(watcher.pid) - own
            watcher.check()
        time.sleep(SETTLE_S)
        self.own_pct.append(own / 1e7 / slices[0].seconds)
        self.base_ns.append(slices[1 - which].ns)
        return [s.ns for s in slices]

    def unwatched(self, load):
        time.sleep(self.attach_s + self.after_s)
        slices = load.block(BLOCK_S)
        time.sleep(SETTLE_S)
        return [s.ns for s in slices]

    def account(self, build, command, load, hit_ns):
        """A watched second of its own, with the kernel's clocks on."""
        with Child([f"{build}/bench/watch", "stats"]) as stats:
            stats.until("counting")
            pid = load.pids[0]
            with Watcher(build, command, pid) as watcher:
                time.sleep(SETTLE_S)
                before, switched = watcher.programs(), switches(pid)
                target = load.block(ACCOUNT_S)[0]
                after, switched = watcher.programs(), switches(pid) - switched
                watcher.check()
            stats.finish()
        if not after:
            raise Skip("skipped: gotrace uses no BPF here")
        self.switches_s = switched / target.seconds
        for number, (kind, ns, runs) in after.items():
            ns, runs = ns - before[number][1], runs - before[number][2]
            if kind == TYPE_KPROBE:
                self.hits_s += runs / target.seconds
                self.hits_pct += runs * hit_ns / target.cpu_ns * 100
            elif runs >= switched:  # not the iterator, nor what runs when a thread begins or ends
                self.run_ns += ns / runs
                self.bpf_pct += ns / runs * switched / target.cpu_ns * 100


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


def measure(build, command, seconds, hit_ns, after_s=AFTER_S, is_interrupted=False):
    """Turns with and without gotrace until the time is over."""
    began, result, number = time.monotonic(), Cost(after_s), 0
    late_s = LATE_S + 3 * TURNS_MIN * (after_s + BLOCK_S)
    with Load(build, CONNS, 2 * seconds + 2 * late_s, is_interrupted) as load:
        patient(lambda: result.account(build, command, load, hit_ns))
        while (late := time.monotonic() - began - seconds) < 0 or len(result.cost.values) < TURNS_MIN:
            if late > late_s:
                turns = len(result.cost.values)
                raise Skip(f"skipped: {turns} turns in {seconds + late:.0f} s: the machine is busy")
            patient(lambda: turn(number, result.cost, result.noise,
                                 lambda which: result.watched(build, command, load, which),
                                 lambda: result.unwatched(load)))
            number += 1
    result.cost.values = [v + result.bpf_pct for v in result.cost.values]
    return result


def verdict(series, limit):
    """By the median; where the interval holds the limit, it could be the other way. None: no limit."""
    if limit is None:
        return ""
    low, high = series.interval()
    is_met = "yes" if series.median() <= limit else "no"
    return f"<= {limit} %: {is_met}{', within the noise' if low <= limit < high else ''}"


def lines_print(lines):
    for label, value, reach in lines:
        print(f"{label:52} | {value:25} | {reach}".rstrip(" |"), flush=True)


def report(name, cost, hit_ns):
    """The lines of one command, for who runs this file by itself."""
    base_us, own_pct = statistics.median(cost.base_ns) / 1000, statistics.median(cost.own_pct)
    return [
        (f"gotrace {name} adds, {cost.after_s:g} s after ({len(cost.cost.values)} turns)", cost.cost.text(),
         verdict(cost.cost, COMMANDS[name][1])),
        (f"  noise: without gotrace ({len(cost.noise.values)} turns)", cost.noise.text(), ""),
        (f"  from below: BPF at {cost.switches_s:,.0f} switches/s, {cost.run_ns:.0f} ns",
         f"{cost.bpf_pct:.2f} %", ""),
        (f"  from below: {cost.hits_s:,.0f} probe hits/s of {hit_ns:.0f} ns", f"{cost.hits_pct:.2f} %", ""),
        ("  gotrace's own CPU time, of a core", f"{own_pct:.2f} %", ""),
        (f"  CPU a request, unwatched, {CONNS} connections", f"{base_us:.2f} us", ""),
    ]


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--seconds", type=float, default=180, help="for each command")
    args.add_argument("--commands", default=",".join(COMMANDS), help="separated by commas")
    args.add_argument("--interrupted", action="store_true", help="the server, in its calls, by wrk")
    args.add_argument("build")
    args = args.parse_args()
    names, failed = args.commands.split(","), False
    if unknown := [name for name in names if name not in COMMANDS]:
        sys.exit(f"cost.py: no such command: {unknown[0]}")
    # Not at once: what we started must end, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("cost.py: stopped before it had a result"))
    hit_ns = hit_ns_measure(args.build)
    print("target   one of two http examples, one P each, on one CPU with their wrk; "
          f"load {os.getloadavg()[0]:.2f} before")
    print("values   median [95 % interval]; from below: in the first second, before anything was shed")
    print()
    print(f"{'':52} | {'':25} | reach")
    print("-" * 53 + "+" + "-" * 27 + "+" + "-" * 28, flush=True)
    for name in names:
        try:
            lines = report(name, measure(args.build, name, args.seconds, hit_ns,
                                         is_interrupted=args.interrupted), hit_ns)
        except (Skip, OSError) as e:
            failed |= not str(e).startswith("skipped")
            lines = [(f"gotrace {name}", str(e), f"<= {COMMANDS[name][1]} %")]
        lines_print(lines)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
