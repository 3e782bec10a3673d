# SPDX-License-Identifier: MIT
"""child.py - programs that the measurements start, and why one could not do its work."""

import os
import select
import subprocess
import time

TIMEOUT_S = 120
EXIT_CANNOT = 77  # of a test program: not on this machine, or not by this user


class Skip(Exception):
    """It cannot be measured here; the text says why. A failure begins with "failed"."""


def parse(text):
    """Lines "name value" as a dictionary."""
    pairs = [line.split() for line in text.splitlines()]
    return {p[0]: float(p[1]) for p in pairs if len(p) == 2}


def run(argv, text=""):
    try:
        p = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise Skip(f"failed: {argv[1]} took more than {TIMEOUT_S} s") from None
    if p.returncode != 0:
        raise Skip(why(p.returncode, p.stderr))
    return p.stdout


def why(code, text):
    """A program that exits with 77 cannot do its work here; any other has failed."""
    words = (text.strip().splitlines() or [f"exit status {code}"])[-1]
    return ("skipped: " if code == EXIT_CANNOT else "failed: ") + words.split(";")[0][:80]


class Child:
    """A program that we talk to by lines; it ends when its stdin closes, or by a signal."""

    def __init__(self, argv, **options):
        self.argv = argv
        self.p = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, **options)
        self.left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.kill()
        self.p.wait()
        for f in (self.p.stdin, self.p.stdout, self.p.stderr):
            f.close()

    def ask(self):
        os.write(self.p.stdin.fileno(), b"\n")

    def until(self, word):
        """What it prints up to the end of the line that holds word."""
        end = time.monotonic() + TIMEOUT_S
        while True:
            at = self.left.find(word.encode())
            nl = self.left.find(b"\n", at) if at >= 0 else -1
            if nl >= 0:
                text, self.left = self.left[: nl + 1], self.left[nl + 1 :]
                return text.decode()
            ready, _, _ = select.select([self.p.stdout], [], [], max(0, end - time.monotonic()))
            part = os.read(self.p.stdout.fileno(), 65536) if ready else b""
            if not part:
                raise Skip(self.why())
            self.left += part

    def why(self):
        try:
            return why(self.p.wait(1), self.p.stderr.read().decode())
        except subprocess.TimeoutExpired:
            return f"failed: {os.path.basename(self.argv[0])} says nothing"

    def finish(self):
        """Close its stdin and return the rest of what it prints."""
        self.p.stdin.close()
        text = self.left.decode() + self.p.stdout.read().decode()
        self.p.stdin = open(os.devnull, "wb")
        if self.p.wait(TIMEOUT_S) != 0:
            raise Skip(self.why())
        return text
