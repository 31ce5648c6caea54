package ext4

import "math/bits"

// Versions of the hash by which an index finds names, and the flags of the
// superblock that tell whether characters were signed where it was made.
// https://docs.kernel.org/filesystems/ext4/dynamic.html#hash-tree-directories
const (
	hashLegacy  = 0
	hashHalfMD4 = 1
	hashTEA     = 2

	flagsSignedHash   = 0x1 // s_flags
	flagsUnsignedHash = 0x2
)

// nameHasher hashes names for one index.
type nameHasher struct {
	version byte
	seed    [4]uint32
}

// hash is the major hash of a name, whose bytes count as signed or not. It is
// even; an index uses the lowest bit for itself.
func (h nameHasher) hash(name []byte, signed bool) uint32 {
	const end = 1<<32 - 2 // stands for the end of the index
	buf := h.seed
	if buf == [4]uint32{} {
		buf = [4]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}
	}
	var sum uint32
	switch h.version {
	case hashLegacy:
		sum = legacyHash(name, signed)
	case hashHalfMD4:
		for ; len(name) > 0; name = name[min(32, len(name)):] {
			var in [8]uint32
			hashWords(in[:], name, signed)
			halfMD4(&buf, &in)
		}
		sum = buf[1]
	case hashTEA:
		for ; len(name) > 0; name = name[min(16, len(name)):] {
			var in [4]uint32
			hashWords(in[:], name, signed)
			tea(&buf, &in)
		}
		sum = buf[0]
	}
	if sum &^= 1; sum == end {
		sum -= 2
	}
	return sum
}

// char is a byte as C promotes it to a word.
func char(c byte, signed bool) uint32 {
	if signed {
		return uint32(int32(int8(c)))
	}
	return uint32(c)
}

// hashWords fills words from the begin of a name, and with its length.
func hashWords(words []uint32, name []byte, signed bool) {
	pad := uint32(len(name)) * 0x01010101
	for i := range words {
		words[i] = pad
		for k := 4 * i; k < min(4*i+4, len(name)); k++ {
			words[i] = words[i]<<8 + char(name[k], signed)
		}
	}
}

func legacyHash(name []byte, signed bool) uint32 {
	hash0, hash1 := uint32(0x12a3fe2d), uint32(0x37abe8f9)
	for _, c := range name {
		hash := hash1 + (hash0 ^ char(c, signed)*7152373)
		if hash&(1<<31) != 0 {
			hash -= 1<<31 - 1
		}
		hash0, hash1 = hash, hash0
	}
	return hash0 << 1
}

// tea is the Tiny Encryption Algorithm as ext4 uses it.
func tea(buf, in *[4]uint32) {
	b0, b1, sum := buf[0], buf[1], uint32(0)
	for range 16 {
		sum += 0x9e3779b9
		b0 += (b1<<4 + in[0]) ^ (b1 + sum) ^ (b1>>5 + in[1])
		b1 += (b0<<4 + in[2]) ^ (b0 + sum) ^ (b0>>5 + in[3])
	}
	buf[0] += b0
	buf[1] += b1
}

// halfMD4 is MD4 with half its rounds' steps.
func halfMD4(buf *[4]uint32, in *[8]uint32) {
	rounds := [3]struct {
		f     func(x, y, z uint32) uint32
		k     uint32
		words [8]int
		shift [4]int
	}{
		{func(x, y, z uint32) uint32 { return z ^ x&(y^z) }, 0, [8]int{0, 1, 2, 3, 4, 5, 6, 7}, [4]int{3, 7, 11, 19}},
		{func(x, y, z uint32) uint32 { return x&y + (x^y)&z }, 0x5a827999, [8]int{1, 3, 5, 7, 0, 2, 4, 6}, [4]int{3, 5, 9, 13}},
		{func(x, y, z uint32) uint32 { return x ^ y ^ z }, 0x6ed9eba1, [8]int{3, 7, 2, 6, 1, 5, 0, 4}, [4]int{3, 9, 11, 15}},
	}
	a, b, c, d := buf[0], buf[1], buf[2], buf[3]
	for _, r := range rounds {
		for i, w := range r.words {
			a = bits.RotateLeft32(a+r.f(b, c, d)+in[w]+r.k, r.shift[i%4])
			a, b, c, d = d, a, b, c
		}
	}
	buf[0] += a
	buf[1] += b
	buf[2] += c
	buf[3] += d
}
