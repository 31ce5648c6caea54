//go:build dev

package deflate

import (
	"fmt"
	"math/bits"
	"runtime"
	"testing"
)

func TestDevStats(t *testing.T) {
	all, _ := benchClusters()
	var d Decoder
	dst := make([]byte, clusterSize)
	var toks, lits, runs0, lens, d1, d8, d16, l8, l16, l32 int
	var rl [20]int
	for _, c := range all {
		d.InflateTokens(dst, c.stored)
		for _, k := range d.Tokens() {
			toks++
			lits += k.Lits()
			rl[bits.Len(uint(k.Lits()))]++
			if k.Lits() == 0 {
				runs0++
			}
			lens += k.Len()
			switch {
			case k.Dist() == 1:
				d1++
			case k.Dist() < 8:
				d8++
			case k.Dist() < 16:
				d16++
			}
			switch {
			case k.Len() <= 8:
				l8++
			case k.Len() <= 16:
				l16++
			case k.Len() <= 32:
				l32++
			}
		}
	}
	fmt.Println("clusters", len(all), "tok", toks/len(all), "lits", lits/len(all), "runs0", runs0/len(all), "avglen", lens/toks, "d1,d8,d16", d1/len(all), d8/len(all), d16/len(all), "l8,16,32", l8/len(all), l16/len(all), l32/len(all))
	for i := range rl {
		fmt.Print(rl[i]/len(all), " ")
	}
	fmt.Println()
}

func TestDevOwn(t *testing.T) {
	runtime.LockOSThread()
	all, _ := benchClusters()
	var sel []benchCluster
	for i := 0; i < len(all); i += 4 {
		sel = append(sel, all[i])
	}
	all = sel
	var d Decoder
	dst := make([]byte, clusterSize)
	best := 0.0
	for round := 0; round < 15; round++ {
		t0 := cpu()
		for _, c := range all {
			d.Inflate(dst, c.stored)
		}
		s := cpu() - t0
		if best == 0 || s < best {
			best = s
		}
	}
	fmt.Printf("%-10s %.0f MB/s\n", "own", float64(len(all)*clusterSize)/1e6/best)
}
