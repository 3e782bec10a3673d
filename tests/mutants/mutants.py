#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mutants.py - do the assertions bite? Builds the runtime with one mistake at a time.

  mutants.py --plain DIR --debug DIR [--jobs N] [--no-control] [NN...]

Each NN-name.patch next to this file is a mutant. The lines before its diff say what it breaks and who
must find out:

  breaks:   what is wrong, in words
  variant:  plain | debug     (debug: the invariants are compiled in)
  test:     tests/assert/handoff_assert_test
  case:     the test in that program that must fail
  says:     a regular expression that the text of that failure must match: the cause

A mutant is caught when that very test, run alone, fails and its text names the cause. One that survives,
fails with other words, does not apply or does not build, makes the exit status 1. The unmutated runtime must pass all
these tests: the control, run first, unless --no-control says that this has just been shown.

Each mutant counts as a test, and so does each test of the control; the last line is that of tests/run.c, and
is added like that one to the file named by TEST_TOTALS.

Only the files that a patch touches are compiled again; all other objects are those of DIR, which is a build
directory of this tree.
"""
import argparse
import concurrent.futures
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
FIELDS = ("breaks", "variant", "test", "case", "says")
SECONDS = 90  # a child ends after 60 s by itself (CHILD_SECONDS); and some, on a loaded machine
DEFINES = {"plain": [], "debug": ["-DGRT_DEBUG"]}
BASE = ["-std=gnu11", "-D_GNU_SOURCE=", "-fno-omit-frame-pointer", "-ftls-model=initial-exec",
        "-pthread", "-g", "-O1"]
RUNTIME = ["-fvisibility=hidden", "-fPIC", "-Iruntime/include", "-fno-lto",
           "-fno-optimize-sibling-calls"]
LIBS = ["-lbpf", "-ldw", "-lelf", "-lz", "-liberty", "-lcmocka", "-lpthread", "-ldl"]


# Of a mutant's test program only the case runs: what the mistake does to the tests before it (they may hang
# until their time limits) neither delays the verdict nor is part of it.
ONLY_CASE = """
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

__attribute__((constructor)) static void only_case(void)
{
	if (getenv("MUTANT_CASE"))
		cmocka_set_test_filter(getenv("MUTANT_CASE"));
}
"""


class Failed(Exception):
    """The mutant is not one: it does not apply, or does not build."""


class Mutant:
    def __init__(self, path):
        self.name = os.path.basename(path)[:-len(".patch")]
        self.path = path
        with open(path, encoding="utf-8") as f:
            text = f.read()
        head = dict(re.findall(r"^(\w+):\s+(.*)$", text.split("\n--- ")[0], re.M))
        missing = [f for f in FIELDS if f not in head]
        if missing or head["variant"] not in DEFINES:
            sys.exit(f"mutants: {path}: cannot read: {missing or head['variant']}")
        for field in FIELDS:
            setattr(self, field, head[field])
        self.files = re.findall(r"^\+\+\+ b/(\S+)", text, re.M)
        if not self.files or any(not f.endswith(".c") for f in self.files):
            sys.exit(f"mutants: {path}: a mutant changes .c files of runtime/ only")


def run(argv, cwd=TREE):
    r = subprocess.run(argv, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if r.returncode != 0:
        raise Failed(f"{argv[0]}: {r.stdout.strip()[-600:]}")


class Builder:
    """Links tests against a build directory's objects, some of them replaced."""

    def __init__(self, dirs, scratch):
        self.dirs, self.scratch = dirs, scratch
        self.lock, self.tests = threading.Lock(), {}
        self.only_case = f"{scratch}/only_case.o"
        with open(f"{scratch}/only_case.c", "w", encoding="utf-8") as f:
            f.write(ONLY_CASE)
        run(["gcc", *BASE, "-c", "-o", self.only_case, f"{scratch}/only_case.c"])

    def test_object(self, test, variant):
        with self.lock:
            key = (test, variant)
            if key not in self.tests:
                out = f"{self.scratch}/{os.path.basename(test)}.{variant}.o"
                run(["gcc", *BASE, *DEFINES[variant], "-Iruntime/include", "-c", "-o", out,
                     test + ".c"])
                self.tests[key] = out
            return self.tests[key]

    def link(self, test, variant, replaced, out):
        objects = [replaced.get(os.path.basename(o), o)
                   for o in sorted(glob.glob(f"{self.dirs[variant]}/runtime/*.o"))]
        library = []
        if test.startswith("tests/assert/"):
            library = [f"{self.dirs['plain']}/libgotrace-assert.a"]
        run(["gcc", "-pthread", "-o", out, self.only_case, self.test_object(test, variant),
             *objects, *library, *LIBS])
        return out

    def mutant(self, m):
        tree = f"{self.scratch}/{m.name}"
        os.makedirs(tree)
        shutil.copytree(f"{TREE}/runtime", f"{tree}/runtime", symlinks=True)
        run(["patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch", "-s", "-i", m.path], cwd=tree)
        replaced = {}
        for src in m.files:
            obj = os.path.basename(src)[:-2] + ".o"
            replaced[obj] = f"{tree}/{obj}"
            run(["gcc", *BASE, *RUNTIME, *DEFINES[m.variant], "-Werror", "-c", "-o",
                 replaced[obj], src], cwd=tree)
        return self.link(m.test, m.variant, replaced, f"{tree}/test")


