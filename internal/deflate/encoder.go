package deflate

import (
	"cmp"
	"slices"
)

// A Level says how hard an Encoder looks for matches.
type Level int

const (
	// LevelFast is for data of which little is searched: greedy, one candidate.
	LevelFast Level = iota
	// LevelDefault makes streams a little smaller than zlib's level 6 does.
	LevelDefault
	// LevelSmall looks at more candidates for a third of a percent less.
	LevelSmall
)

// An Encoder makes the pieces of a deflate stream, each independent of the
// others. A piece starts and ends on a byte boundary and holds no final block:
// pieces one after the other, in any number, and then Final are one stream.
//
//	e := deflate.NewEncoder(deflate.LevelFast)
//	for each piece {
//		e.Splice(...)  // bytes of it that are stored as a deflate stream of their own
//		e.Reuse(...)   // bytes of it that a larger stored stream makes among others
//		out = e.Encode(out, plain)
//	}
//	out = append(out, deflate.Final...)
//
// What a piece's bytes are is said by plain alone. Splice and Reuse say where
// ready made parts can be had; bytes that neither covers are searched for
// matches with what precedes them in the piece. The output depends on the
// arguments alone, not on pieces encoded before.
//
// A piece is best about a megabyte long, and at most 64 MiB. An Encoder is scratch
// space of about a megabyte, to be reused, one a goroutine.
type Encoder struct {
	level   Level
	w       blockWriter
	split   splitter
	parts   []part
	arena   []Token // of the reused parts
	tokens  []Token // not yet written
	written int     // bytes of the piece that are in w, beyond those of tokens
	dense   denseFinder
	fast    fastMatcher
	lazy    lazyMatcher
}

// Final is the end of a stream that consists of an Encoder's pieces.
const Final = "\x03\x00"

// A part is a range of the piece that needs no search.
type part struct {
	at, n  int
	stored []byte // a spliced stream
	stream Stream
	from   int // of reused tokens in the arena
	to     int
}

// NewEncoder returns an Encoder that searches at the given level.
func NewEncoder(level Level) *Encoder {
	e := &Encoder{level: level}
	e.lazy.lazyParams = lazyLevels[level]
	return e
}

var lazyLevels = map[Level]lazyParams{
	LevelDefault: {depth: 8, next: 8, nice: 64, lazyMax: 48},
	LevelSmall:   {depth: 16, next: 16, nice: 128, lazyMax: 64},
}

// Splice says that the n bytes at plain[at:] of the next Encode are what
// Decoder.Inflate made of stored, and s what its Stream then was. The blocks of
// stored are copied bit for bit, so the caller vouches for the equality. stored
// must stay unchanged until Encode returns.
func (e *Encoder) Splice(at, n int, stored []byte, s Stream) {
	if n > 0 {
		e.parts = append(e.parts, part{at: at, n: n, stored: stored, stream: s})
	}
}

// A Range is where a piece holds some of a decoded stream's bytes.
type Range struct {
	Off int // in the stream's output
	Len int
	At  int // in plain
}

// Reuse says that tokens, from Decoder.InflateTokens, make among others the
// bytes of the ranges, which must be in order of Off and not overlap. Their
// matches are kept where their source is in the piece too. A match that does
// not make what plain holds is not used, so a wrong argument costs size, never
// correctness. Nothing of the arguments is kept.
func (e *Encoder) Reuse(tokens []Token, ranges ...Range) {
	off := 0 // stream offset of the token's first literal
	k := 0
	for _, r := range ranges {
		if r.Len <= 0 {
			continue
		}
		p := part{at: r.At, n: r.Len, from: len(e.arena)}
		end := r.Off + r.Len
		for k > 0 && off > r.Off {
			// The last token reached into this range.
			k--
			off -= tokens[k].Lits() + tokens[k].Len()
		}
		at, lits := r.Off, 0 // what has been turned into tokens, but for lits
		for ; k < len(tokens) && at < end; k++ {
			t := tokens[k]
			match := off + t.Lits()
			off = match + t.Len()
			if off <= at {
				continue
			}
			lits += max(min(match, end)-at, 0)
			at = max(min(match, end), at)
			n := min(off, end) - at
			if n < minMatch {
				lits += n
				at += n
				continue
			}
			src, ok := place(ranges, at-t.Dist(), n)
			dist := r.At + at - r.Off - src
			if !ok || dist <= 0 || dist > maxDist {
				lits += n
			} else {
				e.arena = append(e.arena, makeToken(lits, n, dist))
				lits = 0
			}
			at += n
		}
		if lits += end - at; lits > 0 {
			e.arena = append(e.arena, makeToken(lits, 0, 0))
		}
		p.to = len(e.arena)
		e.parts = append(e.parts, p)
	}
}

