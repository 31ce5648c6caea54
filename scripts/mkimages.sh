#!/bin/bash
# Makes the matrix of small filesystem images that the oracle tests convert.
#
#	mkimages.sh OUTDIR [ext4|xfs|all]
#
# makes OUTDIR/ext4/NAME.img and OUTDIR/xfs/NAME.img, one filesystem each, by
# mkfs option, filled through the kernel by filltree.py. Beside an image lie
#
#	NAME.manifest  what it must equal, where the kernel here cannot mount it
#	               (else the kernel's mount of a copy is what it must equal)
#	NAME.exit      the exit code of a conversion that must be refused
#
# A second run makes only what is missing; a change to one of these scripts
# makes everything anew. Needs root, loop mounts, Go, and the packages that
# check.sh installs.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
what=${2:-all}
mnt=$out/.mnt
mkdir -p "$mnt"

trap 'umount "$mnt" 2>/dev/null || true' EXIT

stamp=$(cat "$here"/mkimages*.sh "$here/filltree.py" "$here/busy.py" "$here/encrypt.py" "$here/uml.sh" | sha256sum)

# start FAMILY: empties OUTDIR/FAMILY if the scripts changed, and works there.
start() {
	dir=$out/$1
	if [[ $(cat "$dir/.stamp" 2>/dev/null) != "$stamp" ]]; then
		rm -rf "$dir"
		mkdir -p "$dir"
		echo "$stamp" >"$dir/.stamp"
	fi
	cd "$dir"
}

# missing NAME: whether the image has to be made; announces it.
missing() {
	[[ -e $1.img ]] && return 1
	rm -f "$1.tmp" "$1.manifest" "$1.exit"
	printf 'mkimages: %s/%s\n' "$(basename "$dir")" "$1" >&2
}

fill() { python3 "$here/filltree.py" "$@"; }
busy() { python3 "$here/busy.py" "$@"; }

# manifest DIR: the kernel's view of it.
manifest() { "$out/.manifest" "$@"; }

# mounted IMAGE OPTIONS COMMAND...: runs COMMAND with IMAGE mounted at $mnt.
mounted() {
	local image=$1 options=$2 status=0
	shift 2
	mount -o "loop${options:+,$options}" "$image" "$mnt"
	"$@" || status=$?
	umount "$mnt"
	return $status
}

# crash IMAGE OPTIONS END ARGS...: makes IMAGE dirty, see busy.py.
crash() {
	local image=$1 options=$2 end=$3
	shift 3
	case $end in
	copy | freeze)
		mounted "$image" "$options" busy "$mnt" --end "$end" --image "$image" --copy "$image.copy" "$@"
		mv "$image.copy" "$image"
		;;
	*) mounted "$image" "$options" busy "$mnt" --end "$end" "$@" ;;
	esac
}

(cd "$here/.." && CGO_ENABLED=0 go build -tags oracle -o "$out/.manifest" ./scripts/manifest)
if [[ $what == ext4 || $what == all ]]; then
	start ext4
	. "$here/mkimages-ext4.sh"
fi
if [[ $what == xfs || $what == all ]]; then
	start xfs
	. "$here/mkimages-xfs.sh"
fi
