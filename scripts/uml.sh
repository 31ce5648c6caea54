#!/bin/bash
# Runs a command under a User-mode Linux kernel, for the filesystems that the
# host's kernel cannot mount (XFS V4, realtime, case-insensitive names).
#
#	uml.sh IMAGE... -- COMMAND...
#
# The command sees the host's files, and the images as /dev/ubda, /dev/ubdb, ….
# Needs root and the package user-mode-linux.
set -euo pipefail

images=()
while [[ $1 != -- ]]; do
	images+=("ubd${#images[@]}=$(realpath "$1")")
	shift
done
shift

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
	printf '#!/bin/bash\nexport PATH=%q\ncd %q\nmount -t proc proc /proc\n' "$PATH" "$PWD"
	printf '( %s ) >%q 2>&1\necho $? >%q\nsync\npoweroff -f\n' "$(printf '%q ' "$@")" "$work/output" "$work/status"
} >"$work/init"
chmod +x "$work/init"
timeout 300 linux.uml mem=768M root=/dev/root rootfstype=hostfs rootflags=/ rw quiet lsm=capability \
	con=null con0=null con1=null init="$work/init" "${images[@]}" </dev/null >"$work/console" 2>&1 || true
cat "$work/output" 2>/dev/null || cat "$work/console"
exit "$(cat "$work/status" 2>/dev/null || echo 1)"
