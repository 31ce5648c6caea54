#!/bin/bash
# Compares whole conversions of a Debian cloud image, wslimg's and the peers'.
#
#	bench.sh [ROUNDS [IMAGES [PATTERN]]]
#
# runs every way once a round, in turn, so that a change of the machine's speed
# meets all alike (default 5 rounds), and prints the median of CPU seconds
# (user + sys of all processes), wall seconds, the largest process's peak
# memory, the output's size, and CPU and size relative to the manual way that
# makes the same kind of output. IMAGES is where mkdebian.sh makes its images
# or has made them (default: the cache of check.sh).
#
# Needs root (the peers mount), and the packages check.sh installs; igzip and
# guestfish take part where they are installed.
set -euo pipefail

rounds=${1:-5}
here=$(cd "$(dirname "$0")" && pwd)
images=${2:-${WSLIMG_CACHE:-$here/../.cache}/debian}
pattern=${3:-.}
work=$(mktemp -d)
trap 'mountpoint -q "$work/mnt" && umount "$work/mnt"; rm -rf "$work"' EXIT
mkdir "$work/mnt"

[[ -e $images/debian.zstd.qcow2 ]] || "$here/mkdebian.sh" "$images" >&2
(cd "$here/.." && CGO_ENABLED=0 go build -trimpath -o "$work/wslimg" .)
rootoffset=$((262144 * 512)) # of the root partition that mkdebian.sh makes

# manual IMAGE OUT COMMAND...: raw copy, loop mount, tar through COMMAND. -S
# because of lastlog, a terabyte of holes.
manual() {
	local raw=$1 out=$2
	shift 2
	if [[ $raw == *.qcow2 ]]; then
		qemu-img convert -O raw "$raw" "$work/raw"
		raw=$work/raw
	fi
	mount -o "ro,loop,offset=$rootoffset" "$raw" "$work/mnt"
	tar -C "$work/mnt" -S --xattrs --xattrs-include='*' --numeric-owner -cf - . 2>/dev/null | "$@" >"$out"
	umount "$work/mnt"
	rm -f "$work/raw"
}

guest() { # IMAGE OUT: without root, in a virtual machine
	LIBGUESTFS_BACKEND=direct guestfish --ro -a "$1" -m /dev/sda1 tar-out / - xattrs:true acls:true | pigz -6 >"$2"
}

ours() { # IMAGE OUT FLAG...
	local image=$1 out=$2
	shift 2
	"$work/wslimg" convert -q --force "$@" "$image" "$out"
}

ways() { allways | awk -v pattern="$pattern" '$1 ~ pattern'; }

# All ways: name, the name of what it is compared with, image, output, command.
allways() {
	local d=$images/debian
	cat <<-END
		manual-pigz-6      manual-pigz-6     $d.zlib.qcow2 gz  manual pigz -6 -p2
		fast               manual-pigz-6     $d.zlib.qcow2 tar.gz  ours --compression fast --profile none
		default            manual-pigz-6     $d.zlib.qcow2 tar.gz  ours --compression default --profile none
		small              manual-pigz-6     $d.zlib.qcow2 tar.gz  ours --compression small --profile none
		manual-gzip-6      manual-pigz-6     $d.zlib.qcow2 gz  manual gzip -6
		manual-tar         manual-tar        $d.zlib.qcow2 tar manual cat
		tar                manual-tar        $d.zlib.qcow2 tar ours --profile none
		raw-manual-pigz-6  raw-manual-pigz-6 $d.raw        gz  manual pigz -6 -p2
		raw-default        raw-manual-pigz-6 $d.raw        tar.gz  ours --compression default --profile none
		qcow2-manual       qcow2-manual      $d.qcow2      gz  manual pigz -6 -p2
		qcow2-default      qcow2-manual      $d.qcow2      tar.gz  ours --compression default --profile none
		zstd-manual-3      zstd-manual-3     $d.zstd.qcow2 zst manual zstd -q -3 -T2
		zstd-default       zstd-manual-3     $d.zstd.qcow2 tar.zst ours --compression default --profile none
	END
	! command -v igzip >/dev/null || echo "manual-igzip-1 manual-pigz-6 $d.zlib.qcow2 gz manual igzip -1"
	! command -v guestfish >/dev/null || echo "guestfish-pigz-6 manual-pigz-6 $d.zlib.qcow2 gz guest"
}

export -f manual guest ours
export work rootoffset

run() { # NAME BASE IMAGE ENDING FUNCTION ARGS...
	local name=$1 image=$3 out=$work/out.$4 fn=$5
	shift 5
	rm -f "$out"
	/usr/bin/time -f '%U %S %e %M' -o "$work/time" bash -c 'set -euo pipefail; "$@"' bash "$fn" "$image" "$out" "$@"
	echo "$name $(tail -n 1 "$work/time") $(stat -c %s "$out")" >>"$work/figures"
	rm -f "$out"
}

for ((round = 1; round <= rounds; round++)); do
	echo "round $round of $rounds" >&2
	while read -r -a way; do run "${way[@]}" </dev/null; done < <(ways)
done

median() { sort -n | awk '{v[NR]=$1} END {print (NR%2 ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2)}'; }
figure() { awk -v name="$1" '$1 == name {print '"$2"'}' "$work/figures" | median; }

printf '%-18s %8s %8s %9s %10s %9s %9s\n' way 'CPU s' 'wall s' 'peak MiB' 'size MB' 'CPU gain' 'size'
while read -r name base _; do
	awk -v name="$name" -v cpu="$(figure "$name" '$2+$3')" -v wall="$(figure "$name" '$4')" \
		-v rss="$(figure "$name" '$5')" -v size="$(figure "$name" '$6')" \
		-v bcpu="$(figure "$base" '$2+$3')" -v bsize="$(figure "$base" '$6')" 'BEGIN {
		printf "%-18s %8.2f %8.2f %9.0f %10.1f %8.1fx %9.3f\n", name, cpu, wall, rss/1024, size/1e6, bcpu/cpu, size/bsize }'
done < <(ways)
