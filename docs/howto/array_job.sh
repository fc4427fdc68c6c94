#!/bin/bash
#SBATCH --job-name=radiosynth
#SBATCH --array=0-9
#SBATCH --time=01:00:00
#SBATCH --cpus-per-task=4
#SBATCH --gres=gpu:1
#SBATCH --requeue
#SBATCH --open-mode=append

# Ten seeds of the report's classifier, each on its own node, in slices of an hour.
export RADIOSYNTH_RUNS="${RADIOSYNTH_RUNS:-$PWD/runs}"
radiosynth run --scale report --training-set real --seed "$SLURM_ARRAY_TASK_ID" \
  --time-limit 3300
status=$?

# 75: stopped before the end, with a checkpoint. The next job of the task resumes.
if [ "$status" -eq 75 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$status"
