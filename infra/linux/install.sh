#!/bin/sh
# Makes this Linux host an agent of a Loam farm. The farm serves this file, filled in, at /install.sh; its screen of agents gives
# the line to paste. Running it again changes nothing. `--help` lists what it takes.
set -eu

# The farm fills these in.
FARM_URL=''
PACKAGE_NAME=''
PACKAGE_SIZE=''
PACKAGE_SHA256=''
PACKAGE_VERSION=''
PACKAGE_PROBLEM=''

usage() {
  cat <<'END'
Makes this host an agent of a Loam farm.

  --slots N       builds at the same time (2)
  --name NAME     what the farm calls this agent (the host name)
  --state DIR     the agent's directory (/var/lib/loam-agent)
  --prefix DIR    where the program goes (/usr/local)
  --url URL       the farm's address, when it is not the one that this script came from
  --ca FILE       certificate (PEM) of a private authority that vouches for the farm
  --allow-http    go on although the farm's address is plain HTTP
  --no-packages   do not install containerd and runc
  --no-start      install the service, but do not start it
  --force         leave the farm that this host belongs to
  --dry-run       only say what would be done
  --uninstall     take the service and the program away; builds' cache and credential stay
  --purge         with --uninstall: delete the state too
  --root DIR      put everything below DIR, without a service (for images and tests)

The token comes from the environment, LOAM_ENROL_TOKEN; it works once.
END
}

units=/etc/systemd/system
# Whether anything was done, or would be.
changed=no
# Whether it was said why it fails.
explained=no

note() { printf '%s\n' "$*"; }
done_already() { printf '  ok    %s\n' "$*"; }
warn() { printf '  note  %s\n' "$*" >&2; }

# fail CODE MESSAGE REMEDY
fail() {
  printf 'install: %s\n  %s\n  code: %s\n' "$2" "$3" "$1" >&2
  explained=yes
  exit 1
}

# At the end, whatever ends it.
finish() {
  rm -rf "$scratch"
  [ "$1" = 0 ] || [ "$explained" = yes ] ||
    printf 'install: A command failed; what it said stands above.\n  Mend that, then paste the line again.\n  code: install.failed\n' >&2
}

