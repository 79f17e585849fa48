"""A virtual environment under target/peer for what is compared with."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "target" / "peer"


def enter(packages):
    """Runs the calling script again in the environment, with `packages` installed."""
    python = PLACE / "venv" / "bin" / "python3"
    if Path(sys.prefix) == PLACE / "venv":
        return
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", python.parents[1]], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], check=True)
    os.execv(python, [python, *sys.argv])
