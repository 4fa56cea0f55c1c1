#!/usr/bin/env bash
# The job that launch/slurm.sh submits: slurm_job.sh MAX_REQUEUES COMMAND...
#
# COMMAND runs once for each task, under srun: only there JAX finds its processes, and each
# takes the GPU with its number among those of the node. Ends with COMMAND's exit code; 42,
# "stopped and saved", puts the job into the queue again, up to MAX_REQUEUES times.

set -uo pipefail
max_requeues=$1
shift

is_cancelled=no
trap 'is_cancelled=yes' TERM  # scancel, or SLURM that preempts and requeues by itself

# The signal before the time limit goes to the tasks, not to this shell. One that has saved
# must not have the others killed that are still saving.
srun --kill-on-bad-exit=0 ${SLURM_CPUS_PER_TASK:+--cpus-per-task="$SLURM_CPUS_PER_TASK"} "$@" &
child=$!
while :; do
  code=0
  wait "$child" || code=$?
  kill -0 "$child" 2> /dev/null || break
done

if ((code == 42)) && [[ $is_cancelled == no ]]; then
  restarts=${SLURM_RESTART_COUNT:-0}
  if ((restarts < max_requeues)); then
    echo "stopped and saved; back into the queue ($((restarts + 1)) of $max_requeues)" >&2
    scontrol requeue "$SLURM_JOB_ID"
  elif ((max_requeues)); then
    echo "stopped and saved, but not put back again: --max_requeues=$max_requeues" >&2
  fi
fi
exit "$code"
