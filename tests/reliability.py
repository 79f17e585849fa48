#!/usr/bin/env python3
"""Kills `fdgr` at random moments, and checks that nothing finished is lost and nothing half-written is seen.

    cargo build --release && python3 tests/reliability.py [--count 200] [--seed 0] [--only batch|experiment|pull|window]

Each trial kills one run with SIGKILL, looks at what is on the disk, runs it again to its end (the window, which somebody closes, only for its list),
and compares with a run that nobody killed. A table of counts is printed; a broken promise ends the script with the trial's seed. Linux; the window needs Xvfb and xdotool.
FDGR_PROGRAM names another program than target/release/fdgr.
"""

import argparse
import csv
import hashlib
import http.server
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FDGR = Path(os.environ.get("FDGR_PROGRAM", ROOT / "target" / "release" / "fdgr")).resolve()
LEFT = ".fdgr-"


def check(holds, what):
    if not holds:
        raise AssertionError(what)


def is_whole_png(path):
    """Whether every chunk of a PNG is there with its sum, and the last one ends it."""
    data = path.read_bytes()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return False
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        body, tail = data[at + 4 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        if len(tail) < 4 or zlib.crc32(body) != int.from_bytes(tail, "big"):
            return False
        at += 12 + length
        if body[:4] == b"IEND":
            return at == len(data)
    return False


def check_whole(folder):
    """No file under a name of its own is half-written."""
    for path in folder.rglob("*"):
        if path.is_dir() or LEFT in path.name:
            continue
        if path.suffix == ".png":
            check(is_whole_png(path), f"{path} is half a picture")
        if path.suffix == ".json":
            json.loads(path.read_text())


def pictures(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.png")) if LEFT not in path.name}


class Trial:
    """One kind of work, in a folder of its own."""

    def __init__(self, desk):
        self.desk = desk

    def run(self, *words, **options):
        done = subprocess.run([FDGR, *map(str, words)], cwd=self.desk, capture_output=True, text=True, **options)
        check(done.returncode == 0, f"fdgr {words}: {done.stderr}")
        return done

    def kill_after(self, seconds, *words, **options):
        """Starts a run, kills it, and says whether it was still running."""
        child = subprocess.Popen(
            [FDGR, *map(str, words)], cwd=self.desk, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options
        )
        try:
            child.wait(seconds)
            return False
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
            return True


class Batch(Trial):
    """A folder of photos, gone on with by `--skip-existing`."""

    WORDS = ["restore", "photos", "-o", "out", "--task", "denoise", "--sigma", "0.1", "--quality", "draft", "--device", "cpu"]

    def prepare(self):
        make_photos(self.desk, 6)
        started = time.monotonic()
        self.run(*self.WORDS)
        self.seconds = time.monotonic() - started
        self.right = pictures(self.desk / "out")
        check(len(self.right) == 6, "six results")

    def trial(self, moment):
        shutil.rmtree(self.desk / "out", ignore_errors=True)
        killed = self.kill_after(moment * self.seconds, *self.WORDS)
        out = self.desk / "out"
        out.mkdir(exist_ok=True)
        check_whole(out)
        finished = [path for path in out.glob("*.png") if path.with_name(path.name + ".recipe.json").exists()]
        times = {path: path.stat().st_mtime_ns for path in finished}
        self.run(*self.WORDS, "--skip-existing")
        check(pictures(out) == self.right, "the same pixels")
        check(all(path.stat().st_mtime_ns == made for path, made in times.items()), "what was finished is not made again")
        check(not list(out.glob(LEFT + "*")), "no left-overs")
        return killed, len(finished)


class Experiment(Trial):
    """An experiment, gone on with by `--resume`."""

    WORDS = (
        "experiment --model photo --defaults restore --path_y photos --deg denoising --sigma_y 0.1 --method hqs --device cpu "
        "--steps 4 -i killed --exp exp"
    ).split()

    def prepare(self):
        make_photos(self.desk, 6)
        started = time.monotonic()
        self.run(*self.WORDS)
        self.seconds = time.monotonic() - started
        self.results = self.desk / "exp" / "image_samples" / "killed"
        self.right, self.numbers = pictures(self.results), self.metrics()

    def metrics(self):
        with open(self.results / "results.csv", newline="") as table:
            rows = list(csv.DictReader(table))
        return [{name: value for name, value in row.items() if "second" not in name} for row in rows]

    def trial(self, moment):
        shutil.rmtree(self.desk / "exp", ignore_errors=True)
        killed = self.kill_after(moment * self.seconds, *self.WORDS)
        finished = 0
        if self.results.exists():
            check_whole(self.results)
            finished = len(list(self.results.rglob("*.png")))
        self.run(*self.WORDS, "--resume")
        check(pictures(self.results) == self.right, "the same pixels")
        check(self.metrics() == self.numbers, "the same numbers")
        check(not list(self.results.rglob(LEFT + "*")), "no left-overs")
        return killed, finished


class Pull(Trial):
    """A download, gone on with by pulling again."""

    def prepare(self):
        self.file = (ROOT / "tests" / "golden" / "simple_unet_32.pt").read_bytes()
        trial = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                start = int(self.headers.get("Range", "bytes=0-")[6:].rstrip("-"))
                trial.starts.append(start)
                self.send_response(206 if start else 200)
                self.send_header("Content-Length", str(len(trial.file) - start))
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(trial.file) - 1}/{len(trial.file)}")
                self.end_headers()
                try:
                    for at in range(start, len(trial.file), 1 << 16):
                        self.wfile.write(trial.file[at : at + (1 << 16)])
                        time.sleep(trial.pause)
                except OSError:
                    pass

            def log_message(self, *_):
                pass

        self.starts, self.pause = [], 0.01
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        known = {
            "name": "served", "title": "a test", "file": "weights.pt", "megabytes": 3, "licence": "none", "subject": "photos",
            "side": 32, "urls": [f"http://127.0.0.1:{server.server_port}/weights.pt"],
            "sha256": hashlib.sha256(self.file).hexdigest(),
        }
        (self.desk / "catalog.json").write_text(json.dumps([known]))
        self.options = {
            "env": {**os.environ, "FDGR_CATALOG": str(self.desk / "catalog.json"), "FDGR_MODELS": str(self.desk / "models")}
        }
        started = time.monotonic()
        self.run("models", "pull", "served", **self.options)
        self.seconds = time.monotonic() - started

    def trial(self, moment):
        shutil.rmtree(self.desk / "models", ignore_errors=True)
        killed = self.kill_after(moment * self.seconds, "models", "pull", "served", **self.options)
        place = self.desk / "models" / "served"
        finished = place.exists()
        parts = list((self.desk / "models").glob(".served.*.part"))
        had = parts[0].stat().st_size if parts else 0
        check(not parts or parts[0].read_bytes() == self.file[:had], "what has arrived is right")
        self.starts.clear()
        if finished:
            check((place / "weights.pt").read_bytes() == self.file, "an installed model is whole")
        else:
            self.run("models", "pull", "served", **self.options)
            check(self.starts in ([had], []) or had == len(self.file), f"it goes on at {had}: {self.starts}")
        check((place / "weights.pt").read_bytes() == self.file, "the same file")
        self.run("models", "verify", "served", **self.options)
        return killed, int(finished)


class Window(Trial):
    """All photos of the window's list, restored and saved; the list is whole, and there once it was kept."""

    # Seconds between two times that the window keeps its list.
    KEEPING = 5

    def prepare(self):
        # Large enough to be under way when it is killed.
        self.photos = make_photos(self.desk, 4, scale=1)
        self.screen = f":{90 + os.getpid() % 900}"
        self.server = subprocess.Popen(
            ["Xvfb", self.screen, "-noreset", "-screen", "0", "1280x800x24"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.options = {"env": {**os.environ, "DISPLAY": self.screen, "XDG_DATA_HOME": str(self.desk / "data")}}
        # Until the screen is there.
        while subprocess.run(["xdotool", "getdisplaygeometry"], capture_output=True, **self.options).returncode != 0:
            time.sleep(0.2)
        self.seconds = 12.0
        self.right = None
        # Twice the work after which the list was kept for the first time: time itself says little where others compute, too.
        kept, child = self.desk / "data" / "fdgr" / "memory.json", self.start(subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while not kept.exists():
            check(child.poll() is None and time.monotonic() < deadline, "the window stays open, and keeps its list")
            self.press()
        self.due = 2 * worked(child)
        child.kill()
        child.wait()

    def start(self, said):
        words = [FDGR, "window", "--device", "cpu", "photos"]
        return subprocess.Popen(words, cwd=self.desk, stdout=said, stderr=said, **self.options)

    def press(self):
        """The keys of *Restore all*."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        keys = "search --onlyvisible --name fdgr windowfocus key ctrl+shift+r"
        subprocess.run(["xdotool", *keys.split()], **quiet, **self.options)
        time.sleep(0.5)

    def trial(self, moment):
        for path in (self.desk / "photos").glob("*-restored*"):
            path.unlink()
        shutil.rmtree(self.desk / "data", ignore_errors=True)
        said = tempfile.TemporaryFile(mode="w+")
        child = self.start(said)
        life = 3 + moment * self.seconds
        deadline = time.monotonic() + life
        while time.monotonic() < deadline:
            self.press()
        if child.poll() is not None:
            said.seek(0)
            raise AssertionError(f"the window closed with {child.returncode}: {said.read()}")
        is_due = worked(child) > self.due and life > 2 * self.KEEPING
        child.send_signal(signal.SIGKILL)
        child.wait()
        check_whole(self.desk / "photos")
        done = pictures(self.desk / "photos")
        results = {name: data for name, data in done.items() if "-restored" in name}
        # The same photo gives the same result, whenever the window was killed.
        self.right = {**results, **(self.right or {})}
        check(all(self.right[name] == data for name, data in results.items()), "the same pixels")
        kept = self.desk / "data" / "fdgr" / "memory.json"
        check(kept.exists() or not is_due, "the list is kept")
        if kept.exists():
            queue = json.loads(kept.read_text())["queue"]
            check(len(queue) == len(self.photos) or not is_due, f"the list has {len(queue)} photos")
        return True, len(results)

    def end(self):
        self.server.terminate()


def worked(child):
    """Seconds of computing of a process that runs."""
    fields = Path(f"/proc/{child.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def make_photos(desk, count, scale=4):
    """Photos with noise, small enough for many trials."""
    folder = desk / "photos"
    folder.mkdir()
    sample = ROOT / "assets" / "samples" / "10_otter.png"
    for i in range(count):
        words = ["degrade", sample, "-o", folder / f"{i}.png", "--sigma", "0.05", "--seed", str(i)]
        words += ["--task", "sr", "--scale", scale] if scale > 1 else ["--task", "denoise"]
        subprocess.run([FDGR, *map(str, words)], check=True, capture_output=True)
    return sorted(folder.glob("*.png"))


def run(desk, *words, **options):
    return subprocess.run([FDGR, *map(str, words)], cwd=desk, capture_output=True, text=True, **options)


def is_sentence(done, *words):
    """Whether it failed in one sentence that holds the words."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("fdgr: error:")]
    check(done.returncode == 1 and len(lines) == 1, f"no sentence: {done.returncode} {done.stderr}")
    check(all(word in lines[0] for word in words), lines[0])
    check("internal error" not in done.stderr and "panicked" not in done.stderr, done.stderr)


def days(desk):
    """Bad days without a kill: each says what it saw."""
    photos = make_photos(desk, 4)
    restore = ["restore", photos[0], "--task", "denoise", "--sigma", "0.1", "--device", "cpu", "-o"]
    if os.geteuid() == 0:
        small = desk / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", small], check=True)
        try:
            (small / "old.png").write_bytes(b"old")
            is_sentence(run(desk, *restore, small / "old.png"), "cannot be written")
            check((small / "old.png").read_bytes() == b"old", "the old file stays")
            check([path.name for path in small.iterdir()] == ["old.png"], "nothing else is left")
            subprocess.run(["mount", "-o", "remount,ro", small], check=True)
            is_sentence(run(desk, *restore, small / "new.png"), "Read-only")
        finally:
            subprocess.run(["umount", small], check=True)
        print("full and read-only disks: one sentence each, and the old file stays")
    else:
        print("full and read-only disks: SKIPPED, which need root to make them")
    is_sentence(run(desk, *restore, desk / "gone" / "new.png"), "no folder")
    right = desk / "right.png"
    check(run(desk, *restore, right).returncode == 0, "a result")
    if shutil.which("faketime"):
        for moved in ("-20y", "+20y", "@1970-01-02 00:00:00"):
            place = desk / "moved.png"
            done = subprocess.run(["faketime", "-f", moved, FDGR, *map(str, restore), place], cwd=desk, capture_output=True, text=True)
            check(done.returncode == 0 and place.read_bytes() == right.read_bytes(), f"{moved}: {done.stderr}")
        # The clock runs a thousand times as fast, and jumps within the run.
        done = subprocess.run(["faketime", "-f", "+0 x1000", FDGR, *map(str, restore), place], cwd=desk, capture_output=True, text=True)
        check(done.returncode == 0 and place.read_bytes() == right.read_bytes(), done.stderr)
        print("clocks that are wrong by 20 years or run too fast: the same pixels")
    else:
        print("clocks: SKIPPED, there is no faketime")
    for _ in range(5):
        shutil.rmtree(desk / "out", ignore_errors=True)
        words = [FDGR, *Batch.WORDS, "--skip-existing"]
        both = [subprocess.Popen(words, cwd=desk, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(2)]
        check([child.wait() for child in both] == [0, 0], "both end well")
        check_whole(desk / "out")
        check(len(pictures(desk / "out")) == len(photos) and not list((desk / "out").glob(LEFT + "*")), "all results, nothing else")
    print("two batches on one folder at once, five times: all results, whole, nothing left over")


KINDS = {"batch": Batch, "experiment": Experiment, "pull": Pull, "window": Window}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=[*KINDS, "days"])
    args = parser.parse_args()
    # Also where a shell started it in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if args.only in (None, "days"):
        with tempfile.TemporaryDirectory() as folder:
            days(Path(folder))
    print("| work | killed | of which still running | finished pieces found | broken promises |\n| --- | --- | --- | --- | --- |")
    for name in [name for name in KINDS if args.only in (None, name)]:
        with tempfile.TemporaryDirectory() as folder:
            work = KINDS[name](Path(folder))
            work.prepare()
            trials = running = pieces = 0
            for i in range(args.count):
                moment = random.Random(f"{args.seed} {name} {i}").random()
                try:
                    killed, finished = work.trial(moment)
                except KeyboardInterrupt:
                    # What was tried counts.
                    break
                except AssertionError as broken:
                    sys.exit(f"{name}, trial {i} of seed {args.seed}, at {moment:.3f} of the run: {broken}")
                trials += 1
                running += killed
                pieces += finished
            print(f"| {name} | {trials} | {running} | {pieces} | 0 |", flush=True)
            getattr(work, "end", lambda: None)()


main()
