#!/usr/bin/env bash
# A SLURM cluster with GPUs.
# shellcheck source=launch/commands.sh
usage='Submits a training to SLURM: one task for each GPU, restarted until it is finished.

  launch/slurm.sh --nodes=2 --gpus_per_node=8 --time=24:00:00 --partition=gpu \
      -- --config=configs/X.py --workdir=/shared/runs/x

Call it where python -m dnajax.main works: the job has the environment, virtual environment
included, and the directory of this call. Two minutes before the limit every process gets
SIGTERM, saves and ends with 42; the job (launch/slurm_job.sh) puts itself into the queue
again and goes on. So does a job that SLURM preempts or whose node fails. Where jobs may not
be put back, or limits are short, --chain=N submits N jobs, each waiting for the one before;
those that are left when the training is finished are removed by SLURM.'
flag_table='nodes|1|Machines.
gpus_per_node|REQUIRED|GPUs, and tasks, on each.
time|REQUIRED|Limit of a job, as 24:00:00; more than three minutes.
job_name|dnajax|
partition||Default: that of the cluster.
account||Default: yours.
cpus_per_task||For each GPU. Default: that of the cluster.
mem||For each node, as 200G. Default: that of the cluster.
constraint||As "h100" or "a100&nvlink".
output|slurm-%x-%j.out|Log; %x is the name of the job, %j its number.
max_requeues|100|How often a job puts itself back.
chain|1|Number of jobs, one after the other, that do not put themselves back.
sbatch_args||More for sbatch, separated by spaces: "--qos=long --exclusive".'
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/launch/commands.sh"
parse_flags '' "$@"

need_number nodes gpus_per_node max_requeues chain
[[ ${flag[time]} =~ ^([0-9]+-)?[0-9]+(:[0-9]{1,2}){0,2}$ ]] ||
  fail "--time=${flag[time]}: as 24:00:00, 2-00:00:00 or 90 (minutes)."
[[ -z ${flag[cpus_per_task]} ]] || need_number cpus_per_task
need_training shared

options=(--parsable --job-name="${flag[job_name]}" --nodes="${flag[nodes]}"
  --ntasks-per-node="${flag[gpus_per_node]}" --gpus-per-node="${flag[gpus_per_node]}"
  --time="${flag[time]}" --signal=TERM@120 --open-mode=append --output="${flag[output]}")
for name in partition account cpus_per_task mem constraint; do
  if [[ -n ${flag[$name]} ]]; then options+=("--${name//_/-}=${flag[$name]}"); fi
done
read -r -a more <<< "${flag[sbatch_args]}"
options+=(${more[@]+"${more[@]}"})
job=("$root/launch/slurm_job.sh")
main=(python -m dnajax.main "${training[@]}" --distributed)

if ((flag[chain] == 1)); then
  run sbatch "${options[@]}" --requeue "${job[@]}" "${flag[max_requeues]}" "${main[@]}"
  exit
fi
dependency=()
for ((i = 1; i <= flag[chain]; i++)); do
  id=$(run sbatch "${options[@]}" --no-requeue ${dependency[@]+"${dependency[@]}"} \
    "${job[@]}" 0 "${main[@]}") || fail "sbatch refused job $i of ${flag[chain]}; see above."
  if is_dry_run; then id=JOB_$i; else note "job $i of ${flag[chain]}: ${id%%;*}"; fi
  # Not after success: then nothing is left to do.
  dependency=(--dependency="afternotok:${id%%;*}" --kill-on-invalid-dep=yes)
done
