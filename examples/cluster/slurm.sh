#!/bin/bash
# Eight parts of an experiment as a Slurm job array:
#
#     sbatch examples/cluster/slurm.sh --recipe ddpg/celeba/deblur_gauss/0.05 -i deblur
#
# All parts write to one folder of results, which must be on a shared file system. An interrupted part continues where it
# stopped when it is submitted again (--shard never deletes anything). After the array:
#
#     fdgr report exp/image_samples/deblur
#
#SBATCH --job-name=fdgr
#SBATCH --array=1-8
#SBATCH --cpus-per-task=4
#SBATCH --mem=8G
#SBATCH --requeue
set -euo pipefail

exec fdgr experiment "$@" --ni --shard "${SLURM_ARRAY_TASK_ID}/${SLURM_ARRAY_TASK_COUNT}"
