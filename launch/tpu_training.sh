# shellcheck shell=bash disable=SC2154  # flag, training: commands.sh
# Install, train, follow, start again after preemption: the same for every kind of TPU VM.
#
# The script that sources this says how its machines are reached:
#   copy_to_all FILE NAME    copies a file into every home directory
#   on_all LINE, on_first LINE    runs a line of shell on every machine, on the first
#   state                    prints ABSENT, READY, WAITING:…, LOST:… or FAILED
#   create, recreate, explain_failure
# LOST stands for machines that were preempted; those of spot VMs cannot be started again.

worker='bash dnajax/launch/on_worker.sh'

note_with_time() { note "$(date '+%F %T') $*"; }

# Returns when the machines are there, 1 when they were lost meanwhile.
wait_until_ready() {
  local before='' now deadline=$((SECONDS + 3600 * flag[wait_hours]))
  while :; do
    now=$(state) || exit
    is_dry_run || [[ $now == "$before" ]] || note_with_time "${flag[name]}: $now"
    before=$now
    case $now in
      READY) return 0 ;;
      FAILED) fail "${flag[name]}: FAILED: $(explain_failure)" ;;
      LOST:* | ABSENT) return 1 ;;
    esac
    if ((SECONDS >= deadline)); then
      note "error: ${flag[name]} is still $now after --wait_hours=${flag[wait_hours]};" \
        "the request stands, and 'wait' waits on."
      exit 1
    fi
    sleep "${flag[poll_seconds]}"
  done
}

# Makes machines, waits, and makes others for as long as they are lost again.
make_ready() {
  local now
  while :; do
    now=$(state) || exit
    case $now in
      ABSENT) create || fail "${flag[name]} was not made; see above." ;;
      LOST:*)
        note_with_time "${flag[name]}: $now: preempted; made anew"
        recreate || fail "${flag[name]} was not made anew; see above."
        ;;
    esac
    if wait_until_ready; then return; fi
  done
}

install() {
  run mkdir -p "$root/build" &&
    run git -C "$root" archive --format=tar.gz --output="$root/build/dnajax.tar.gz" HEAD &&
    copy_to_all "$root/build/dnajax.tar.gz" dnajax.tar.gz &&
    on_all "mkdir -p dnajax && tar -xzf dnajax.tar.gz -C dnajax && $worker install tpu,gcs"
}

train() { on_all "$worker start $(quote "${training[@]}")"; }

follow() { on_first "$worker follow"; }

stop() { on_all "$worker stop 120"; }

# Follows the training until it has ended; sets `said` to how, lost if nobody answers.
watch_training() {
  said=running
  while [[ $said == running ]]; do
    follow || true
    said=$(on_first "$worker status") || said=lost
    [[ $said != running ]] || sleep "${flag[poll_seconds]}"  # only the connection was lost
  done
}

# From nothing, or from whatever is there, to a finished training.
run_until_finished() {
  local said crashes=0 failures=0
  while :; do
    make_ready
    if install && train; then
      failures=0
      watch_training
    else
      said=lost failures=$((failures + 1))
      ((failures < 5)) || fail "installing or starting has failed $failures times; see above."
    fi
    if is_dry_run; then return; fi
    case $said in
      'exit 0')
        note_with_time "the training is finished. The TPU still costs money:" \
          "launch/$(basename "$0") delete --name=${flag[name]} --zone=${flag[zone]}"
        return
        ;;
      'exit 2') fail "the training has stopped, something is wrong with what it was given; see above." ;;
      'exit 42') note_with_time "preempted, saved" ;;
      stopped) note_with_time "stopped as asked, saved" && exit 42 ;;
      lost | none) note_with_time "the first machine does not answer or is a new one" ;;
      *)
        crashes=$((crashes + 1))
        note_with_time "the training crashed: $said ($crashes of --max_crashes=${flag[max_crashes]})"
        ((crashes < flag[max_crashes])) || exit 1
        ;;
    esac
    sleep "${flag[poll_seconds]}"
    [[ $(state) != READY ]] || stop || true  # what another machine may still be running
  done
}
