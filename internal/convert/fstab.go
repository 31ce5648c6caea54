package convert

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// mountEntry is a line of fstab(5).
type mountEntry struct {
	spec, file, kind string
	options          []string
}

// parseFstab reads fstab(5): fields separated by blanks, octal escapes in
// them, comments. Lines with fewer than three fields are passed over, as
// libmount does.
func parseFstab(b []byte) []mountEntry {
	var entries []mountEntry
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		f := strings.Fields(line)
		if strings.HasPrefix(line, "#") || len(f) < 3 {
			continue
		}
		e := mountEntry{spec: unescape(f[0]), file: unescape(f[1]), kind: f[2]}
		if strings.HasPrefix(e.file, "/") { // else it is no place: none, swap
			e.file = path.Clean("/" + e.file)
		}
		if len(f) > 3 {
			e.options = strings.Split(f[3], ",")
		}
		entries = append(entries, e)
	}
	return entries
}

// unescape decodes \040 and its like (getmntent(3)).
func unescape(s string) string { return decodeEscapes(s, "", 8) }

// unescapeUdev decodes the \x2f form of names below /dev/disk.
func unescapeUdev(s string) string { return decodeEscapes(s, "x", 16) }

// decodeEscapes replaces each backslash with mark behind it, and digits of base
// to a length of four bytes in all, by the byte that is meant.
func decodeEscapes(s, mark string, base int) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if digits, ok := strings.CutPrefix(s[i:min(i+4, len(s))], `\`+mark); ok && i+4 <= len(s) {
			if n, err := strconv.ParseUint(digits, base, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func (e mountEntry) has(option string) bool {
	return slices.Contains(e.options, option)
}

// onDisk tells whether the entry mounts a block device below the root at boot.
func (e mountEntry) onDisk() bool {
	switch {
	case !strings.HasPrefix(e.file, "/") || e.file == "/":
		return false
	case e.kind == "swap" || e.has("bind") || e.has("rbind") || e.has("noauto"):
		return false
	case strings.HasPrefix(e.spec, "/dev/"):
		return true
	}
	tag, _, ok := strings.Cut(e.spec, "=")
	return ok && (tag == "UUID" || tag == "LABEL" || tag == "PARTUUID" || tag == "PARTLABEL")
}

// byLink are the tags behind udev's links below /dev/disk.
var byLink = map[string]string{
	"/dev/disk/by-uuid/": "UUID", "/dev/disk/by-label/": "LABEL",
	"/dev/disk/by-partuuid/": "PARTUUID", "/dev/disk/by-partlabel/": "PARTLABEL",
}

// named tells whether spec, an fstab source, means this volume.
func (v *Volume) named(spec string) bool {
	for link, tag := range byLink {
		if rest, ok := strings.CutPrefix(spec, link); ok {
			spec = tag + "=" + unescapeUdev(rest)
		}
	}
	if dev, ok := strings.CutPrefix(spec, "/dev/"); ok {
		return v.namedDevice(dev)
	}
	tag, value, _ := strings.Cut(spec, "=")
	value = strings.Trim(value, `"`)
	switch tag {
	case "UUID":
		return v.UUID != "" && strings.EqualFold(v.UUID, value)
	case "LABEL":
		return v.FS != nil && v.FS.Info().Label != "" && v.FS.Info().Label == value
	case "PARTUUID":
		return v.PartUUID != "" && strings.EqualFold(v.PartUUID, value)
	case "PARTLABEL":
		return v.PartLabel != "" && v.PartLabel == value
	}
	return false
}

// firstDisks are the names under which kernels show the disk that an image
// becomes; a partition of another disk is not in the image.
var firstDisks = []string{"sda", "vda", "xvda", "hda", "nvme0n1p", "mmcblk0p"}

func (v *Volume) namedDevice(dev string) bool {
	if v.Name != "" {
		mapped, ok := strings.CutPrefix(dev, "mapper/")
		if !ok {
			return dev == v.Name
		}
		vg, lv, _ := strings.Cut(v.Name, "/")
		double := func(s string) string { return strings.ReplaceAll(s, "-", "--") }
		return mapped == double(vg)+"-"+double(lv)
	}
	for _, disk := range firstDisks {
		if rest, ok := strings.CutPrefix(dev, disk); ok {
			n, err := strconv.Atoi(rest)
			return err == nil && n > 0 && n == v.Number
		}
	}
	return false
}
