#!/usr/bin/env bash
# TPU VMs of Compute Engine: a managed instance group (MIG) that is one slice.
# shellcheck source=launch/commands.sh source=launch/tpu_training.sh
usage='Trains on TPU VMs of Compute Engine, v5p, v6e or TPU7x, in a managed instance group: the newer
way; the Cloud TPU API, which launch/tpu_vm.sh uses, gets fixes only and does not have TPU7x.

  launch/tpu_mig.sh run --name=NAME --project=PROJECT --zone=ZONE --topology=4x4 \
      --machine_type=ct6e-standard-4t -- --config=configs/X.py --workdir=gs://BUCKET/DIR

Commands:
  run      all of it: create, wait, install, train, logs; after preemption again, with the
           same training command, until it is finished. To be called again after anything.
  create   workload policy (slices of several machines), instance template, instance group
  wait     until all machines run; every change is printed
  install  copy HEAD of this repository to every machine and install it with dnajax[tpu,gcs]
  train    start the training on every machine; it goes on without you
  logs     follow the logs of all machines; ends with the exit code of the training
  resume   make a preempted slice anew and train on: run
  stop     SIGTERM to the training, which saves
  delete   give everything back

Ends with 0 finished, 1 not there in time or crashed too often, 2 something is wrong,
42 stopped as asked, and saved.'
flag_table='name|REQUIRED|Of the group, its template and its policy.
project|REQUIRED|Google Cloud project.
zone|REQUIRED|As us-east5-a.
machine_type||ct5p-hightpu-4t, ct6e-standard-4t, tpu7x-standard-4t, …: for all but delete.
topology||Chips of the slice, as 4x4 (v6e) or 2x2x2 (v5p, TPU7x): for all but delete.
spot|no|Cheap, may be preempted at any time.
reservation||Name of a reservation to take it from. Neither of the two: on demand.
image_family||Default: the one for the machine type, of ubuntu-os-accelerator-images.
boot_disk_gb|100|Size of the disk of each machine.
boot_disk_type||Default: hyperdisk-balanced; that of Compute Engine for v5p.
network||Default: default.
subnet||With --network, where it needs one.
service_account||Default: that of Compute Engine. It must be able to read and write the bucket.
wait_hours|24|How long to wait for the machines.
poll_seconds|30|How often to ask.
max_crashes|3|How often a training that crashes is started again.'
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/launch/commands.sh"
. "$root/launch/tpu_training.sh"
parse_flags 'run create wait install train logs resume stop delete' "$@"

need_name name
need_number boot_disk_gb wait_hours poll_seconds max_crashes
[[ ${flag[zone]} =~ ^[a-z]+-[a-z]+[0-9]+-[a-z]$ ]] || fail "--zone=${flag[zone]}: as us-east5-a."
[[ ${flag[spot]} == no || -z ${flag[reservation]} ]] ||
  fail "--spot and --reservation exclude each other."
num_machines=1
if [[ $command != delete ]]; then
  need machine_type topology
  [[ ${flag[machine_type]} =~ ^(ct5p|ct6e|tpu7x)-[a-z]+-([1-9])t$ ]] ||
    fail "--machine_type=${flag[machine_type]}: as ct6e-standard-4t; older TPUs: launch/tpu_vm.sh."
  chips_each=${BASH_REMATCH[2]}
  [[ ${flag[topology]} =~ ^[1-9][0-9]*(x[1-9][0-9]*){1,2}$ ]] ||
    fail "--topology=${flag[topology]}: as 4x4 or 2x2x2."
  chips=$((${flag[topology]//x/*}))
  ((chips % chips_each == 0)) || fail "--topology=${flag[topology]}: $chips chips are no multiple" \
    "of the $chips_each of a ${flag[machine_type]}."
  num_machines=$((chips / chips_each))
  case ${flag[machine_type]} in
    ct5p-*) family=ubuntu-accel-2204-amd64-tpu-v5e-v5p-v6e disk='' ;;
    ct6e-*) family=ubuntu-accel-2204-amd64-tpu-v5e-v5p-v6e disk=hyperdisk-balanced ;;
    tpu7x-*) family=ubuntu-accel-2404-amd64-tpu-tpu7x disk=hyperdisk-balanced ;;
  esac
  family=${flag[image_family]:-$family} disk=${flag[boot_disk_type]:-$disk}