// place is where the piece holds the n bytes at off of the stream.
func place(ranges []Range, off, n int) (at int, ok bool) {
	for i := len(ranges) - 1; i >= 0; i-- {
		r := &ranges[i]
		if off >= r.Off {
			return r.At + off - r.Off, off+n <= r.Off+r.Len
		}
	}
	return 0, false
}

// Encode appends the piece that holds plain to dst and returns it. It forgets
// the parts that were announced for it; where they overlap or leave plain, the
// later one is dropped.
func (e *Encoder) Encode(dst, plain []byte) []byte {
	slices.SortStableFunc(e.parts, func(a, b part) int { return cmp.Compare(a.at, b.at) })
	e.w.out, e.w.bits, e.w.n = dst, 0, 0
	e.begin()
	at := 0
	for i := range e.parts {
		p := &e.parts[i]
		if p.at < at || p.n > len(plain)-p.at {
			continue
		}
		e.gap(plain, at, p.at)
		at = p.at + p.n
		if p.stored == nil {
			e.reuse(e.arena[p.from:p.to], plain, p.at)
			continue
		}
		e.flush(plain, p.at)
		e.w.splice(p.stored, p.stream)
		e.written = at
	}
	e.gap(plain, at, len(plain))
	e.flush(plain, len(plain))
	e.w.align()
	e.parts, e.arena = e.parts[:0], e.arena[:0]
	out := e.w.out
	e.w.out = nil
	return out
}

// reuse appends tokens for plain[at:], with those matches that are right.
func (e *Encoder) reuse(tokens []Token, plain []byte, at int) {
	lits := 0
	for _, t := range tokens {
		at += t.Lits()
		lits += t.Lits()
		n, from := t.Len(), at-t.Dist()
		if n != 0 && from >= 0 && equal(plain, from, at, n) {
			e.tokens = append(e.tokens, makeToken(lits, n, t.Dist()))
			lits = 0
		} else {
			lits += n
		}
		at += n
	}
	if lits > 0 {
		e.tokens = append(e.tokens, makeToken(lits, 0, 0))
	}
}

// equal reports whether p[a:a+n] and p[b:b+n] are the same; a < b.
func equal(p []byte, a, b, n int) bool {
	if n <= 8 && len(p)-b >= 8 {
		return (load64(p, a)^load64(p, b))<<(64-8*n) == 0
	}
	return string(p[a:a+n]) == string(p[b:b+n])
}

func (e *Encoder) begin() {
	e.tokens, e.written = e.tokens[:0], 0
	e.dense.reset()
	if e.level == LevelFast {
		e.fast.reset()
	} else {
		e.lazy.reset()
	}
}

// flush writes the tokens, which make the bytes up to plain[:to].
func (e *Encoder) flush(plain []byte, to int) {
	e.split.blocks(&e.w, e.tokens, plain[e.written:to])
	e.tokens, e.written = e.tokens[:0], to
}

// gap encodes plain[from:to], for which nothing is ready.
func (e *Encoder) gap(plain []byte, from, to int) {
	at := from // below it, all but plain[from:at] is done
	back := searchBack
	for ; to-at >= denseChunk; at += denseChunk {
		dense, repeats := e.dense.judge(plain, at)
		if repeats {
			// What it repeats has been passed over.
			back = maxDist
		}
		if !dense || repeats {
			continue
		}
		e.search(plain, from, at, back)
		e.flush(plain, at)
		from, back = at+denseChunk, searchBack
		e.w.stored(plain[at:from])
		e.written = from
	}
	e.search(plain, from, to, back)
}

// searchBack is how many of the bytes before a gap are made known to the
// matcher that have not been searched themselves. More gain less than they cost.
const searchBack = 8192

// search appends tokens for plain[from:to]. Matches with back bytes before them
// may be found even if those have not been searched.
func (e *Encoder) search(plain []byte, from, to, back int) {
	if from == to {
		return
	}
	if e.level == LevelFast {
		e.tokens = e.fast.search(e.tokens, plain[:to], from, back)
	} else {
		e.tokens = e.lazy.search(e.tokens, plain[:to], from, back)
	}
}