# step DESCRIPTION COMMAND...
step() {
  changed=yes
  if [ "$dry_run" = yes ]; then
    printf '  would %s\n' "$1"
    return 0
  fi
  printf '  do    %s\n' "$1"
  shift
  [ $# -eq 0 ] || "$@"
}

has() { command -v "$1" >/dev/null 2>&1; }

parse() {
  token=${LOAM_ENROL_TOKEN-}
  # Programs that are started from here have no use for it.
  unset LOAM_ENROL_TOKEN
  slots=2 name='' state=/var/lib/loam-agent prefix=/usr/local ca='' root=''
  allow_http=no packages=yes start=yes force=no dry_run=no action=install purge=no
  while [ $# -gt 0 ]; do
    case $1 in
      --slots | --name | --state | --prefix | --url | --ca | --root)
        [ $# -ge 2 ] || fail install.bad-argument "$1 needs a value." 'See --help.'
        case $1 in
          --slots) slots=$2 ;;
          --name) name=$2 ;;
          --state) state=$2 ;;
          --prefix) prefix=$2 ;;
          --url) FARM_URL=${2%/} ;;
          --ca) ca=$2 ;;
          --root) root=${2%/} ;;
        esac
        shift
        ;;
      --allow-http) allow_http=yes ;;
      --no-packages) packages=no ;;
      --no-start) start=no ;;
      --force) force=yes ;;
      --dry-run) dry_run=yes ;;
      --uninstall) action=uninstall ;;
      --purge) purge=yes ;;
      --help | -h)
        usage
        exit 0
        ;;
      *) fail install.bad-argument "There is no option $1." 'See --help.' ;;
    esac
    shift
  done
  [ "$purge$action" != yesinstall ] || fail install.bad-argument '--purge belongs to --uninstall.' 'Give both, or neither.'
  case $slots in '' | *[!0-9]* | 0*) fail install.bad-argument "--slots cannot be \"$slots\"." 'Write a number from 1 to 256.' ;; esac
  case $state in /*) ;; *) fail install.bad-argument "--state cannot be \"$state\"." 'Write a path that begins with /.' ;; esac
  case $prefix in '' | /*) ;; *) fail install.bad-argument "--prefix cannot be \"$prefix\"." 'Write a path that begins with /.' ;; esac
  case $state$prefix in *[[:space:]]*) fail install.bad-argument '--state and --prefix cannot hold spaces.' 'Choose other directories.' ;; esac
  program=$root$prefix/bin/loam-agent
  home=$root$state
}

check_host() {
  [ "$(id -u)" = 0 ] || fail install.needs-root 'This has to run as root.' 'Become root (sudo -s) and paste the line again; its token is still good.'
  [ "$(uname -s)" = Linux ] || fail install.wrong-system "This is $(uname -s), not Linux." 'For Windows take the line of the other tab.'
  if [ -n "$root" ] || ! has systemctl || [ ! -d /run/systemd/system ]; then has_systemd=no; else has_systemd=yes; fi
}

check_farm() {
  case $FARM_URL in
    https://?*) ;;
    http://localhost | http://localhost:* | http://127.* | http://\[::1\]*) ;;
    http://?*)
      [ "$allow_http" = yes ] || fail install.plain-http "$FARM_URL is plain HTTP: the token and the program could be read and replaced on the way." \
        'Put TLS in front of the farm and set LOAM_PUBLIC_URL, or give --allow-http in a network that you trust.'
      warn "going on over plain HTTP to $FARM_URL, as --allow-http says"
      ;;
    *) fail install.no-farm 'It is not known which farm this is for.' 'Take the line from the screen of agents, or give --url.' ;;
  esac
  if [ -n "$ca" ] && ! grep -q 'BEGIN CERTIFICATE' "$ca" 2>/dev/null; then
    fail install.bad-ca "$ca is not a certificate in PEM." 'Give --ca the file of the authority behind the farm.'
  fi
  case $(uname -m) in
    x86_64 | amd64) ;;
    *) fail install.no-package "There is no package for $(uname -m)." 'Run the agent from its sources: docs/operating.md, "Adding an agent".' ;;
  esac
  [ -z "$PACKAGE_PROBLEM" ] || fail install.no-package "The farm gives no agent away: $PACKAGE_PROBLEM" 'Build the packages where the API runs (npm run package), then paste the line again.'
  [ -n "$PACKAGE_NAME" ] || fail install.no-package 'This file was not filled in by a farm.' "Fetch it from the farm: curl -fsSL $FARM_URL/install.sh"
}

# Two that run at the same time would write the same download, and spend the same token.
lock_out_others() {
  [ "$dry_run" = no ] && has flock || return 0
  mkdir -p "$root$prefix/lib/loam"
  exec 9<"$root$prefix/lib/loam"
  flock -n 9 || fail install.busy 'This script runs here already.' 'Let that one end, then paste the line again if it failed.'
}

# What the agent runs: Debian's names of packages.
install_packages() {
  missing=''
  has containerd || missing='containerd'
  has runc || missing="${missing:+$missing }runc"
  if [ -z "$missing" ]; then
    done_already 'containerd and runc are there'
  elif [ "$packages" = no ]; then
    warn "missing: $missing; the agent will not start without them"
  elif has apt-get; then
    # shellcheck disable=SC2086 # two words are two packages
    step "install $missing with apt-get" apt_install $missing
  else
    fail install.no-packages "Missing: $missing; and this host has no apt-get." "Install $missing with the host's own tools, then paste the line again."
  fi
}

apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -q && apt-get install -q -y --no-install-recommends "$@"; } >"$scratch/apt.log" 2>&1 </dev/null || {
    tail -n 20 "$scratch/apt.log" >&2
    fail install.apt-failed "apt-get could not install $*." 'Mend what it says above, then paste the line again.'
  }
  # The agent starts a containerd of its own; Debian's starts by itself and does no harm.
}

sha256_of() { sha256sum "$1" 2>/dev/null | cut -d ' ' -f 1; }

install_program() {
  if [ "$(sha256_of "$program")" = "$PACKAGE_SHA256" ]; then
    done_already "$program is version $PACKAGE_VERSION"
    return 0
  fi
  step "download $PACKAGE_NAME $PACKAGE_VERSION ($((PACKAGE_SIZE / 1048576)) MiB) to $program" download
  updated=yes
}

download() {
  mkdir -p "$root$prefix/bin" "$root$prefix/lib/loam"
  # Named by its digest: what is left of a download that broke off is gone on with, and never mixed with another version.
  part=$root$prefix/lib/loam/$PACKAGE_SHA256.part
  address=$FARM_URL/api/v1/downloads/$PACKAGE_NAME
  attempt=1
  until fetch "$address" "$part"; do
    [ $attempt -lt 5 ] || fail install.download-failed "$address could not be fetched." 'Check the way to the farm (a proxy, a firewall, TLS), then paste the line again: it goes on where it broke off.'
    warn "the download broke off; attempt $((attempt += 1)) of 5"
    sleep "${LOAM_INSTALL_RETRY_SECONDS:-3}"
  done
  found=$(sha256_of "$part")
  if [ "$found" != "$PACKAGE_SHA256" ]; then
    rm -f "$part"
    fail install.wrong-digest "What came is not the package: its SHA-256 is $found, not $PACKAGE_SHA256." 'The farm may just have built another version: paste the line again. If it stays, something on the way changes downloads.'
  fi
  chmod 755 "$part"
  mv -f "$part" "$program"
}

# fetch URL FILE: goes on where FILE ends.
fetch() {
  if [ -f "$2" ] && [ "$(wc -c <"$2")" -ge "$PACKAGE_SIZE" ]; then return 0; fi
  if has curl; then
    curl -fsSL ${ca:+--cacert "$ca"} -C - -o "$2" "$1"
  elif has wget; then
    wget -q ${ca:+"--ca-certificate=$ca"} -c -O "$2" "$1"
  else
    fail install.no-downloader 'There is neither curl nor wget.' 'Install one of them.'
  fi
}

install_ca() {
  [ -n "$ca" ] || return 0
  if cmp -s "$ca" "$home/ca.pem"; then
    done_already "the farm's authority is in $home/ca.pem"
  else
    step "keep the farm's authority in $home/ca.pem" keep_ca
    updated=yes
  fi
}

keep_ca() {
  # The agent trusts what lies there under this name. Its own mode: a step's user has to reach what is mounted from there.
  [ -d "$home" ] || install -d -m 0711 "$home"
  install -m 0644 "$ca" "$home/ca.pem"
}

enrolled_url() { sed -n 's/^ *"url": *"\(.*\)",\{0,1\}$/\1/p' "$home/config.json" 2>/dev/null || true; }

# Before anything is done: an agent that works is not to lose its program for a farm that it does not belong to.
check_membership() {
  known=$(enrolled_url)
  [ "$force" = no ] || known=''
  if [ -n "$known" ]; then
    [ "$known" = "$FARM_URL" ] || fail install.other-farm "This host is an agent of $known." 'Give --force to make it one of this farm.'
  else
    [ -n "$token" ] || [ "$dry_run" = yes ] || fail install.no-token 'There is no token.' 'Take the line from the screen of agents; LOAM_ENROL_TOKEN has to stand before sh.'
  fi
}

# A host that was revoked is not one of the farm's any more, though it still believes so.
is_refused() {
  [ -n "$token" ] && [ -x "$program" ] &&
    "$program" doctor --state "$home" --only farm.credential --json 2>/dev/null | grep -q '"status":"problem"'
}

enrol() {
  if [ -n "$known" ] && is_refused; then
    warn "$known refuses the credential of this host: it was revoked"
    known='' force=yes
  fi
  if [ -n "$known" ]; then
    done_already "enrolled with $known; the token was not used"
    return 0
  fi
  step "enrol with $FARM_URL" trade_token
  # An agent that runs has to read what was kept now.
  updated=yes
}

trade_token() {
  set -- enrol --url "$FARM_URL" --state "$home" --slots "$slots" --token -
  [ -z "$name" ] || set -- "$@" --name "$name"
  [ "$force" = no ] || set -- "$@" --force
  # By standard input: arguments are seen by every user of the host.
  printf '%s\n' "$token" | "$program" "$@" ||
    fail install.enrol-failed 'The farm did not take this host in.' 'What it said stands above. A token works once, and not for long: make a new one on the screen of agents.'
}

install_service() {
  if [ "$has_systemd" = no ]; then
    warn 'no systemd here: nothing starts the agent by itself. Have your supervisor run, as root, and restart when it ends:'
    warn "  MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=65536 $program run --state $home"
    return 0
  fi
  if [ "$dry_run" = yes ]; then
    step 'install and start the service loam-agent'
    return 0
  fi
  "$program" service install --state "$state" --json >"$scratch/service" 2>&1 || {
    cat "$scratch/service" >&2
    fail install.service-failed 'The service could not be installed.' 'Mend what it says above, then paste the line again.'
  }
  if grep -q '"changed":"unchanged"' "$scratch/service"; then
    done_already 'the service loam-agent'
  else
    step 'install the service loam-agent'
    updated=yes
  fi
  if [ "$start" = no ]; then
    warn 'not started, as --no-start says: systemctl start loam-agent'
  elif [ "$updated" = no ] && systemctl is-active -q loam-agent; then
    done_already 'the service runs'
  else
    step 'start the service' start_service
  fi
}

start_service() {
  systemctl restart loam-agent && return 0
  journalctl -u loam-agent -n 10 -o cat --no-pager >&2 2>/dev/null || true
  fail install.service-failed 'The service did not start.' 'What it said stands above (journalctl -u loam-agent); systemd goes on trying unless it says otherwise.'
}

uninstall() {
  if [ "$has_systemd" = yes ] && [ -f "$units/loam-agent.service" ]; then
    step 'stop the service and take it away' remove_service
  fi
  if [ -x "$program" ] && is_left; then step 'end what a killed agent left behind' end_left; fi
  # What still is mounted below it must not be deleted through the mount; and only the program can end it in order.
  if [ "$purge$dry_run" = yesno ] && is_mounted; then
    fail install.still-mounted "Something is still mounted below $home." 'Stop what uses it (loam-agent doctor --fix ends what an agent left), unmount it, then do this again.'
  fi
  [ ! -e "$program" ] || step "delete $program" rm -f "$program"
  [ ! -d "$root$prefix/lib/loam" ] || step "delete $root$prefix/lib/loam" rm -rf "$root$prefix/lib/loam"
  if [ ! -d "$home" ]; then
    done_already "there is no $home"
  elif [ "$purge" = yes ]; then
    step "delete $home, with the cache and the credential" rm -rf "$home"
  else
    note "Kept: $home (cache and credential). Delete it with --uninstall --purge."
  fi
  note 'containerd and runc stay; take them away with apt-get if nothing else needs them. On the farm, revoke the agent.'
}

remove_service() {
  # By the program itself while it is there; a service must not outlive a program that is gone already.
  [ ! -x "$program" ] || "$program" service uninstall >/dev/null || warn "$program could not do it"
  systemctl disable -q --now loam-agent 2>/dev/null || true
  rm -f "$units/loam-agent.service"
  systemctl daemon-reload
  systemctl reset-failed -q loam-agent 2>/dev/null || true
  [ ! -d "$units/loam-agent.service.d" ] || note "Kept: $units/loam-agent.service.d, which somebody else wrote."
}

is_mounted() { grep -qF " $home/" /proc/self/mounts; }

# Whether the last agent here did not stop in order: then steps may run on, and its containerd.
is_left() { [ -e "$home/containerd/containerd.pid" ] || is_mounted; }

# Whatever opens the state directory cleans up first, and ends containerd when it closes.
end_left() { "$program" cache ls --state "$home" >/dev/null || warn "$program could not do it"; }

main() {
  parse "$@"
  check_host
  updated=no
  scratch=$(mktemp -d)
  trap 'finish $?' EXIT
  # Not every shell comes by EXIT when a signal ends it.
  trap 'explained=yes; exit 130' INT
  trap 'explained=yes; exit 143' TERM HUP
  if [ "$action" = uninstall ]; then
    note 'Taking the Loam agent away'
    uninstall
  else
    check_farm
    note "Making this host an agent of $FARM_URL"
    check_membership
    lock_out_others
    install_packages
    install_program
    install_ca
    enrol
    install_service
  fi
  if [ "$dry_run" = yes ]; then
    note 'Nothing was done: --dry-run.'
  elif [ "$changed" = no ]; then
    note 'Nothing had to be changed.'
  elif [ "$action" = install ]; then
    note 'Done. The screen of agents shows it as soon as it runs; loam-agent doctor says what is wrong if it does not.'
  fi
}

# On the last line, so that nothing runs of a file that came only in part.
main "$@"
