#!/bin/sh
# Makes disk.raw.gz: two partitions that are physical volumes of LVM2's group
# "test-vg", filled by what the lvm tool says of where each extent lies. Needs
# root, lvm2, sfdisk and python3; no device-mapper.
set -eu
cd "$(dirname "$0")"
dir=$(mktemp -d)
a= b=
trap 'for l in $a $b; do losetup -d $l; done; rm -rf "$dir"' EXIT
export LVM_SYSTEM_DIR="$dir" LVM_SUPPRESS_FD_WARNINGS=1
truncate -s 18M "$dir/disk"
sfdisk -q "$dir/disk" <<EOF
label: gpt
label-id: 01234567-89AB-CDEF-0123-456789ABCDEF
1: start=2048, size=16384, type=E6D6D379-F507-44C2-A23C-238F2A3DF928, uuid=00000000-0000-0000-0000-000000000001
2: start=18432, size=16384, type=E6D6D379-F507-44C2-A23C-238F2A3DF928, uuid=00000000-0000-0000-0000-000000000002
EOF
a=$(losetup -f --show -o 1048576 --sizelimit 8388608 "$dir/disk")
b=$(losetup -f --show -o 9437184 --sizelimit 8388608 "$dir/disk")
lv() {
	cmd=$1
	shift
	lvm "$cmd" --driverloaded n --config "devices{filter=[\"a|^$a\$|\",\"a|^$b\$|\",\"r|.*|\"]} backup{backup=0 archive=0}" "$@"
}
lv pvcreate -q -y --metadatasize 60k --dataalignment 64k "$a" "$b"
lv vgcreate -q -s 64k test-vg "$a" "$b"
lv lvcreate -q -an -Zn -Wn -n root -l 20 test-vg "$a"
lv lvcreate -q -an -Zn -Wn -n gap -l 3 test-vg "$a"
lv lvextend -q -l +10 test-vg/root "$b"
lv lvextend -q -l +7 test-vg/root "$a"
lv lvcreate -q -an -Zn -Wn -n striped -i 2 -I 16k -l 12 test-vg
lv lvremove -q -y test-vg/gap
lv lvcreate -q -an -Zn -Wn --type error -n broken -l 4 test-vg
lv lvcreate -q -an -Zn -Wn -n swap_1 -l 2 test-vg
i=0
while [ $i -lt 60 ]; do # until the metadata has gone round its ring
	lv lvchange -q --addtag "tag$((i % 3))" test-vg/root
	lv lvchange -q --deltag "tag$((i % 3))" test-vg/root
	i=$((i + 1))
done
lv pvs --segments --noheadings --nosuffix --units b --separator , -o pv_name,pe_start,pvseg_start,pvseg_size,lv_name,seg_start_pe >"$dir/pvs"
lv lvs --segments --noheadings --nosuffix --units b --separator , -o lv_name,segtype,seg_start_pe,seg_size_pe,stripesize,seg_pe_ranges | tee "$dir/lvs"
python3 - "$dir" "$a" "$b" <<'EOF'
import sys, re
dir, a, b = sys.argv[1:]
place = {a: 1 << 20, b: 9 << 20}
disk = open(dir + '/disk', 'r+b')
start = {}
for line in open(dir + '/pvs'):
    pv, pe_start = line.strip().split(',')[:2]
    start[pv] = int(pe_start)
extent = 64 << 10
for line in open(dir + '/lvs'):
    name, kind, first, count, chunk, ranges = line.strip().split(',', 5)
    if kind not in ('linear', 'striped'):
        continue
    legs = [re.match(r'(.*):(\d+)-(\d+)$', r).groups() for r in ranges.split()]
    chunk = int(chunk) or int(count) * extent
    for pos in range(0, int(count) * extent, 4096):  # a line in every 4 KiB
        n = pos // chunk
        pv, low, _ = legs[n % len(legs)]
        on = n // len(legs) * chunk + pos % chunk
        disk.seek(place[pv] + start[pv] + int(low) * extent + on)
        disk.write(b'%s at %d\n' % (name.encode(), int(first) * extent + pos))
EOF
sync
losetup -d "$a"
a=
losetup -d "$b"
b=
gzip -9nc "$dir/disk" >disk.raw.gz
