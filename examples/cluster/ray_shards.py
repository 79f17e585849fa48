"""Parts of an experiment as Ray tasks, on one machine or a cluster whose nodes share a file system.

    pip install ray
    python3 examples/cluster/ray_shards.py --shards 8 --cpus 4 -- --recipe ddpg/celeba/deblur_gauss/0.05 -i deblur

Arguments after `--` are passed to `fdgr experiment`. A part that fails is retried, and continues with the pictures that are not
done. Afterwards `fdgr report exp/image_samples/deblur` reports on the whole.
"""

import argparse
import os
import subprocess
import sys

import ray


@ray.remote(max_retries=2, retry_exceptions=True)
def run_shard(command, folder, shard, shards):
    """Runs part `shard` of `shards`, from 1, and returns what it printed."""
    part = subprocess.run([*command, "--ni", "--shard", f"{shard}/{shards}"], cwd=folder, capture_output=True, text=True)
    if part.returncode != 0:
        raise RuntimeError(f"part {shard} of {shards}: {part.stderr.strip()}")
    return part.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fdgr", default="fdgr", help="the program, on every node")
    parser.add_argument("--shards", type=int, default=8)
    parser.add_argument("--cpus", type=float, default=2, help="CPUs per part")
    parser.add_argument("flags", nargs="+", help="flags of fdgr experiment, after --")
    args = parser.parse_args()

    ray.init(include_dashboard=False, log_to_driver=False)
    command = [args.fdgr, "experiment", *args.flags]
    part = run_shard.options(num_cpus=args.cpus)
    running = {part.remote(command, os.getcwd(), i, args.shards): i for i in range(1, args.shards + 1)}
    failed = 0
    while running:
        (done,), _ = ray.wait(list(running), num_returns=1)
        shard = running.pop(done)
        try:
            ray.get(done)
            print(f"part {shard} of {args.shards} is done", flush=True)
        except Exception as error:
            failed += 1
            print(error, file=sys.stderr, flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