def read_test(program, case):
    """Run `case` alone until it has ended: (failed, text). case None: all of them."""
    env = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="STDOUT")
    if case is not None:
        env["MUTANT_CASE"] = case
    p = subprocess.Popen([program], cwd=os.path.dirname(program), env=env, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                         start_new_session=True)
    late = []

    def expire():
        late.append(True)
        os.killpg(p.pid, signal.SIGKILL)

    timer = threading.Timer(SECONDS, expire)
    timer.start()
    text, seen, failed = [], case is None, None
    for raw in p.stdout:
        line = raw.decode(errors="replace")
        if line.startswith(f"[ RUN      ] {case}\n"):
            text, seen = [], True
        text.append(line)
        end = re.match(r"\[\s+(OK|FAILED|SKIPPED)\s+\] (\S+)", line)
        if end and seen and end.group(2) == case:
            failed = end.group(1) == "FAILED"
            break
    timer.cancel()
    if case is not None:
        try:
            os.killpg(p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    p.stdout.close()
    rc = p.wait()
    if late:
        return None, f"no end of it after {SECONDS} s\n" + "".join(text)
    if case is None:
        return rc != 0, "".join(text)
    return failed, "".join(text)


def verdict(builder, m):
    """(caught, what to print)"""
    begin = time.monotonic()
    try:
        failed, text = read_test(builder.mutant(m), m.case)
    except Failed as e:
        return False, f"no mutant: {e}", 0
    seconds = time.monotonic() - begin
    found = re.search(m.says, text)
    if failed and found:
        line = text[text.rfind("\n", 0, found.start()) + 1:].split("\n", 1)[0]
        return True, line.strip(), seconds
    why = "SURVIVES" if failed is False else "wrong cause" if failed else "test did not end"
    return False, f"{why}; wanted /{m.says}/ in:\n{text[:1500]}", seconds


def control(builder, mutants):
    """The same programs with nothing replaced must pass: (how many do, how many do not)."""
    good = bad = 0
    for test, variant in sorted({(m.test, m.variant) for m in mutants}):
        out = builder.link(test, variant, {}, f"{builder.scratch}/{os.path.basename(test)}.{variant}")
        failed, text = read_test(out, None)
        print(f"{'control':8} {test} ({variant}): {'FAILS' if failed or failed is None else 'passes'}",
              flush=True)
        if failed or failed is None:
            bad += 1
            print(text[-3000:])
        else:
            good += 1
    return good, bad


def tell_totals(passed, failed):
    if os.environ.get("TEST_TOTALS"):
        with open(os.environ["TEST_TOTALS"], "a", encoding="utf-8") as f:
            f.write(f"{passed} {failed} 0\n")
    print(f"{passed} passed, {failed} failed, 0 skipped")


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n\n")[1].strip())
    parser.add_argument("--plain", required=True)
    parser.add_argument("--debug", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--no-control", action="store_true")
    parser.add_argument("only", nargs="*")
    args = parser.parse_args()
    mutants = [Mutant(p) for p in sorted(glob.glob(f"{HERE}/[0-9]*-*.patch"))]
    mutants = [m for m in mutants if not args.only or m.name.split("-")[0] in args.only]
    if not mutants:
        sys.exit("mutants: no such mutant")
    caught = good = bad = 0
    with tempfile.TemporaryDirectory(prefix="mutants.") as scratch:
        builder = Builder({"plain": args.plain, "debug": args.debug}, scratch)
        if not args.no_control:
            good, bad = control(builder, mutants)
        with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
            for m, (ok, text, seconds) in zip(mutants,
                                              pool.map(lambda m: verdict(builder, m), mutants)):
                caught += ok
                print(f"{'caught' if ok else 'MISSED':8} {m.name:32} {seconds:5.1f} s  {m.breaks}\n"
                      f"{'':8} {m.case}: {text}", flush=True)
    print(f"{caught} of {len(mutants)} mutants caught")
    tell_totals(caught + good, len(mutants) - caught + bad)
    return 0 if caught == len(mutants) and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