fi
case $command in
  run | resume | train) need_training remote ;;
  *) ((${#training[@]} == 0)) || fail "$command takes no arguments of the training." ;;
esac

name=${flag[name]} project=(--project="${flag[project]}")
zone=(--zone="${flag[zone]}" "${project[@]}") region=${flag[zone]%-*}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
dry_state=ABSENT  # what --dry_run takes the state to be

compute() { run gcloud compute "$@" --quiet; }
group() { compute instance-groups managed "$@" "${zone[@]}"; }

# Names of the machines, in a fixed order, with what they are doing.
list_machines() {
  local answer
  answer=$(group list-instances "$name" \
    --format='value(instance.basename(),instanceStatus,currentAction)' 2> "$scratch/errors") || return
  if is_dry_run; then
    local i
    [[ $dry_state == ABSENT ]] || for ((i = 0; i < num_machines; i++)); do
      printf '%s-MACHINE_%s\tRUNNING\tNONE\n' "$name" "$i"
    done
  else
    sort <<< "$answer"
  fi
}

state() {
  local listed running busy
  if listed=$(list_machines); then
    touch "$scratch/answered"
    if is_dry_run && [[ $dry_state == ABSENT ]]; then echo ABSENT && return; fi
    running=$(awk -F'\t' '$2 == "RUNNING" && $3 == "NONE"' <<< "$listed" | grep -c . || true)
    busy=$(awk -F'\t' '$3 != "" && $3 != "NONE"' <<< "$listed" | grep -c . || true)
    if ((running == num_machines)); then
      echo READY
    elif ((busy)); then
      echo "WAITING:$running of $num_machines machines run"
    else
      echo "LOST:$running of $num_machines machines run and nothing is being made"
    fi
  elif grep -qi 'not found' "$scratch/errors"; then
    echo ABSENT
  elif [[ -e $scratch/answered ]]; then  # a network that is down for a while
    echo "WAITING:no answer: $(grep -m1 ERROR "$scratch/errors")"
  else
    fail "gcloud: $(grep -m1 ERROR "$scratch/errors" || tail -n 1 "$scratch/errors")"
  fi
}

explain_failure() { group list-errors "$name" --limit=1 --format='value(error.message)'; }

# Runs a command that makes something; that it is there already is no error.
make() {
  if "$@" 2> >(tee "$scratch/make" >&2); then return; fi
  sleep 0.2  # for tee
  grep -q 'already exists' "$scratch/make"
}

create() {
  local policy=()
  if ((num_machines > 1)); then  # machines of one slice have to be neighbours
    make compute resource-policies create workload-policy "$name" --type=HIGH_THROUGHPUT \
      --accelerator-topology="${flag[topology]}" --region="$region" "${project[@]}" || return
    policy=(--workload-policy="projects/${flag[project]}/regions/$region/resourcePolicies/$name")
  fi
  local template=(--machine-type="${flag[machine_type]}" --image-family="$family"
    --image-project=ubuntu-os-accelerator-images --boot-disk-size="${flag[boot_disk_gb]}GB"
    --maintenance-policy=TERMINATE --scopes=cloud-platform)
  if [[ -n $disk ]]; then template+=(--boot-disk-type="$disk"); fi
  if [[ ${flag[spot]} == yes ]]; then
    template+=(--provisioning-model=SPOT --instance-termination-action=DELETE)
  elif [[ -n ${flag[reservation]} ]]; then
    template+=(--reservation-affinity=specific --reservation="${flag[reservation]}"
      --provisioning-model=RESERVATION_BOUND --instance-termination-action=DELETE)
  fi
  if [[ -n ${flag[network]} ]]; then template+=(--network="${flag[network]}"); fi
  if [[ -n ${flag[subnet]} ]]; then
    template+=(--subnet="projects/${flag[project]}/regions/$region/subnetworks/${flag[subnet]}")
  fi
  if [[ -n ${flag[service_account]} ]]; then
    template+=(--service-account="${flag[service_account]}")
  fi
  make compute instance-templates create "$name" "${template[@]}" "${project[@]}" || return
  # A machine alone cannot be repaired into a slice: the whole is made anew.
  make group create "$name" --size="$num_machines" --template="$name" \
    --default-action-on-vm-failure=do-nothing ${policy[@]+"${policy[@]}"} || return
  dry_state=READY
}

recreate() {
  group resize "$name" --size=0 && group wait-until "$name" --stable --timeout=1800 &&
    group resize "$name" --size="$num_machines"
}

delete() {
  local failed=0
  group delete "$name" || failed=1
  compute instance-templates delete "$name" "${project[@]}" || failed=1
  # Slices of one machine have no policy.
  compute resource-policies delete "$name" --region="$region" "${project[@]}" || true
  ((failed == 0)) || fail "not everything could be deleted; see above."
}

on() {  # MACHINE LINE
  compute ssh "$1" --command="$2" --ssh-flag=-oServerAliveInterval=30 \
    --ssh-flag=-oConnectTimeout=30 "${zone[@]}"
}

# Runs a function of this script with the name of each machine, all at the same time.
for_all() {
  local machine pids=() pid failed=0
  for machine in $(list_machines | cut -f1); do
    if is_dry_run; then
      "$1" "$machine" "${@:2}"
    else
      "$1" "$machine" "${@:2}" &
      pids+=($!)
    fi
  done
  for pid in "${pids[@]}"; do wait "$pid" || failed=$?; done
  return "$failed"
}

copy() { compute scp "$2" "$1:$3" "${zone[@]}"; }

copy_to_all() { for_all copy "$1" "$2"; }

on_all() { for_all on "$1"; }

# Which machine has process 0, the one that prints most, Compute Engine decides.
follow() { on_all 'bash dnajax/launch/on_worker.sh follow'; }

on_first() { on "$(list_machines | head -n 1 | cut -f1)" "$1"; }

if [[ $command =~ ^(wait|install|train|logs|stop)$ ]]; then dry_state=READY; fi
case $command in
  run | resume) run_until_finished ;;
  create)
    now=$(state) || exit
    case $now in
      ABSENT) create || fail "$name was not made; see above." ;;
      LOST:*) fail "$name is $now: 'resume' makes it anew, 'delete' removes it." ;;
      *) note "$name is there already: $now" ;;
    esac
    ;;
  wait) wait_until_ready || fail "$name is not there: 'run' makes it." ;;
  install) install ;;
  train) train ;;
  logs) follow ;;
  stop) stop ;;
  delete) delete ;;
esac
