package archtest

// layers is a statement of policy: which packages of this module, and which
// other modules, each package may import. "x/..." is x and all below it. The
// rows stand in the order in which the data flows; none names a later one.
var layers = map[string]rule{
	"internal/ondisk":   {},
	"internal/blockdev": {imports: "internal/ondisk"},
	"internal/deflate":  {imports: "internal/ondisk"},
	"internal/xz":       {imports: "internal/ondisk"},
	"internal/hostfile": {imports: "internal/ondisk internal/blockdev", modules: "golang.org/x/sys"},

	// Container file → Device.
	"internal/image":       {imports: "internal/ondisk internal/blockdev"},
	"internal/image/qcow2": {imports: "internal/ondisk internal/blockdev internal/deflate internal/image", modules: "github.com/klauspost/compress"},
	"internal/image/sniff": {imports: "internal/ondisk internal/blockdev internal/image"},
	"internal/image/wrap":  {imports: "internal/ondisk internal/blockdev internal/xz internal/image internal/image/sniff", modules: "github.com/klauspost/compress"},
	"internal/image/all":   {imports: "internal/ondisk internal/blockdev internal/hostfile internal/image/..."},

	// Device → Volumes.
	"internal/volume":     {imports: "internal/ondisk internal/blockdev"},
	"internal/volume/gpt": {imports: "internal/ondisk internal/blockdev internal/volume", modules: "github.com/diskfs/go-diskfs"},
	"internal/volume/mbr": {imports: "internal/ondisk internal/blockdev internal/volume", modules: "github.com/diskfs/go-diskfs"},
	"internal/volume/lvm": {imports: "internal/ondisk internal/blockdev internal/volume"},
	"internal/volume/all": {imports: "internal/ondisk internal/blockdev internal/volume/..."},

	// Volume → FS.
	"internal/fsys":      {imports: "internal/ondisk internal/blockdev"},
	"internal/fsys/ext4": {imports: "internal/ondisk internal/blockdev internal/fsys"},
	"internal/fsys/xfs":  {imports: "internal/ondisk internal/blockdev internal/fsys"},
	"internal/fsys/all":  {imports: "internal/ondisk internal/blockdev internal/fsys/..."},

	// FS → Tree.
	"internal/tree":   {imports: "internal/ondisk internal/blockdev internal/fsys"},
	"internal/osinfo": {imports: "internal/ondisk internal/fsys internal/tree"},

	// Archive → Tree, for looking at.
	"internal/archive": {imports: "internal/ondisk internal/fsys internal/tree"},

	// Tree → Tree and changes. Unlike image formats and filesystems, of which
	// one takes the place of another and none knows of another, edits change
	// the same files: wslconf and users also hold what reads and writes
	// /etc/wsl.conf and the tables of accounts, cloudinit and publish what their
	// files have to be, and ready, which repairs all of it, asks them. They build
	// on each other in this order only.
	"internal/edit":           {imports: "internal/ondisk internal/fsys internal/tree"},
	"internal/edit/files":     {imports: edits},
	"internal/edit/wslconf":   {imports: edits},
	"internal/edit/users":     {imports: edits + " internal/edit/wslconf"},
	"internal/edit/cloudinit": {imports: edits + " internal/edit/wslconf internal/edit/users", modules: "go.yaml.in/yaml/v3"},
	"internal/edit/publish":   {imports: edits},
	"internal/edit/ready":     {imports: edits + " internal/edit/wslconf internal/edit/users internal/edit/cloudinit internal/edit/publish"},

	// Tree → bytes.
	"internal/sink":         {imports: "internal/ondisk internal/blockdev internal/fsys internal/tree"},
	"internal/sink/tarball": {imports: "internal/ondisk internal/blockdev internal/deflate internal/fsys internal/tree internal/sink", modules: "github.com/klauspost/compress github.com/ulikunitz/xz"},

	// The only package that sees every stage.
	"internal/convert": {imports: "internal/ondisk internal/blockdev internal/hostfile internal/image/... internal/volume/... internal/fsys/... internal/tree internal/osinfo internal/archive internal/edit/... internal/sink/..."},

	// What surrounds it; these two meet in cmd only.
	"internal/ui":  {imports: "internal/ondisk internal/fsys internal/tree internal/osinfo internal/edit internal/sink internal/convert", modules: "github.com/schollz/progressbar/v3"},
	"internal/wsl": {imports: "internal/ondisk internal/hostfile internal/fsys", modules: "golang.org/x/sys"},

	"cmd": {imports: "internal/...", modules: "github.com/spf13/cobra github.com/spf13/pflag golang.org/x/term"},
	"":    {imports: "cmd"},
}

const edits = "internal/ondisk internal/fsys internal/tree internal/osinfo internal/edit"

// hostAccess lists the packages that may import os, os/exec, path/filepath or
// unsafe, with the reason. All others see the host only through what they are
// handed, so that nothing in an image can lead them to a file of the host.
var hostAccess = map[string]string{
	"internal/hostfile": "the image file and those beside it",
	"internal/convert":  "the output file",
	"internal/wsl":      "wsl.exe and the user's profile",
	"cmd":               "arguments, standard streams, signals",
	"":                  "the exit code",
}

// testOnly may import everything, and only tests and each other may import them.
var testOnly = []string{
	"internal/archtest", "internal/e2e", "internal/manifest", "internal/fsys/fsystest",
	"internal/edit/edittest", "internal/wsl/fakewsl", "scripts",
}
