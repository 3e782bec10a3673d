#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench.py [--rounds N] BUILD_DIR - measure libgrt beside Go, and gotrace; print one table.

The sides take turns within each round, so that what disturbs the machine disturbs both. A value is the
median over the rounds, with the least and the greatest unless its row says otherwise. Nothing is asserted:
`reach` is what we aim at. What each command of gotrace costs its target is `make bench-cost`.
A row that could not be measured says why; one whose program failed makes the run fail.
"""

import argparse
import json
import os
import platform
import re
import resource
import signal
import statistics
import subprocess
import sys
import time

import cost
import latency
from child import Child, Skip, parse, run

HOT_CHUNKS = 11  # with a trap in every call
COST_S = 10  # a round
SHED_S = 4  # after the attach: --max-overhead has acted
OWN_PCT = 10
STAMPS_PCT = 10  # the target's stamps lie outside of what gotrace measures

# Measurements of both sides: bench and size.
SIDE_BENCHES = [
    ("switch", None),
    ("spawn", None),
    ("calls", None),
    ("handoff", None),
    ("blocked", 100),
    ("blocked", 1000),
    ("parked", 100000),
    ("busy", None),
]

# key, what the reader sees, unit, what we aim at (None: nothing), whether less is better
ROWS = [
    ("switch_ns", "context switch through the scheduler (yield)", "ns", 50, True),
    ("spawn_ns", "spawn + join", "ns", None, True),
    ("foreign_ns", "enter + exit: trivial foreign call", "ns", 5, True),
    ("pair_ns", "enter + exit: getppid, over the raw call", "ns", 5, True),
    ("pair_cold_ns", "  the same, cold probes attached", "ns", None, True),
    ("pair_hot_ns", "  the same, hot probes attached", "ns", None, True),
    ("raw_ns", "  (the raw call)", "ns", None, True),
    ("handoff_p50_us", "hand-off, one P: read blocks -> next runs, p50", "us", "go", True),
    ("handoff_p99_us", "  p99", "us", None, True),
    ("threads@100", "threads with 100 blocked in reads, two Ps", "", None, True),
    ("threads@1000", "threads with 1,000", "", None, True),
    ("block_ms@1000", "  until all 1,000 are in their reads", "ms", None, True),
    ("share_storm_pct@1000", "  meanwhile: speed of a computing one, of solo", "%", None, False),
    ("share_pct@1000", "  afterwards", "%", 80, False),
    ("parked_bytes@100000", "bytes a parked goroutine, of 100,000", "B", None, True),
    ("parked_tables_bytes@100000", "  of these, page tables", "B", None, True),
    ("echo_p99_us", "echo on 100 sockets, four yield for ever, two Ps, p99", "us", 1500, True),
    ("tick_late_us", "  meanwhile: a timer of 1 ms late, p99", "us", 2000, True),
    ("snapshot_bpf_ms@1000", "gotrace: snapshot of 1,000 Ms, task iterator", "ms", 5, True),
    ("snapshot_bpf_ms@10000", "gotrace: snapshot of 10,000 Ms, task iterator", "ms", 60, True),
    ("snapshot_proc_ms@1000", "gotrace: snapshot of 1,000 Ms, without BPF", "ms", 50, True),
    ("snapshot_proc_ms@10000", "gotrace: snapshot of 10,000 Ms, without BPF", "ms", None, True),
    ("attach_ms", "gotrace: attach the cold probes, 1,000 Ms", "ms", 60, True),
    ("detach_ms", "  detach", "ms", 60, True),
    ("attach_all_ms", "gotrace: attach all probes, 1,000 Ms", "ms", 60, True),
    ("detach_all_ms", "  detach", "ms", 60, True),
    ("blocked_plain_ms@1000", "gotrace blocked: who, in which call, 1,000 Ms", "ms", 10, True),
    ("blocked_plain_ms@10000", "  10,000 Ms", "ms", 100, True),
    ("blocked_stacks_ms@1000", "  with stacks and symbols, the first time, 1,000", "ms", None, True),
    ("blocked_stacks_ms@10000", "  10,000 Ms", "ms", 1000, True),
    ("blocked_again_ms@10000", "  again, 10,000 Ms", "ms", 1000, True),
    ("screen_ms@100", "  from its start to the end of its screen, 100 Ms", "ms", 300, True),
    ("screen_ms@1000", "  1,000 Ms", "ms", 300, True),
    ("screen_ms@10000", "  10,000 Ms", "ms", 1000, True),
    ("stamps_own_us@handoff", "hand-offs, p50 by the target's own stamps", "us", None, True),
    ("stamps_us@handoff", "  by gotrace handoff", "us", None, True),
    ("stamps_pct@handoff", "  they differ by", "%", STAMPS_PCT, True),
    ("stamps_own_us@waits", "waits on a socket, mean by the target's own stamps", "us", None, True),
    ("stamps_us@waits", "  by gotrace netpoll, parked + queued", "us", None, True),
    ("stamps_pct@waits", "  they differ by", "%", STAMPS_PCT, True),
    ("http_us", "http under wrk: CPU a request, unwatched", "us", None, True),
    ("http_cost_pct", "  gotrace threads adds, from its 4th second [95 %]", "%", 1, True),
    ("http_first_pct", "  in its first, before it can shed [95 %]", "%", None, True),
    ("http_noise_pct", "  noise: the same without gotrace [95 %]", "%", None, True),
    ("http_bpf_pct", "  from below: BPF run time, of the target's CPU", "%", None, True),
    ("http_hits_pct", "  from below: probe hits, of the target's CPU", "%", None, True),
    ("http_own_pct", "  gotrace's own CPU time, of a core", "%", OWN_PCT, True),
    *[(f"http_{name}_pct", f"  gotrace {name} adds, from its 4th second [95 %]", "%", limit, True)
      for name, (_, limit) in cost.COMMANDS.items() if name != "threads"],
    *[(f"http_{name}_own_pct", f"  gotrace {name}'s own CPU time, of a core", "%", OWN_PCT, True)
      for name in cost.COMMANDS if name != "threads"],
    *[(f"p99_{name}_pct", f"  to its p99, gotrace {name} [95 %]", "%", limit, True)
      for name, limit in latency.P99_PCT.items()],
]


class Results:
    """Values by side and key, and why there are none."""

    def __init__(self):
        self.values = {}
        self.interval = {}  # where it is another one than least..greatest
        self.why = {}
        self.has_failed = False

    def add(self, side, key, value):
        self.values.setdefault((side, key), []).append(value)

    def add_all(self, side, values, suffix=""):
        for key, value in values.items():
            self.add(side, key + suffix, value)

    def cell(self, side, key, unit):
        v = self.values.get((side, key))
        if not v:
            return self.why.get((side, key), self.why.get((side, None), "-"))
        low, high = self.interval.get((side, key), (min(v), max(v)))
        return f"{fmt(statistics.median(v))} [{fmt(low)}..{fmt(high)}] {unit}".rstrip()

    def median(self, side, key):
        v = self.values.get((side, key))
        return statistics.median(v) if v else None


def fmt(x):
    if abs(x) >= 100:
        return f"{x:,.0f}"
    return f"{x:.1f}" if abs(x) >= 10 else f"{x:.2f}"


def progress(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def guarded(res, side, keys, fn):
    """Note for the rows why fn could not measure them."""
    try:
        fn()
    except (Skip, OSError, subprocess.SubprocessError) as e:
        for key in keys:
            res.why[(side, key)] = str(e)
        res.has_failed |= str(e).startswith("failed")
        progress(f"{', '.join(keys)}: {e}")


# --- libgrt and Go --------------------------------------------------------------------------------


def round_of_sides(res, build, sides, number):
    for bench, size in SIDE_BENCHES:
        suffix = f"@{size}" if size else ""
        keys = [k for k, *_ in ROWS if belongs(k, bench, suffix)]
        for side in sides if number % 2 == 0 else reversed(sides):
            argv = [f"{build}/bench/{side}", bench] + ([str(size)] if size else [])
            guarded(res, side, keys,
                    lambda: res.add_all(side, parse(run(argv, "\n" if bench == "calls" else "")), suffix))


def belongs(key, bench, suffix):
    prefixes = {"switch": ("switch",), "spawn": ("spawn",), "calls": ("foreign", "pair_ns", "raw"),
                "handoff": ("handoff",), "blocked": ("threads", "block_", "share"), "parked": ("parked",),
                "busy": ("echo", "tick")}
    return key.startswith(prefixes[bench]) and key.endswith(suffix)


def calls_attached(res, build, temperature):
    """Enter and exit while somebody watches."""
    chunks = HOT_CHUNKS if temperature == "hot" else 0
    with Child([f"{build}/bench/grt", "calls", str(chunks)]) as target:
        with Child([f"{build}/bench/watch", "attach", str(target.p.pid), temperature]) as watch:
            watch.until("attach_ms")
            target.ask()
            got = parse(target.until("pair_ns"))
            hits = parse(watch.finish())["probe_hits"]
        target.finish()
    if temperature == "hot" and hits == 0:
        raise Skip("failed: no probe was hit")
    res.add("grt", f"pair_{temperature}_ns", got["pair_ns"])


# --- gotrace --------------------------------------------------------------------------------------


def blocked_target(build, n):
    target = Child([f"{build}/bench/grt", "stay", str(n)])
    got = parse(target.until("threads"))["threads"]
    if got < n:
        raise Skip(f"failed: {got:.0f} threads instead of {n}")
    return target


def snapshots(res, build, n, rounds, each):
    with blocked_target(build, n) as target:
        for _ in range(rounds):
            for how in ("bpf", "proc"):
                argv = [f"{build}/bench/watch", "snapshot", str(target.p.pid), str(each), how]
                key = f"snapshot_{how}_ms@{n}"
                guarded(res, "grt", [key], lambda: res.add("grt", key, parse(run(argv))["snapshot_ms"]))


def looks(res, build, n, rounds):
    """What `gotrace blocked` does, without its screen."""
    with blocked_target(build, n) as target:
        for _ in range(rounds):
            for how, first, again in (("plain", "blocked_plain_ms", None),
                                      ("stacks", "blocked_stacks_ms", "blocked_again_ms")):
                got = parse(run([f"{build}/bench/stacks", str(target.p.pid), how]))
                if got["rows"] < n:
                    raise Skip(f"failed: {got['rows']:.0f} rows instead of {n}")
                res.add("grt", f"{first}@{n}", got["first_ms"])
                if again:
                    res.add("grt", f"{again}@{n}", got["later_ms"])


def screens(res, build, n, rounds):
    with blocked_target(build, n) as target:
        for _ in range(rounds):
            began = time.monotonic()
            text = run([f"{build}/gotrace", "blocked", str(target.p.pid)])
            res.add("grt", f"screen_ms@{n}", (time.monotonic() - began) * 1000)
            if f"{n} blocked: " not in text:
                raise Skip(f"failed: gotrace does not say {n} blocked")


def stamps(res, build, bench, verb, own_key, of_totals):
    """Both look at the same run."""
    with Child([f"{build}/bench/grt", bench, "1"]) as target:
        target.until("pid")
        with Child([f"{build}/gotrace", verb, "--json", "--max-overhead", "0%", str(target.p.pid)]) as watch:
            watch.until('"begin"')
            target.ask()
            own = parse(target.until(own_key))[own_key]
            watch.p.send_signal(signal.SIGINT)
            lines = [json.loads(line) for line in watch.finish().splitlines()]
        target.finish()
    got = of_totals(next(line for line in lines if line["type"] == "totals"))
    res.add("grt", f"stamps_own_us@{bench}", own)
    res.add("grt", f"stamps_us@{bench}", got)
    res.add("grt", f"stamps_pct@{bench}", abs(got / own - 1) * 100)


def handoff_p50_us(totals):
    row = next(r for r in totals["rows"] if r["name"] == "read" and r["by"] == "sysmon")
    return row["total"]["p50_ns"] / 1000


def wait_mean_us(totals):
    by = totals["by"].values()
    return sum(b["parked"]["sum_ns"] + b["queued"]["sum_ns"] for b in by) / sum(b["waits"] for b in by) / 1000


def attaches(res, build, rounds):
    with blocked_target(build, 1000) as target:
        for which, key in [("cold", ""), ("hot", "_all")] * rounds:
            with Child([f"{build}/bench/watch", "attach", str(target.p.pid), which]) as watch:
                res.add("grt", f"attach{key}_ms", parse(watch.until("attach_ms"))["attach_ms"])
                res.add("grt", f"detach{key}_ms", parse(watch.finish())["detach_ms"])


def http_cost(res, build, seconds):
    """cost.py says how."""
    hit_ns = cost.hit_ns_measure(build)
    first = cost.measure(build, "threads", seconds, hit_ns, cost.SETTLE_S)
    got = cost.measure(build, "threads", seconds, hit_ns, SHED_S)
    for key, series in (("http_cost_pct", got.cost), ("http_first_pct", first.cost),
                        ("http_noise_pct", got.noise)):
        res.values[("grt", key)] = series.values
        res.interval[("grt", key)] = series.interval()
    res.values[("grt", "http_us")] = [ns / 1000 for ns in got.base_ns]
    res.values[("grt", "http_own_pct")] = got.own_pct
    res.add("grt", "http_bpf_pct", got.bpf_pct)
    res.add("grt", "http_hits_pct", got.hits_pct)


def http_cost_of(res, build, name, seconds):
    got = cost.measure(build, name, seconds, 0, SHED_S)
    res.values[("grt", f"http_{name}_pct")] = got.cost.values
    res.interval[("grt", f"http_{name}_pct")] = got.cost.interval()
    res.values[("grt", f"http_{name}_own_pct")] = got.own_pct


def http_p99_of(res, build, name, seconds):
    added, _ = latency.measure(build, name, seconds)
    res.values[("grt", f"p99_{name}_pct")] = added.values
    res.interval[("grt", f"p99_{name}_pct")] = added.interval()


# --- the table ------------------------------------------------------------------------------------


def reach_text(res, key, unit, reach, is_less_better):
    got, aim, name = res.median("grt", key), reach, None
    if reach == "go":
        aim, name = res.median("go", key), "Go's"
    if reach is None or aim is None:
        return f"{'<' if is_less_better else '>'} {name}" if name else ""
    text = f"{'<=' if is_less_better else '>='} {name or f'{aim:g} {unit}'}"
    if got is None:
        return text
    low, high = res.interval.get(("grt", key), (aim + 1, aim))
    return (text + (": yes" if (got <= aim if is_less_better else got >= aim) else ": no") +
            (", within the noise" if low <= aim < high else ""))


def table(res, go_version):
    head = ["", "libgrt median [min..max]", f"{go_version} median [min..max]", "ratio", "reach"]
    lines = [head]
    for key, label, unit, reach, is_less_better in ROWS:
        ours, theirs = res.median("grt", key), res.median("go", key)
        has_peer = ("go", key) in res.values or ("go", key) in res.why or peer_key(key)
        lines.append([label, res.cell("grt", key, unit),
                      res.cell("go", key, unit) if has_peer else "",
                      f"{ours / theirs:.2f}x" if ours is not None and theirs else "",
                      reach_text(res, key, unit, reach, is_less_better)])
    width = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for i, line in enumerate(lines):
        print(" | ".join(text.ljust(width[k]) for k, text in enumerate(line)).rstrip())
        if i == 0:
            print("-+-".join("-" * w for w in width))


def peer_key(key):
    return any(belongs(key, bench, f"@{size}" if size else "") for bench, size in SIDE_BENCHES)


def first_line(argv):
    try:
        return subprocess.run(argv, capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, IndexError):
        return "?"


def load_text():
    return " ".join(f"{x:.2f}" for x in os.getloadavg())


def machine(go_text, rounds, began):
    cpu = "?"
    with open("/proc/cpuinfo") as f:
        found = re.search(r"model name\s*: (.*)", f.read())
        cpu = found.group(1) if found else cpu
    print(f"machine  {cpu}, {os.cpu_count()} CPUs, Linux {platform.release()} {platform.machine()}")
    print(f"         {first_line(['gcc', '--version'])}; {go_text}")
    print(f"load     {began} at the start, {load_text()} at the end (1, 5, 15 min; our own included)")
    if float(began.split()[0]) > 0.5:
        print("         others used the machine meanwhile: trust ratios and minima, not absolute times")
    print(f"rounds   {rounds}, the sides in turn")


def measure(res, build, sides, rounds):
    for number in range(rounds):
        progress(f"round {number + 1} of {rounds}")
        round_of_sides(res, build, sides, number)
        for temperature in ("cold", "hot"):
            guarded(res, "grt", [f"pair_{temperature}_ns"],
                    lambda: calls_attached(res, build, temperature))
    progress("gotrace: attach and snapshots")
    keys = [f"{what}{which}_ms" for which in ("", "_all") for what in ("attach", "detach")]
    guarded(res, "grt", keys, lambda: attaches(res, build, rounds))
    for n, each in ((1000, 15), (10000, 5)):
        guarded(res, "grt", [f"snapshot_bpf_ms@{n}", f"snapshot_proc_ms@{n}"],
                lambda: snapshots(res, build, n, rounds, each))
    progress("gotrace: looks, screens, stamps")
    for n in (1000, 10000):
        guarded(res, "grt", [f"blocked_{what}_ms@{n}" for what in ("plain", "stacks", "again")],
                lambda: looks(res, build, n, rounds))
    for n in (100, 1000, 10000):
        guarded(res, "grt", [f"screen_ms@{n}"], lambda: screens(res, build, n, rounds))
    for bench, *how in (("handoff", "handoff", "handoff_books_p50_us", handoff_p50_us),
                        ("waits", "netpoll", "wait_mean_us", wait_mean_us)):
        for _ in range(rounds):
            guarded(res, "grt", [f"stamps_{what}@{bench}" for what in ("own_us", "us", "pct")],
                    lambda: stamps(res, build, bench, *how))
    progress("gotrace on http")
    of_others = [f"http_{name}_{what}" for name in cost.COMMANDS for what in ("pct", "own_pct")]
    guarded(res, "grt", [key for key, *_ in ROWS if key.startswith("http_") and key not in of_others],
            lambda: http_cost(res, build, COST_S * rounds))
    for name in cost.COMMANDS:
        if name != "threads":
            guarded(res, "grt", [f"http_{name}_pct", f"http_{name}_own_pct"],
                    lambda: http_cost_of(res, build, name, COST_S * rounds))
        guarded(res, "grt", [f"p99_{name}_pct"],
                lambda: http_p99_of(res, build, name, COST_S * rounds))


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("build")
    args = args.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with open(f"{args.build}/bench/go.txt") as f:
        go_text = f.read().strip()
    res, began = Results(), load_text()
    sides = ["grt"] + (["go"] if go_text.startswith("go:") else [])
    if len(sides) == 1:
        res.why[("go", None)] = go_text
    measure(res, args.build, sides, max(1, args.rounds))
    machine(go_text, args.rounds, began)
    print()
    table(res, "Go " + go_text.removeprefix("go: go") if len(sides) == 2 else "Go 1.27")
    return 1 if res.has_failed else 0


if __name__ == "__main__":
    sys.exit(main())
