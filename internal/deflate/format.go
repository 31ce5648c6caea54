package deflate

// Limits and alphabets of RFC 1951, https://www.rfc-editor.org/rfc/rfc1951.
const (
	maxDist  = 32768
	minMatch = 3
	maxMatch = 258

	endOfBlock = 256

	numLitLen  = 288 // literal/length symbols; 286 and 287 exist only in the fixed code
	maxLitLen  = 286 // most that a dynamic block may declare
	numDistSym = 32  // distance symbols; 30 and 31 exist only in the fixed code
	maxDistSym = 30  // most that a dynamic block may declare
	numPreSym  = 19

	maxCodeLen = 15
	maxPreLen  = 7

	blockStored  = 0
	blockFixed   = 1
	blockDynamic = 2
)

// preOrder is the order in which a dynamic block lists the lengths of the code
// that compresses its code lengths (RFC 1951, 3.2.7).
var preOrder = [numPreSym]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// lengthBase and lengthExtra describe the length symbols 257.. (RFC 1951, 3.2.5).
var (
	lengthBase = [29]uint16{
		3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31,
		35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
	}
	lengthExtra = [29]uint8{
		0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2,
		3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
	}
)

// distBase and distExtra describe the distance symbols (RFC 1951, 3.2.5).
var (
	distBase = [maxDistSym]uint16{
		1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193,
		257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
	}
	distExtra = [maxDistSym]uint8{
		0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6,
		7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13,
	}
)

// fixedLitLens and fixedDistLens are the code lengths of a fixed block
// (RFC 1951, 3.2.6).
var (
	fixedLitLens  = makeFixedLitLens()
	fixedDistLens = makeFixedDistLens()
)

func makeFixedLitLens() (l [numLitLen]uint8) {
	for i := range l {
		switch {
		case i < 144:
			l[i] = 8
		case i < 256:
			l[i] = 9
		case i < 280:
			l[i] = 7
		default:
			l[i] = 8
		}
	}
	return l
}

func makeFixedDistLens() (l [numDistSym]uint8) {
	for i := range l {
		l[i] = 5
	}
	return l
}
