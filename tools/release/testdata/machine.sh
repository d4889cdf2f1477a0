#!/usr/bin/env bash
# Runs a script in a copy of this machine, under a systemd of its own: nothing outside of it changes.
#   machine.sh SCRIPT FOLDER    FOLDER is /host inside; what SCRIPT prints goes to FOLDER/output, its exit code to FOLDER/code
# Needs root with all capabilities, overlayfs and cgroup2. It exits with 77, before anything is done, where they are not given.
set -u
if [ "${3:-}" != inside ]; then
  cgroup=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
  group=$cgroup/tidemill-test-$$
  if [ -n "$cgroup" ] && mkdir "$group" 2>/dev/null; then
    trap 'find "$group" -depth -type d -exec rmdir {} + 2>/dev/null' EXIT
    (echo $BASHPID > "$group/cgroup.procs" && exec unshare -f -p -m -C -i -u --kill-child "$0" "$1" "$2" inside)
    exit $?
  fi
  exit 77
fi

# The root is an overlay: what is written goes to memory.
work=$2/work
mkdir -p "$work" && mount -t tmpfs -o size=1g tmpfs "$work" && mkdir "$work"/{upper,work,root} || exit 77
mount -t overlay -o "lowerdir=/,upperdir=$work/upper,workdir=$work/work" overlay "$work/root" || exit 77
cd "$work/root"
mount -t proc proc proc && mount -t sysfs sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup || exit 77
mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs dev || exit 77
for node in null zero full random urandom tty; do touch dev/$node && mount --bind /dev/$node dev/$node; done
mkdir dev/shm dev/pts && mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts && ln -s pts/ptmx dev/ptmx && ln -s /proc/self/fd dev/fd
mkdir -p host etc/systemd/system && mount --bind "$2" host || exit 77
cp "$1" test-script
cat > etc/systemd/system/tidemill-test.service <<'UNIT'
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
TimeoutStartSec=150
ExecStart=/bin/bash /test-script
ExecStopPost=/bin/sh -c 'echo $EXIT_STATUS > /host/code'
ExecStopPost=/bin/systemctl --no-block exit
StandardOutput=file:/host/output
StandardError=inherit
UNIT
(sleep 170; kill -9 1) < /dev/null > /dev/null 2>&1 &
exec env -i container=other PATH="$PATH" chroot . /lib/systemd/systemd --unit=tidemill-test.service --log-target=null --show-status=0
