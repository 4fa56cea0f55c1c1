# shellcheck shell=bash disable=SC2154  # usage, flag_table: the script's
# Flags, quoting, and commands that are run or only printed; sourced by the scripts here.
#
# A script sets `usage`, its help text, and `flag_table`, a line `name|default|meaning` for
# each flag (default REQUIRED: must be given; default no: a switch), then calls parse_flags.

set -euo pipefail
((BASH_VERSINFO[0] * 10 + BASH_VERSINFO[1] >= 44)) || {
  echo "error: bash 4.4 or newer is needed, this is $BASH_VERSION (macOS: brew install bash)." >&2
  exit 2
}
exec 3>&1  # where --dry_run prints, also from within $(...)

declare -A flag=()  # values by name
command=''          # the word that is no flag, if the script takes one
training=()         # what stands after --, for python -m dnajax.main

note() { printf '%s\n' "$*" >&2; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}

# One line that a shell reads back as exactly these words.
quote() {
  local word line='' apostrophe="'\\''"
  for word; do
    if [[ $word =~ ^[A-Za-z0-9_@%+=:,./-]+$ ]]; then
      line+=" $word"
    else
      line+=" '${word//\'/"$apostrophe"}'"
    fi
  done
  printf '%s\n' "${line# }"
}

is_dry_run() { [[ ${flag[dry_run]} == yes ]]; }

# Runs a command, after saying so; with --dry_run it is only printed.
run() {
  if is_dry_run; then
    quote "$@" >&3
  else
    note "+ $(quote "$@")"
    "$@"
  fi
}

print_help() {
  local name default meaning
  printf '%s\n\nFlags:\n' "$usage"
  while IFS='|' read -r name default meaning; do
    case $default in
      REQUIRED) printf '  --%s=VALUE\n      %s Must be given.\n' "$name" "$meaning" ;;
      no) printf '  --%s\n      %s\n' "$name" "$meaning" ;;
      '') printf '  --%s=VALUE\n      %s\n' "$name" "$meaning" ;;
      *) printf '  --%s=%s\n      %s\n' "$name" "$default" "$meaning" ;;
    esac
  done <<< "$flag_table"
  printf '\nAfter -- come the arguments of python -m dnajax.main.\n'
}

# Fills `flag`, `command` and `training` from the arguments of the script.
#   commands: words of which one must come first; empty where there is none to choose.
parse_flags() {
  local commands=$1 name default argument
  local -A defaults=()
  shift
  flag_table+=$'\ndry_run|no|Print every command that would be run, and run none.'
  flag_table+=$'\nhelp|no|Print this.'
  while IFS='|' read -r name default _; do
    defaults[$name]=$default
  done <<< "$flag_table"
  while (($#)); do
    argument=$1
    shift
    name=${argument#--} name=${name%%=*}
    case $argument in
      --help | -h) print_help && exit 0 ;;
      --)
        training=("$@")
        break
        ;;
      --*)
        [[ -v defaults[$name] ]] || fail "unknown flag --$name; --help lists the flags," \
          "those of the training come after --."
        if [[ ${defaults[$name]} == no ]]; then
          [[ $argument == "--$name" ]] || fail "--$name takes no value, but was given $argument."
          flag[$name]=yes
        else
          [[ $argument == *=?* ]] || fail "--$name wants a value: --$name=VALUE."
          flag[$name]=${argument#*=}
        fi
        ;;
      *)
        [[ -n $commands && -z $command && " $commands " == *" $argument "* ]] ||
          fail "unknown argument '$argument'${commands:+; commands: $commands}."
        command=$argument
        ;;
    esac
  done
  [[ -z $commands || -n $command ]] || fail "say what to do, one of: $commands (see --help)."
  for name in "${!defaults[@]}"; do
    [[ -v flag[$name] ]] && continue
    [[ ${defaults[$name]} != REQUIRED ]] || fail "--$name=VALUE must be given."
    flag[$name]=${defaults[$name]}
  done
}

# Refuses a flag that is empty, for commands that need it.
need() {
  local name
  for name; do
    [[ -n ${flag[$name]} ]] || fail "--$name=VALUE must be given${command:+ for $command}."
  done
}

# Refuses flags that are no whole number of at least 1.
need_number() {
  local name
  for name; do
    [[ ${flag[$name]} =~ ^[1-9][0-9]{0,8}$ ]] ||
      fail "--$name=${flag[$name]}: a whole number of at least 1 is wanted."
  done
}

# Refuses a name that Google Cloud or Kubernetes would refuse.
need_name() {
  [[ ${flag[$1]} =~ ^[a-z]([-a-z0-9]{0,48}[a-z0-9])?$ ]] ||
    fail "--$1=${flag[$1]}: small letters, digits and hyphens, at most 50, a letter first."
}

# Refuses a training without --config and --workdir.
#   kind: remote, where a relative workdir would lie on a disk that is lost with the machine.
need_training() {
  local kind=$1 word workdir='' has_config=no
  for word in "${training[@]}"; do
    case $word in
      --config=?*) has_config=yes ;;
      --workdir=?*) workdir=${word#*=} ;;
    esac
  done
  [[ $has_config == yes && -n $workdir ]] ||
    fail "the training's arguments are missing: -- --config=configs/X.py --workdir=DIR."
  [[ $kind != remote || $workdir =~ ^([a-z0-9]+:/)?/ ]] || fail "--workdir=$workdir would lie on" \
    "a machine's own disk and be lost with it: give gs://BUCKET/DIR, or the absolute path of a" \
    "file system that every machine mounts."
}
