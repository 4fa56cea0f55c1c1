#!/usr/bin/env bash
# GPUs of this machine, or of several that ssh reaches.
# shellcheck source=launch/commands.sh
usage='Trains on all GPUs of this machine, or of several machines.

  launch/multi_gpu.sh -- --config=configs/X.py --workdir=runs/x
  launch/multi_gpu.sh --hosts=node1,node2 -- --config=configs/X.py --workdir=/shared/runs/x
  launch/multi_gpu.sh --image=dnajax:gpu --mount=/data -- --config=… --workdir=/data/runs/x

One process on each machine uses all its GPUs; it runs in the directory of this call. Several
machines: ssh must reach them without a password, and that directory, this tree, the data and
the workdir must have the same path on all. The first host is the coordinator. If one process ends badly, or at Ctrl-C, the others get SIGTERM, with
which they save where they still can.

Ends as the training does: 0 finished, 2 something is wrong, 42 stopped and saved, to be
started again with the same command; 1 or more than 128: crashed.'
flag_table='hosts||Host names, separated by commas. Default: this machine, without ssh.
port|8476|Of the first host, open for the others.
python|python|In PATH, or a path: the same on every host.
image||Run in this container; see launch/gpu.Dockerfile.
mount||With --image: a directory to be seen under the same path; several with commas.
grace_seconds|120|How long processes may take to save and to end.'
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/launch/commands.sh"
parse_flags '' "$@"

need_number port grace_seconds
need_training local
[[ -z ${flag[mount]} || -n ${flag[image]} ]] || fail "--mount is for --image."
[[ -z ${flag[hosts]} || ${flag[hosts]} =~ ^[A-Za-z0-9_.@-]+(,[A-Za-z0-9_.@-]+)*$ &&
  ${flag[hosts]} != *,-* && ${flag[hosts]} != -* ]] ||
  fail "--hosts=${flag[hosts]}: host names separated by commas."
IFS=, read -r -a hosts <<< "${flag[hosts]}"
IFS=, read -r -a mounts <<< "${flag[mount]}"

# Sets `main` to the training's command; arguments: NAME=VALUE for its environment.
set_main() {
  local item
  if [[ -n ${flag[image]} ]]; then
    # What it writes belongs to who called; /tmp: a home that everyone has.
    main=(docker run --rm --gpus=all --ipc=host --network=host --ulimit=memlock=-1
      --user="$(id -u):$(id -g)" --env=HOME=/tmp)
    for item; do main+=(--env="$item"); done
    for item in ${mounts[@]+"${mounts[@]}"}; do main+=(--volume="$item:$item"); done
    main+=("${flag[image]}")
  else
    main=("${flag[python]}" -m dnajax.main)
    if (($#)); then main=(env "$@" "${main[@]}"); fi
  fi
  main+=("${training[@]}")
}

if ((${#hosts[@]} == 0)); then
  set_main
  if is_dry_run; then
    run "${main[@]}"
    exit
  fi
  note "+ $(quote "${main[@]}")"
  exec "${main[@]}"
fi

lines=()  # of shell, for each host
for i in "${!hosts[@]}"; do
  set_main "JAX_COORDINATOR_ADDRESS=${hosts[0]#*@}:${flag[port]}" \
    "JAX_NUM_PROCESSES=${#hosts[@]}" "JAX_PROCESS_ID=$i"
  lines+=("cd $(quote "$PWD") && exec bash $(quote "$root/launch/on_worker.sh") attached \
$(quote "${main[@]}" --distributed)")
done

ssh_to() { run ssh -o BatchMode=yes -o ServerAliveInterval=30 "$@"; }

if is_dry_run; then
  for i in "${!hosts[@]}"; do ssh_to "${hosts[i]}" "${lines[i]}"; done
  exit
fi

# Each ssh reads from `open` as long as this shell keeps it open; at its end the process at the
# other end gets SIGTERM (on_worker.sh attached), even if this shell was killed.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkfifo "$scratch/open" "$scratch/ended"
exec 8<> "$scratch/ended" 9<> "$scratch/open"

prefixed() {
  local line
  while IFS= read -r line; do printf '[%s] %s\n' "$1" "$line"; done
}

start_on() {  # HOST LINE
  local code=0
  ssh_to "$1" "$2" 2>&1 8>&- | prefixed "$1" 8>&- || code=$?
  echo "$1 $code" >&8
}

is_stopping=no killer='' groups=()
stop_all() {
  [[ $is_stopping == no ]] || return 0
  is_stopping=yes
  note "$1: SIGTERM to all, ${flag[grace_seconds]} s to save and to end"
  exec 9>&-
  {
    sleep "${flag[grace_seconds]}"
    for group in "${groups[@]}"; do
      ! kill -KILL -- "-$group" || echo "one 137" >&8
    done
  } > /dev/null 2>&1 &
  killer=$!
  disown  # its end is not worth a line
}

trap 'stop_all "interrupted"' INT TERM
set -m  # a process group for each: Ctrl-C reaches this shell only
for i in "${!hosts[@]}"; do
  start_on "${hosts[i]}" "${lines[i]}" < "$scratch/open" 9>&- &
  groups+=($!)
done
first=0
for _ in "${hosts[@]}"; do
  until read -r host code <&8; do :; done  # a signal may interrupt it
  [[ $code == 0 ]] || note "$host: ended with $code"
  if ((code != 0 && first == 0)); then first=$code; fi
  # After 42 all are saving already; of anything else the others know nothing.
  if ((code != 0 && code != 42)); then stop_all "$host"; fi
done
if [[ -n $killer ]]; then kill -- "-$killer" 2> /dev/null || true; fi
exit "$first"
