#!/usr/bin/env bash
# What one machine of a run does; lies in the copied tree and is called over ssh.
#
#   install EXTRAS   make the tree's .venv with dnajax[EXTRAS]; nothing if it has this archive
#   start ARGS...    start python -m dnajax.main ARGS --distributed; it survives a lost ssh
#   follow           show its log until it ends; ends with the training's exit code
#   status           print running, "exit N", stopped (exit 42 after stop), gone (ended without
#                    a word, as by a reboot) or none
#   stop SECONDS     SIGTERM, so that it saves; SIGKILL after so many seconds
#   attached COMMAND run a command here and now; SIGTERM when standard input ends

set -euo pipefail
tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
kept=${DNAJAX_RUN_DIR:-$HOME/dnajax_run}  # log, process id and exit code of the training
boot=$(cat /proc/sys/kernel/random/boot_id 2> /dev/null || echo unknown)

install_tree() {
  local stamp
  stamp="$(sha256sum "$tree/../dnajax.tar.gz") $1"
  if [[ $(cat "$tree/.venv/installed" 2> /dev/null) == "$stamp" ]]; then
    echo "$(hostname): installed already"
    return
  fi
  # The Python of most TPU images is older than 3.11; uv brings one.
  [[ -x $HOME/.local/bin/uv ]] || curl -LsSf https://astral.sh/uv/install.sh | sh
  cd "$tree"
  "$HOME/.local/bin/uv" venv --quiet --clear --python=3.12 .venv
  "$HOME/.local/bin/uv" pip install --quiet --python=.venv/bin/python ".[$1]"
  echo "$stamp" > .venv/installed
  echo "$(hostname): installed"
}

metadata() {
  curl -sf --max-time 10 -H 'Metadata-Flavor: Google' \
    "http://metadata.google.internal/computeMetadata/v1/instance/attributes/$1"
}

# JAX finds its processes by agent-worker-number, which Cloud TPU sets. A TPU VM made by
# Compute Engine has worker-id instead; there JAX is told.
tell_jax_its_place() {
  local id peers first
  if ! metadata agent-worker-number > /dev/null && id=$(metadata worker-id) &&
    peers=$(metadata worker-network-endpoints); then
    first=${peers%%,*}  # a host, or name:id:address
    export JAX_PROCESS_ID=$id JAX_COORDINATOR_ADDRESS="${first##*:}:8476"
    JAX_NUM_PROCESSES=$(tr ',' '\n' <<< "$peers" | grep -c .)
    export JAX_NUM_PROCESSES
  fi
}

# Waits for the child through signals, which go on to it; sets `code` to how it ended.
wait_for() {
  trap 'kill -TERM '"$1"' 2> /dev/null || true' TERM INT HUP
  while :; do
    code=0
    wait "$1" || code=$?
    kill -0 "$1" 2> /dev/null || break
  done
}

is_running() {
  local pid='' at=''
  [[ -s $kept/pid ]] && read -r pid at < "$kept/pid"
  [[ $at == "$boot" ]] && kill -0 "$pid" 2> /dev/null
}

supervise() {
  "$@" < /dev/null &
  echo "$! $boot" > "$kept/pid"
  wait_for $!
  echo "$code" > "$kept/exit_code.part"
  mv "$kept/exit_code.part" "$kept/exit_code"
}

start() {
  local python=$tree/.venv/bin/python
  mkdir -p "$kept"
  if is_running; then
    echo "$(hostname): a training is running already; it goes on"
    return
  fi
  [[ -x $python ]] || { echo "error: $(hostname): nothing is installed yet." >&2 && exit 2; }
  tell_jax_its_place
  cd "$tree"
  rm -f "$kept/exit_code" "$kept/pid" "$kept/stop_asked"
  printf '\n== %s\n' "$(date)" >> "$kept/log"
  setsid bash "$tree/launch/on_worker.sh" supervise \
    "$python" -m dnajax.main "$@" --distributed >> "$kept/log" 2>&1 < /dev/null &
  until [[ -s $kept/pid || -s $kept/exit_code ]]; do sleep 0.1; done
  echo "$(hostname): started"
}

status() {
  if is_running; then
    echo running
  elif [[ -e $kept/stop_asked && $(cat "$kept/exit_code" 2> /dev/null) == 42 ]]; then
    echo stopped
  elif [[ -s $kept/exit_code ]]; then
    echo "exit $(< "$kept/exit_code")"
  elif [[ -s $kept/pid ]]; then
    echo gone
  else
    echo none
  fi
}

follow() {
  [[ -e $kept/log ]] || { echo "error: $(hostname): no training was started here." >&2 && exit 3; }
  if is_running; then
    tail -n 50 -F --pid="$(cut -d' ' -f1 "$kept/pid")" "$kept/log" || true
    sleep 1  # until the exit code is written
  else
    tail -n 50 "$kept/log"
  fi
  exit "$(cat "$kept/exit_code" 2> /dev/null || echo 3)"
}

stop() {
  local second
  is_running || return 0
  touch "$kept/stop_asked"
  kill -TERM "$(cut -d' ' -f1 "$kept/pid")"
  for ((second = 0; second < $1; second++)); do
    is_running || return 0
    sleep 1
  done
  kill -KILL "$(cut -d' ' -f1 "$kept/pid")"
}

attached() {
  local child reader
  exec 4<&0
  "$@" 4<&- < /dev/null &
  child=$!
  { cat <&4 && kill -TERM "$child"; } > /dev/null 2>&1 &
  reader=$!
  exec 4<&-
  wait_for "$child"
  kill "$reader" 2> /dev/null || true
  exit "$code"
}

case ${1:-} in
  install) install_tree "$2" ;;
  start | follow | status | stop | supervise | attached) "$@" ;;
  *) echo "error: on_worker.sh is called by the scripts beside it." >&2 && exit 2 ;;
esac
