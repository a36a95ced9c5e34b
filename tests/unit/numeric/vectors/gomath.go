// gomath.go writes gomath.bin: what Go's math package answers, for test_gomath.c to compare with.
//
//	go run gomath.go > gomath.bin          (Go 1.26 on amd64 with FMA)
//
// Per function, in the order of the table below, little-endian: 256 results, then 200 checksums, each FNV-1a
// over the 8 bytes of 1,000 further results.  Any NaN counts as 0x7ff8000000000001.  Arguments are not
// stored: both sides make them from the same generator (argument()).
package main

import (
	"bufio"
	"encoding/binary"
	"math"
	"os"
)

const shown, blocks, perBlock = 256, 200, 1000

var specials = []float64{0, math.Copysign(0, -1), 1, -1, 0.5, -0.5, 2, -2, 3, -3, math.Inf(1), math.Inf(-1), math.NaN(),
	5e-324, -5e-324, 2.2250738585072014e-308, -2.2250738585072014e-308, 1.1125369292536007e-308, math.MaxFloat64, -math.MaxFloat64,
	0.7, 0.66, 2.414213562373095, 0.785398163397448, 1.5707963267948966, 3.141592653589793, 536870911, 536870912,
	709.78271289338397, 709.8, -708.4, -745.13, -745.2, 1023.9999999999999, 1024, -1074, -1074.5, 9007199254740992, 1e22, 1e300}

type random struct{ state uint64 }

func (r *random) next() uint64 { // splitmix64
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// any bits; 2^-20 to 2^20; uniform in -1..1; uniform in -range..range; specials at first.
func (r *random) argument(i int, limit float64) float64 {
	kind, bits := r.next(), r.next()
	if i < len(specials) {
		return specials[i]
	}
	uniform := float64(bits>>11)*0x1p-52 - 1
	switch kind % 8 {
	case 0:
		return math.Float64frombits(bits)
	case 1, 2:
		exponent := 1023 - 20 + kind>>32%41
		return math.Float64frombits(bits&0x800fffffffffffff | exponent<<52)
	case 3, 4:
		return uniform
	default:
		return uniform * limit
	}
}

var functions = []struct {
	f     func(x float64) float64
	g     func(x, y float64) float64
	limit float64
}{
	{f: math.Exp, limit: 750}, {f: math.Exp2, limit: 1100}, {f: math.Log, limit: 1e6}, {f: math.Log2, limit: 1e6},
	{f: math.Log10, limit: 1e6}, {f: math.Log1p, limit: 1e6}, {f: math.Sin, limit: 1e10}, {f: math.Cos, limit: 1e10},
	{f: math.Tan, limit: 1e10}, {f: math.Asin, limit: 1}, {f: math.Acos, limit: 1}, {f: math.Atan, limit: 100},
	{f: math.Sinh, limit: 25}, {f: math.Cosh, limit: 25}, {f: math.Tanh, limit: 50}, {f: math.Asinh, limit: 1e9},
	{f: math.Acosh, limit: 1e9}, {f: math.Atanh, limit: 1}, {g: math.Pow, limit: 40}, {g: math.Atan2, limit: 40},
	{g: math.Mod, limit: 40}, {g: math.Max, limit: 4}, {g: math.Min, limit: 4},
	{f: func(x float64) float64 { return float64(int64(x)) }, limit: 1e19},
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	for number, function := range functions {
		r := &random{uint64(number)}
		answer := func(i int) uint64 {
			var v float64
			if function.f != nil {
				v = function.f(r.argument(i, function.limit))
			} else {
				x := r.argument(i/len(specials), function.limit)
				v = function.g(x, r.argument(i%(2*len(specials)), function.limit))
			}
			if v != v {
				return 0x7ff8000000000001
			}
			return math.Float64bits(v)
		}
		for i := 0; i < shown; i++ {
			binary.Write(out, binary.LittleEndian, answer(i))
		}
		for b := 0; b < blocks; b++ {
			sum := uint64(0xcbf29ce484222325)
			for i := 0; i < perBlock; i++ {
				bits := answer(shown + b*perBlock + i)
				for n := 0; n < 8; n++ {
					sum = (sum ^ bits>>(8*n)&0xff) * 0x100000001b3
				}
			}
			binary.Write(out, binary.LittleEndian, sum)
		}
	}
	out.Flush()
}
