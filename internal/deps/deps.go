// Package deps keeps the agreed dependencies in go.mod until each has its first user.
package deps

import (
	_ "github.com/diskfs/go-diskfs"
	_ "github.com/diskfs/go-diskfs/partition/gpt"
	_ "github.com/diskfs/go-diskfs/partition/mbr"
	_ "github.com/klauspost/compress/flate"
	_ "github.com/klauspost/compress/gzip"
	_ "github.com/klauspost/compress/zstd"
	_ "github.com/lima-vm/go-qcow2reader"
	_ "github.com/lima-vm/go-qcow2reader/image/qcow2"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/schollz/progressbar/v3"
	_ "github.com/spf13/cobra"
	_ "github.com/spf13/cobra/doc"
	_ "github.com/ulikunitz/xz"
	_ "go.yaml.in/yaml/v3"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/term"
)
