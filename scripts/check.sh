#!/bin/bash
# The one test command: everything that has to hold before a change is taken.
#
#	scripts/check.sh [STAGE...]
#
# Stages, by default all in this order:
#	tools     install what the others need (Debian 12 or newer, as root)
#	lint      gofmt, go vet, golangci-lint, shell syntax
#	build     every platform that is released, and 32 bits
#	test      go test with the race detector, and once more for 32 bits
#	fuzz      every fuzz target for $FUZZTIME (default 3000 inputs)
#	oracle    disk images against the kernel, qemu-img, bsdtar, GNU tar, Python;
#	          what comes out under its own systemd and cloud-init
#	vuln      known vulnerabilities, where the database can be reached
#
# Images are made in $WSLIMG_CACHE (default .cache) and kept there.
set -euo pipefail
cd "$(dirname "$0")/.."
export GOFLAGS=-mod=readonly CI=${CI:-true}
export WSLIMG_CACHE=${WSLIMG_CACHE:-$PWD/.cache}
PATH=$(go env GOPATH)/bin:$PATH

golangci_lint=v2.15.0
govulncheck=v1.8.0
packages=(
	acl attr bsdextrautils bzip2 debootstrap dosfstools e2fsprogs fdisk gcc
	gcc-mingw-w64-x86-64 gdisk gzip hostname isal libarchive-tools libc6-dev libcap2-bin
	libdeflate-tools mtools pigz python3 qemu-utils tar user-mode-linux util-linux
	wine64 xfsprogs xz-utils zstd
)

tools() {
	local missing=()
	for p in "${packages[@]}"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p")
	done
	if ((${#missing[@]})); then
		apt-get -q update
		DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "${missing[@]}"
	fi
	# Built with the Go at hand, whatever this module's flags are.
	if [[ $(golangci-lint version --short 2>/dev/null) != "${golangci_lint#v}" ]]; then
		GOFLAGS='' go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$golangci_lint"
	fi
	if ! govulncheck -version 2>/dev/null | grep -q "govulncheck@$govulncheck\$"; then
		GOFLAGS='' go install "golang.org/x/vuln/cmd/govulncheck@$govulncheck"
	fi
}

lint() {
	local unformatted
	unformatted=$(git ls-files -z '*.go' | xargs -0 gofmt -l)
	if [[ -n $unformatted ]]; then
		printf 'not formatted by gofmt:\n%s\n' "$unformatted"
		return 1
	fi
	for script in scripts/*.sh .ci/run; do bash -n "$script"; done
	go vet ./...
	go vet -tags oracle ./...
	golangci-lint run
}

build() {
	local target
	for target in linux/amd64 linux/arm64 windows/amd64 windows/arm64 darwin/amd64 darwin/arm64; do
		CGO_ENABLED=0 GOOS=${target%/*} GOARCH=${target#*/} go build -trimpath -o /dev/null .
	done
	GOOS=windows go vet ./...
	GOOS=darwin go vet ./...
	GOARCH=386 go vet ./...
}

test() {
	go test -race -short -timeout 15m ./... # damaged copies by the dozen; the next line has them all
	CGO_ENABLED=0 GOARCH=386 go test -timeout 15m ./...
}

fuzz() {
	local pkg target
	# The lines of -list are the targets of the package whose "ok" line follows.
	go test -list '^Fuzz' ./... | awk '/^Fuzz/ { t[n++] = $1 } /^ok/ { for (i = 0; i < n; i++) print $2, t[i]; n = 0 }' |
		while read -r pkg target; do
			# A count and not a duration: when time is up, Go's fuzzer may report its own
			# deadline as a failure (go.dev/issue/75804). The limit is for an input that hangs.
			timeout 300 go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-3000x}" "$pkg"
		done
}

oracle() { go test -tags oracle -timeout 40m ./...; }

vuln() {
	local out status=0
	out=$(timeout 120 govulncheck ./... 2>&1) || status=$?
	if ((status)) && grep -q 'fetching vulnerabilities' <<<"$out"; then
		echo 'the vulnerability database cannot be reached from here: not checked'
		return 0
	fi
	echo "$out"
	return $status
}

stages=("$@")
((${#stages[@]})) || stages=(tools lint build test fuzz oracle vuln)
for stage in "${stages[@]}"; do
	printf '== %s\n' "$stage"
	start=$SECONDS
	"$stage"
	printf '== %s: %d s\n' "$stage" $((SECONDS - start))
done
echo "== all passed in $SECONDS s"
