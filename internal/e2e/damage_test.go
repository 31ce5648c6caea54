//go:build oracle && linux

package e2e

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestDamaged converts images with one thing wrong: each has to end in one
// error line that names the file and the place, with the right exit code, and
// leave nothing at or beside OUT.
func TestDamaged(t *testing.T) {
	matrix := build(t, "mkimages.sh", "matrix")
	tests := []struct {
		name  string
		image string // in the matrix, copied to a file that damage may change
		qcow2 bool   // first put into a qcow2 container
		// damage changes the file and returns what the error has to name.
		damage  func(t *testing.T, file string) string
		code    int
		nowhere bool // one place would not tell what is wrong
	}{
		{"truncated raw", "ext4/1k", false, truncate, 11, false},
		{"truncated qcow2", "ext4/1k", true, truncate, 11, false},
		{"L2 entry past the end", "ext4/1k", true, l2PastEnd, 11, false},
		{"inode checksum", "ext4/1k", false, inodeChecksum, 11, false},
		{"extent loop", "ext4/nocsum", false, extentLoop, 11, false},
		{"directory loop", "ext4/1k", false, directoryLoop, 11, false},
		{"truncated XFS", "xfs/b1k", false, truncate, 11, false},
		{"XFS inode checksum", "xfs/b1k", false, xfsInode, 11, false},
		{"no filesystem", "ext4/1k", false, wiped, 10, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "disk")
			source := filepath.Join(matrix, test.image+".img")
			if test.qcow2 {
				command(t, "qemu-img", "convert", "-f", "raw", "-O", "qcow2", source, file)
			} else {
				command(t, "cp", "--sparse=always", source, file)
			}
			names := test.damage(t, file)
			for _, out := range []string{"out.tar", "out.tar.gz"} {
				place := t.TempDir()
				r := run(t, "convert", "--profile", "none", "--progress", "none", "--volume", "0", file, filepath.Join(place, out))
				if r.code != test.code {
					t.Errorf("exit code %d, want %d\n%s", r.code, test.code, r.stderr)
				}
				oneError(t, r, place)
				if !strings.Contains(r.stderr, file) || !strings.Contains(r.stderr, names) {
					t.Errorf("the error names not both %q and %q:\n%s", file, names, r.stderr)
				}
				if n := strings.Count(r.stderr, "inode "); strings.HasPrefix(names, "inode ") && n != 1 {
					t.Errorf("the error names the inode %d times:\n%s", n, r.stderr)
				}
				if !test.nowhere && !regexp.MustCompile(`0x[0-9a-f]+|byte \d+|bytes`).MatchString(r.stderr) {
					t.Errorf("the error names no place:\n%s", r.stderr)
				}
				t.Log(strings.TrimSpace(r.stderr))
			}
		})
	}
}

// TestNoRoot converts a disk on which nothing looks like a Linux system.
func TestNoRoot(t *testing.T) {
	matrix := build(t, "mkimages.sh", "matrix")
	place := t.TempDir()
	r := run(t, "convert", "--progress", "none", filepath.Join(matrix, "ext4/mmp.img"), filepath.Join(place, "out.tar"))
	if r.code != 12 {
		t.Errorf("exit code %d, want 12\n%s", r.code, r.stderr)
	}
	oneError(t, r, place)
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}

// change reads n bytes of file at off, and writes them back after edit.
func change(t *testing.T, file string, off int64, n int, edit func(b []byte)) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, n)
	if _, err := f.ReadAt(b, off); err != nil {
		t.Fatal(err)
	}
	edit(b)
	if _, err := f.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, file string) string {
	t.Helper()
	st, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, st.Size()/3); err != nil {
		t.Fatal(err)
	}
	return ""
}

