// Package e2e holds the end-to-end tests: whole disk images go through the
// wslimg command, the archive through extractors, and what they make of it is
// compared with the kernel's mount of the image, entry by entry. Ready ones are
// started: their own systemd and cloud-init run in namespaces that look like WSL
// (scripts/wslboot.sh). They need root, loop mounts and cgroup2 and run with the
// build tag oracle:
//
//	go test -tags oracle ./internal/e2e
//
// The images are made by scripts/mkimages.sh and scripts/mkdebian.sh in
// $WSLIMG_CACHE, by default .cache, and kept there.
package e2e
