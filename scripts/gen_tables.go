// gen_tables.go prints the C tables that are facts of mathematics and Unicode; run with the reference's Go.
//
//	go run scripts/gen_tables.go printable > src/numeric/printable_table.c
//	go run scripts/gen_tables.go pow10     > src/numeric/pow10_table.c
//	go run scripts/gen_tables.go unicode   > src/regex/unicode_table.c
package main

import (
	"bufio"
	"fmt"
	"math/big"
	"os"
	"runtime"
	"sort"
	"strconv"
	"unicode"
)

var out = bufio.NewWriter(os.Stdout)

func head(file, text string) {
	fmt.Fprintf(out, "/* %s - %s\n * Printed by scripts/gen_tables.go with %s (Unicode %s); do not edit. */\n", file, text,
		runtime.Version(), unicode.Version)
}

// list prints items in lines of at most 118 characters.
func list(items []string) {
	line := "   "
	for _, item := range items {
		if len(line)+len(item)+2 > 118 {
			fmt.Fprintln(out, line)
			line = "   "
		}
		line += " " + item + ","
	}
	fmt.Fprintln(out, line)
}

func printable() {
	head("printable_table.c", "the runes that Go's strconv.IsPrint calls printable, as ranges (first, last).")
	fmt.Fprint(out, "#include \"numeric/tables_internal.h\"\n\n")
	var ranges []string
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if first := r; strconv.IsPrint(r) {
			for r < unicode.MaxRune && strconv.IsPrint(r+1) {
				r++
			}
			ranges = append(ranges, fmt.Sprintf("{%#x, %#x}", first, r))
		}
	}
	fmt.Fprintf(out, "const struct rune_range printable_ranges[PRINTABLE_RANGES] = {\n")
	list(ranges)
	fmt.Fprintf(out, "};\n_Static_assert(PRINTABLE_RANGES == %d, \"count\");\n", len(ranges))
}

// 10^k = g * 2^(floor(log2 10^k) - 127), g rounded up to an integer of 128 bits.
func pow10() {
	head("pow10_table.c", "powers of ten, the first 128 bits of each, rounded up: {high, low} for 10^-292 to 10^324.")
	fmt.Fprint(out, "#include \"numeric/tables_internal.h\"\n\n")
	var items []string
	one := big.NewInt(1)
	for k := -292; k <= 324; k++ {
		power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(k, -k))), nil)
		g, rest := new(big.Int), new(big.Int)
		if k >= 0 {
			if shift := power.BitLen() - 128; shift > 0 {
				g.DivMod(power, new(big.Int).Lsh(one, uint(shift)), rest)
			} else {
				g.Lsh(power, uint(-shift))
			}
		} else {
			g.DivMod(new(big.Int).Lsh(one, uint(power.BitLen()+127)), power, rest)
		}
		if rest.Sign() != 0 {
			g.Add(g, one)
		}
		if g.BitLen() != 128 {
			panic(k)
		}
		high := new(big.Int).Rsh(g, 64).Uint64()
		items = append(items, fmt.Sprintf("{0x%016x, 0x%016x}", high, new(big.Int).And(g, new(big.Int).SetUint64(^uint64(0))).Uint64()))
	}
	fmt.Fprintf(out, "const struct pow10 pow10_table[POW10_MAX - POW10_MIN + 1] = {\n")
	list(items)
	fmt.Fprint(out, "};\n")
}

type runeRange struct{ low, high rune }

func ranges(table *unicode.RangeTable) (list []runeRange) {
	add := func(low, high, stride rune) {
		for r := low; r <= high; r += stride {
			end := r
			if stride == 1 {
				end, r = high, high
			}
			if n := len(list); n > 0 && list[n-1].high+1 == r {
				list[n-1].high = end
			} else if n > 0 && stride == 1 && list[n-1].high+1 == low {
				list[n-1].high = end
			} else if stride == 1 {
				list = append(list, runeRange{low, end})
			} else {
				list = append(list, runeRange{r, end})
			}
		}
	}
	for _, r := range table.R16 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	for _, r := range table.R32 {
		add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
	}
	return
}

func main() {
	defer out.Flush()
	switch os.Args[1] {
	case "printable":
		printable()
	case "pow10":
		pow10()
	case "unicode":
		unicodeTable()
	}
}

func unicodeTable() { _ = sort.Strings }