// l2PastEnd makes the first used entry of the first L2 table point far out.
func l2PastEnd(t *testing.T, file string) string {
	t.Helper()
	const offsetMask = 0x00fffffffffffe00
	var l1, l2 uint64
	change(t, file, 40, 8, func(b []byte) { l1 = binary.BigEndian.Uint64(b) })
	change(t, file, int64(l1), 8, func(b []byte) { l2 = binary.BigEndian.Uint64(b) & offsetMask })
	change(t, file, int64(l2), 8, func(b []byte) {
		binary.BigEndian.PutUint64(b, 1<<63|1<<40)
	})
	return ""
}

// inodePlace asks debugfs where an inode lies.
func inodePlace(t *testing.T, file, path string) (inode string, off int64) {
	t.Helper()
	out := command(t, "debugfs", "-R", "imap "+path, file)
	m := regexp.MustCompile(`Inode (\d+) is part of block group \d+\s+located at block (\d+), offset (0x[0-9a-f]+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("imap: %q", out)
	}
	block, err := strconv.ParseInt(m[2], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	within, err := strconv.ParseInt(m[3], 0, 64)
	if err != nil {
		t.Fatal(err)
	}
	return m[1], block*blockSize(t, file) + within
}

// blockSize is what the superblock at 1024 says in s_log_block_size.
func blockSize(t *testing.T, file string) int64 {
	t.Helper()
	var size int64
	change(t, file, 1024+24, 4, func(b []byte) { size = 1024 << binary.LittleEndian.Uint32(b) })
	return size
}

func inodeChecksum(t *testing.T, file string) string {
	t.Helper()
	inode, off := inodePlace(t, file, "/hardlinks/a/file")
	change(t, file, off+4, 1, func(b []byte) { b[0] ^= 1 }) // i_size_lo
	return "inode " + inode
}

// extentLoop makes the first child of an extent tree its own parent.
func extentLoop(t *testing.T, file string) string {
	t.Helper()
	inode, off := inodePlace(t, file, "/fragmented/comb")
	const iBlock, header = 40, 12
	var depth uint16
	var leaf uint32
	change(t, file, off+iBlock, 2*header, func(b []byte) {
		depth = binary.LittleEndian.Uint16(b[6:])
		leaf = binary.LittleEndian.Uint32(b[header+4:]) // ei_leaf_lo
	})
	if depth == 0 {
		t.Fatal("the file has no extent tree")
	}
	change(t, file, int64(leaf)*blockSize(t, file), 2*header, func(b []byte) {
		binary.LittleEndian.PutUint16(b[6:], depth)
		binary.LittleEndian.PutUint32(b[header+4:], leaf)
		binary.LittleEndian.PutUint16(b[header+8:], 0)
	})
	return "inode " + inode
}

func directoryLoop(t *testing.T, file string) string {
	t.Helper()
	command(t, "debugfs", "-w", "-R", "link /dirs /dirs/0003/loop", file)
	if out := command(t, "debugfs", "-R", "ls /dirs/0003", file); !strings.Contains(out, "loop") {
		t.Fatalf("no loop was made: %s", out)
	}
	return "/dirs"
}

func xfsInode(t *testing.T, file string) string {
	t.Helper()
	out := command(t, "xfs_db", "-r", "-c", "path /hardlinks/a/file", "-c", "daddr", "-c", "stack", file)
	m := regexp.MustCompile(`byte offset (\d+), length`).FindAllStringSubmatch(out, -1)
	inode := regexp.MustCompile(`inode (\d+)`).FindAllStringSubmatch(out, -1)
	if m == nil || inode == nil {
		t.Fatalf("xfs_db: %q", out)
	}
	off, err := strconv.ParseInt(m[len(m)-1][1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	change(t, file, off+60, 1, func(b []byte) { b[0] ^= 1 }) // di_size
	return "inode " + inode[len(inode)-1][1]
}

func wiped(t *testing.T, file string) string {
	t.Helper()
	change(t, file, 0, 8192, func(b []byte) { clear(b) })
	return ""
}
