// goparse.go writes goparse.txt: what Go's strconv.ParseFloat makes of texts, good and bad.
//
//	go run goparse.go > goparse.txt
//
// A line is the text, a tab, and the 16 hex digits of the result's bits, "range" after them, or "syntax".
package main

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand"
	"strconv"
	"strings"
)

var texts = strings.Fields(`0 -0 +0 1 1. .5 5.e1 . - + e1 1e 1e+ 1e-5 1E5 00001 0x 0x1 0x1p0 0X1P3 -0x1.8p-3 0x.8p1 0x.p1 0x1.8
0x1p-1074 0x1p-1075 0x1.8p-1075 0x1.0000000000000000001p-1075 0x1p1023 0x1.fffffffffffff7ffp1023 0x1.fffffffffffff8p1023 0x1p1024
0xffffffffffffffffffff.8p-20 1_000 1__0 _1 1_ 1._5 1_.5 1e1_0 1e_10 0x_1p4 0x1_p4 0b1 0b_1 0o7 0_1 nan NaN NAN +nan nano inf
+Inf -INF infinity InfinitY infinit infin -infinity in 1e308 1.7976931348623157e308 1.7976931348623158e308 1.7976931348623159e308
1e309 -1e309 1e400 1e99999 1e-99999 0e99999 5e-324 2e-324 2.4703282292062327e-324 2.4703282292062328e-324 4.9e-324
2.2250738585072011e-308 2.2250738585072014e-308 9007199254740993 9007199254740992.9999999999999999999 9007199254740993.0000000000001
123456789012345678 1234567890123456789 12345678901234567890 0.1 0.2 0.3 1e22 1e23 1e15 999999999999999e22 1e-22 1e-23 1,5 1.2.3 --1
+-1 1f 1d 0.0000000000000000000000000000000000000000000000000000000000000000001 12e3x 0x1g 0x1p 0x1p+ 0x1p1.5 ١ 1e5.5`)

func main() {
	r := rand.New(rand.NewSource(1))
	for i := 0; i < 300; i++ {
		v := math.Float64frombits(r.Uint64())
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		texts = append(texts, strconv.FormatFloat(v, 'e', 14+r.Intn(6), 64))
		texts = append(texts, strconv.FormatFloat(r.Float64()*1e6, 'f', r.Intn(9), 64))
		// Exactly between two doubles, and a little off.
		x := new(big.Float).SetPrec(2000).SetFloat64(math.Abs(v))
		y := new(big.Float).SetPrec(2000).SetFloat64(math.Nextafter(math.Abs(v), math.Inf(1)))
		if i%10 == 0 && !y.IsInf() && x.MantExp(nil) > -60 && x.MantExp(nil) < 200 {
			middle := x.Add(x, y).Quo(x, big.NewFloat(2)).Text('f', 120)
			middle = strings.TrimRight(middle, "0")
			texts = append(texts, middle, middle+"0000000001")
		}
	}
	for _, s := range texts {
		v, err := strconv.ParseFloat(s, 64)
		switch {
		case errors.Is(err, strconv.ErrSyntax):
			fmt.Printf("%s\tsyntax\n", s)
		case err != nil:
			fmt.Printf("%s\t%016x range\n", s, math.Float64bits(v))
		default:
			fmt.Printf("%s\t%016x\n", s, math.Float64bits(v))
		}
	}
}
