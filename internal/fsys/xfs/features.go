package xfs

import (
	"fmt"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Bits of sb_versionnum that matter to a reader.
const (
	versionQuota    = 0x0040
	versionShared   = 0x0200
	versionLogV2    = 0x0400
	versionSector   = 0x0800
	versionDirV2    = 0x2000
	versionASCIICI  = 0x4000
	versionMoreBits = 0x8000
)

// Bits of sb_features2, version 4.
const (
	features2LazyCount = 0x0002
	features2Attr2     = 0x0008
	features2ProjID32  = 0x0080
	features2CRC       = 0x0100
	features2FileType  = 0x0200
	features2Known     = features2LazyCount | features2Attr2 | features2ProjID32 | features2CRC | features2FileType
)

// roCompatNames are the bits of sb_features_ro_compat, version 5, from the
// lowest. None changes what a reader does.
var roCompatNames = []string{"finobt", "rmapbt", "reflink", "inobtcount"}

// roCompatReflink lets files share blocks.
const roCompatReflink = 1 << 2

// Bits of sb_features_incompat, version 5.
const (
	incompatFileType = 1 << iota
	incompatSparseInodes
	incompatMetaUUID
	incompatBigtime
	incompatNeedsRepair
	incompatNrext64
	incompatExchange
	incompatParent
	incompatMetadir
	incompatZoned
	incompatZoneGaps
	incompatKnown = 1<<iota - 1
)

// logIncompatXattrs is the only bit of sb_features_log_incompat.
const logIncompatXattrs = 1

// features is what a filesystem was made with.
type features struct {
	version            uint16 // sb_versionnum
	features2          uint32
	roCompat, incompat uint32
	logIncompat        uint32
}

// decodeFeatures reads the feature words and refuses what is unknown.
func decodeFeatures(b []byte, version uint16) (features, error) {
	f := features{version: version}
	switch version & 0xf {
	case 4:
		// A kernel of old wrote the word 4 bytes late on some machines;
		// today's takes the union of both places.
		f.features2 = be.Uint32(b[200:]) | be.Uint32(b[204:])
		if version&versionMoreBits == 0 {
			f.features2 = 0
		}
		if version&versionShared != 0 || f.features2&^features2Known != 0 || f.features2&features2CRC != 0 {
			return f, ondisk.Unsupportedf("xfs version 4 features %#x/%#x", version, f.features2)
		}
	case 5:
		f.features2 = be.Uint32(b[200:])
		f.roCompat = be.Uint32(b[212:])
		f.incompat = be.Uint32(b[216:])
		f.logIncompat = be.Uint32(b[220:])
		if unknown := f.incompat &^ incompatKnown; unknown != 0 {
			return f, ondisk.Unsupportedf("xfs incompatible features %#x", unknown)
		}
		if f.incompat&incompatNeedsRepair != 0 {
			return f, ondisk.Unsupportedf("xfs filesystem is marked needsrepair: run xfs_repair first")
		}
	default:
		return f, ondisk.Unsupportedf("xfs version %d", version&0xf)
	}
	if version&versionDirV2 == 0 {
		return f, ondisk.Unsupportedf("xfs version 1 directories")
	}
	return f, nil
}

func (f features) v5() bool { return f.version&0xf == 5 }

// fileType tells whether directory entries carry the type of their inode.
func (f features) fileType() bool {
	if f.v5() {
		return f.incompat&incompatFileType != 0
	}
	return f.features2&features2FileType != 0
}

func (f features) logV2() bool { return f.v5() || f.version&versionLogV2 != 0 }

// names lists the features by the words of xfs_info(8).
func (f features) names() []string {
	var names []string
	add := func(name string, on bool) {
		if on {
			names = append(names, name)
		}
	}
	add("crc", f.v5())
	add("attr2", f.v5() || f.features2&features2Attr2 != 0)
	add("projid32bit", f.v5() || f.features2&features2ProjID32 != 0)
	add("lazy-count", f.v5() || f.features2&features2LazyCount != 0)
	add("ascii-ci", f.version&versionASCIICI != 0)
	add("ftype", f.fileType())
	add("quota", f.version&versionQuota != 0)
	for i, name := range roCompatNames {
		add(name, f.roCompat&(1<<i) != 0)
	}
	for i, name := range []string{"", "sparse", "metauuid", "bigtime", "", "nrext64", "exchange", "parent", "metadir", "zoned", "zone-gaps"} {
		add(name, name != "" && f.incompat&(1<<i) != 0)
	}
	if unknown := f.roCompat >> len(roCompatNames) << len(roCompatNames); unknown != 0 {
		add(fmt.Sprintf("ro-compat-%#x", unknown), true)
	}
	return names
}
