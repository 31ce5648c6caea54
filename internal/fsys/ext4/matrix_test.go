//go:build oracle && linux

package ext4

import (
	"strings"
	"testing"
)

// Each row is a way to make a filesystem that the kernel mounts.
var matrix = []struct{ name, options string }{
	{"ext2-1k", "-t ext2 -b 1024"},
	{"ext2-rev0", "-t ext2 -b 1024 -r 0"},
	{"ext2-no-filetype", "-t ext2 -b 1024 -O ^filetype,^ext_attr"},
	{"ext3", "-t ext3 -b 4096"},
	{"ext3-128", "-t ext3 -b 1024 -I 128"},
	{"ext4-1k", "-t ext4 -b 1024"},
	{"ext4-2k", "-t ext4 -b 2048"},
	{"ext4-4k", "-t ext4 -b 4096"},
	{"ext4-inode128", "-t ext4 -I 128"},
	{"ext4-inode512", "-t ext4 -I 512"},
	{"ext4-inode4096", "-t ext4 -b 4096 -I 4096 -N 6000"},
	{"no-64bit", "-t ext4 -O ^64bit"},
	{"no-csum", "-t ext4 -O ^metadata_csum"},
	{"uninit-bg", "-t ext4 -O ^metadata_csum,uninit_bg"},
	{"uninit-bg-no-64bit", "-t ext4 -O ^metadata_csum,uninit_bg,^64bit"},
	{"no-extents", "-t ext4 -O ^extent,^64bit"},
	{"no-flex-bg", "-t ext4 -b 1024 -O ^flex_bg"},
	{"meta-bg", "-t ext4 -b 1024 -O meta_bg,^resize_inode"},
	{"meta-bg-64bit-1k", "-t ext4 -b 1024 -O meta_bg,64bit,^resize_inode,^sparse_super -g 256"},
	{"meta-bg-later", "-t ext4 -b 1024 -g 256 -O meta_bg,^resize_inode,^flex_bg"},
	{"sparse-super2", "-t ext4 -b 1024 -O sparse_super2,^resize_inode -E num_backup_sb=2"},
	{"csum-seed", "-t ext4 -O metadata_csum_seed"},
	{"bigalloc", "-t ext4 -O bigalloc -C 65536"},
	{"bigalloc-1k", "-t ext4 -b 1024 -O bigalloc -C 16384"},
	{"inline-data", "-t ext4 -O inline_data"},
	{"inline-data-1024", "-t ext4 -O inline_data -I 1024"},
	{"ea-inode", "-t ext4 -O ea_inode"},
	{"ea-inode-inline-1k", "-t ext4 -b 1024 -O ea_inode,inline_data -I 512"},
	{"ea-inode-no-csum", "-t ext4 -O ea_inode,^metadata_csum"},
	{"large-dir", "-t ext4 -b 1024 -O large_dir"},
	{"no-dir-index", "-t ext4 -b 1024 -O ^dir_index"},
	{"orphan-file", "-t ext4 -O orphan_file"},
	{"mmp", "-t ext4 -O mmp"},
	{"no-journal", "-t ext4 -O ^has_journal"},
	{"no-huge-file", "-t ext4 -O ^huge_file,^large_file,^dir_nlink,^extra_isize"},
	{"fast-commit", "-t ext4 -O fast_commit"},
	{"groups", "-t ext4 -b 1024 -g 256 -N 8192"},
}

// Features that this kernel mounts read-only alone are added after the filling.
func TestKernelTuned(t *testing.T) {
	for _, features := range []string{"quota,project", "project", "read-only", "stable_inodes,verity", "encrypt", "^has_journal,^resize_inode"} {
		t.Run(features, func(t *testing.T) {
			image := makeImage(t, 64<<20, "-t", "ext4", "-b", "1024")
			dir, unmount := mount(t, image, "rw")
			fill(t, dir)
			unmount()
			run(t, "tune2fs", "-O", features, image)
			sameAsKernel(t, image, "ro")
		})
	}
}

func TestKernelMatrix(t *testing.T) {
	for _, c := range matrix {
		t.Run(c.name, func(t *testing.T) {
			image := makeImage(t, 256<<20, append([]string{"-E", "lazy_itable_init=0"}, strings.Fields(c.options)...)...)
			dir, unmount := mount(t, image, "rw")
			fill(t, dir)
			unmount()
			sameAsKernel(t, image, "ro")
		})
	}
}
