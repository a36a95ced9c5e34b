// goformat.go writes goformat.bin: checksums of what Go prints for 20,000 values in each of 13 forms.
//
//	go run goformat.go > goformat.bin
//	go run goformat.go show > texts         (the texts themselves, to find a difference)
//
// Per form, in the order of the table, 20 checksums, little-endian: FNV-1a over the texts of 1,000 values, each
// followed by a newline.  Values come from the generator below, which test_goformat.c repeats.
package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
)

type random struct{ state uint64 }

func (r *random) next() uint64 { // splitmix64
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) value() float64 {
	kind, bits := r.next(), r.next()
	scale := []float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15}[kind>>32%16]
	sign := float64(1)
	if kind>>40&7 == 0 {
		sign = -1
	}
	switch kind % 8 {
	case 0:
		return math.Float64frombits(bits)
	case 1: // a power of two or a neighbour of one
		return math.Float64frombits(bits&0xfff0000000000000 + kind>>33%3 - 1)
	case 2: // integers of all sizes
		return sign * float64(bits>>(kind>>32%64))
	case 3: // few decimals
		return sign * float64(bits%1000000) / scale
	case 4:
		return sign * float64(bits%1000) * scale
	case 5:
		return sign * float64(bits>>11) * 0x1p-53
	case 6: // subnormal
		return math.Float64frombits(bits & 0x800fffffffffffff >> (kind >> 32 % 52))
	default:
		return sign * float64(bits%100000) / scale / 1e8
	}
}

func json(v float64) string {
	form := byte('f')
	if abs := math.Abs(v); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		form = 'e'
	}
	return strconv.FormatFloat(v, form, -1, 64)
}

func openMetrics(v float64) string {
	s := strconv.FormatFloat(v, 'g', -1, 64)
	if math.IsNaN(v) || math.IsInf(v, 0) || strings.ContainsAny(s, "e.") {
		return s
	}
	return s + ".0"
}

func fixed(form byte, precision int) func(float64) string {
	return func(v float64) string { return strconv.FormatFloat(v, form, precision, 64) }
}

var forms = []func(float64) string{json, openMetrics, fixed('f', -1), fixed('e', -1), fixed('g', -1), fixed('f', 0),
	fixed('f', 3), fixed('f', 6), fixed('e', 0), fixed('e', 5), fixed('g', 2), fixed('g', 6), fixed('g', 17)}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for number, form := range forms {
		r := &random{uint64(number)}
		for block := 0; block < 20; block++ {
			sum := uint64(0xcbf29ce484222325)
			for i := 0; i < 1000; i++ {
				text := form(r.value()) + "\n"
				if len(os.Args) > 1 {
					fmt.Fprintf(out, "%d %s", number, text)
				}
				for _, c := range []byte(text) {
					sum = (sum ^ uint64(c)) * 0x100000001b3
				}
			}
			if len(os.Args) == 1 {
				binary.Write(out, binary.LittleEndian, sum)
			}
		}
	}
}
