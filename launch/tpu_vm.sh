#!/usr/bin/env bash
# Cloud TPU VMs by queued resources.
# shellcheck source=launch/commands.sh source=launch/tpu_training.sh
usage='Trains on Cloud TPU VMs, v2 to v6e, that are asked for as a queued resource.

  launch/tpu_vm.sh run --name=NAME --zone=ZONE --accelerator_type=v5litepod-16 --spot \
      -- --config=configs/X.py --workdir=gs://BUCKET/DIR

Commands:
  run      all of it: create, wait, install, train, logs; after preemption again, with the
           same training command, until it is finished. To be called again after anything.
  create   ask for the TPU; nothing if it is there
  wait     until it is there; every change of its state is printed
  install  copy HEAD of this repository to every worker and install it with dnajax[tpu,gcs]
  train    start the training on every worker; it goes on without you
  logs     follow the log of the first worker; ends with the exit code of the training
  resume   make a preempted TPU anew and train on: run
  stop     SIGTERM to the training, which saves
  delete   give the TPU back

Ends with 0 finished, 1 not there in time or crashed too often, 2 something is wrong,
42 stopped as asked, and saved.'
flag_table='name|REQUIRED|Of the queued resource; its TPU has the same name, several have NAME-0, NAME-1, …
zone|REQUIRED|As us-west4-a.
project||Default: that of gcloud.
accelerator_type||As v5litepod-16, v5p-8, v6e-16: for create, run, resume.
runtime_version||Default: the one for the accelerator type.
node_count|1|TPU slices, which JAX joins over the network between them.
spot|no|Cheap, may be preempted at any time.
reserved|no|Out of your reservation. Neither of the two: on demand.
network||Default: default.
service_account||Default: that of Compute Engine. It must be able to read and write the bucket.
wait_hours|24|How long to wait for the TPU.
poll_seconds|30|How often to ask.
max_crashes|3|How often a training that crashes is started again.'
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/launch/commands.sh"
. "$root/launch/tpu_training.sh"
parse_flags 'run create wait install train logs resume stop delete' "$@"

runtime_of() {
  case $1 in
    v2-* | v3-* | v4-*) echo tpu-ubuntu2204-base ;;
    v5litepod-*) echo v2-alpha-tpuv5-lite ;;
    v5p-*) echo v2-alpha-tpuv5 ;;
    v6e-*) echo v2-alpha-tpuv6e ;;
    *) fail "--accelerator_type=$1: as v5litepod-16, v5p-8 or v6e-16; TPU7x: launch/tpu_mig.sh." ;;
  esac
}

need_name name
need_number node_count wait_hours poll_seconds max_crashes
[[ ${flag[spot]}${flag[reserved]} != yesyes ]] || fail "--spot and --reserved exclude each other."
case $command in
  run | resume | create)
    need accelerator_type
    runtime=${flag[runtime_version]:-$(runtime_of "${flag[accelerator_type]}")}
    ;;
esac
case $command in
  run | resume | train) need_training remote ;;
  *) ((${#training[@]} == 0)) || fail "$command takes no arguments of the training." ;;
esac

place=(--zone="${flag[zone]}" ${flag[project]:+--project="${flag[project]}"})
if ((flag[node_count] == 1)); then
  nodes=("${flag[name]}")
else
  nodes=()
  for ((i = 0; i < flag[node_count]; i++)); do nodes+=("${flag[name]}-$i"); done
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
dry_state=ABSENT  # what --dry_run takes the state to be

queued() { run gcloud compute tpus queued-resources "$@" "${place[@]}" --quiet; }

state() {
  local answer
  if answer=$(queued describe "${flag[name]}" --format='value(state.state)' 2> "$scratch/errors"); then
    if is_dry_run; then answer=$dry_state; fi
    case $answer in
      ABSENT) echo ABSENT ;;
      ACTIVE) echo READY ;;
      FAILED) echo FAILED ;;
      SUSPENDING | SUSPENDED) echo "LOST:$answer" ;;
      *) echo "WAITING:$answer" ;;
    esac
  elif grep -q NOT_FOUND "$scratch/errors"; then
    echo ABSENT
  elif [[ -e $scratch/answered ]]; then  # a network that is down for a while
    echo "WAITING:no answer: $(grep -m1 ERROR "$scratch/errors")"
    return
  else
    fail "gcloud: $(grep -m1 ERROR "$scratch/errors" || tail -n 1 "$scratch/errors")"
  fi
  touch "$scratch/answered"
}

explain_failure() {
  queued describe "${flag[name]}" --format='value(state.failedData.error.message)' 2> /dev/null
}

create() {
  local how=(--accelerator-type="${flag[accelerator_type]}" --runtime-version="$runtime")
  if ((flag[node_count] == 1)); then
    how+=(--node-id="${flag[name]}")
  else
    how+=(--node-count="${flag[node_count]}" --node-prefix="${flag[name]}")
  fi
  if [[ ${flag[spot]} == yes ]]; then how+=(--spot); fi
  if [[ ${flag[reserved]} == yes ]]; then how+=(--reserved); fi
  if [[ -n ${flag[network]} ]]; then how+=(--network="${flag[network]}"); fi
  if [[ -n ${flag[service_account]} ]]; then
    how+=(--service-account="${flag[service_account]}")
  fi
  queued create "${flag[name]}" "${how[@]}" || return
  dry_state=ACTIVE
}

delete() { queued delete "${flag[name]}" --force; }

recreate() { delete && create; }

copy_to_all() {
  local node
  for node in "${nodes[@]}"; do
    run gcloud compute tpus tpu-vm scp "$1" "$node:$2" --worker=all "${place[@]}" --quiet || return
  done
}

on() {  # NODE WORKER LINE
  run gcloud compute tpus tpu-vm ssh "$1" --worker="$2" --command="$3" \
    --ssh-flag=-oServerAliveInterval=30 --ssh-flag=-oConnectTimeout=30 "${place[@]}" --quiet
}

on_all() {
  local node
  for node in "${nodes[@]}"; do on "$node" all "$1" || return; done
}

on_first() { on "${nodes[0]}" 0 "$1"; }

case $command in
  run | resume) run_until_finished ;;
  create)
    now=$(state) || exit
    case $now in
      ABSENT) create ;;
      LOST:* | FAILED) fail "${flag[name]} is $now: 'resume' makes it anew, 'delete' removes it." ;;
      *) note "${flag[name]} is there already: $now" ;;
    esac
    ;;
  wait)
    dry_state=ACTIVE
    wait_until_ready || fail "${flag[name]} is not there: 'run' makes it."
    ;;
  install) install ;;
  train) train ;;
  logs) follow ;;
  stop) stop ;;
  delete) delete ;;
esac
