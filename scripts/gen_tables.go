// gen_tables.go prints the C tables that are facts of mathematics and Unicode; run with the reference's Go.
//
//	go run scripts/gen_tables.go printable > src/numeric/printable_table.c
//	go run scripts/gen_tables.go pow10     > src/numeric/pow10_table.c
//	go run scripts/gen_tables.go unicode   > src/regex/unicode_table.c
//	go run scripts/gen_tables.go bounds    > src/histogram/hist_bounds_table.c
package main

import (
	"bufio"
	"fmt"
	"math"
	"math/big"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"unicode"
)

var out = bufio.NewWriter(os.Stdout)

func head(file, text string) {
	fmt.Fprintf(out, "/* %s - %s\n * Printed by scripts/gen_tables.go with %s (Unicode %s); do not edit. */\n/* clang-format off */\n", file, text,
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

// partition prints ranges {first, number of the table that holds them}, ascending; a range ends where the next
// begins, and number 255 stands for none of the tables.
func partition(tables []*unicode.RangeTable) (items []string) {
	number := func(r rune) int {
		for i, table := range tables {
			if unicode.Is(table, r) {
				return i
			}
		}
		return 255
	}
	first, current := rune(0), number(0)
	for r := rune(1); r <= unicode.MaxRune+1; r++ {
		n := -2
		if r <= unicode.MaxRune {
			n = number(r)
		}
		if n != current {
			items = append(items, fmt.Sprintf("{%d, %d}", first, current))
			first, current = r, n
		}
	}
	return
}

// folds prints runs of runes whose next in the fold orbit is at the same distance; a run whose runes go
// up and down by one in turn has the distance 0 (even ones up) or 2,000,000 (odd ones up).
func folds() (items []string) {
	distance := func(r rune) rune { return unicode.SimpleFold(r) - r }
	alternates := func(r rune, even bool) bool {
		return r <= unicode.MaxRune && (r%2 == 0 == even && distance(r) == 1 || r%2 == 0 != even && distance(r) == -1)
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		d, last := distance(r), r
		if d == 0 {
			continue
		}
		if d == 1 {
			even := r%2 == 0
			for alternates(last+1, even) {
				last++
			}
			d = 2000000
			if even {
				d = 0
			}
		} else {
			for last < unicode.MaxRune && distance(last+1) == d {
				last++
			}
		}
		items = append(items, fmt.Sprintf("{%d, %d, %d}", r, last, d))
		r = last
	}
	return
}

func table(kind, name, count string, items []string) {
	fmt.Fprintf(out, "\nconst struct %s %s[%s] = {\n", kind, name, count)
	list(items)
	fmt.Fprintf(out, "};\n_Static_assert(%s == %d, \"count\");\n", count, len(items))
}

// loose is what Go's parser makes of a class name before it looks it up.
func loose(name string) string {
	name = strings.NewReplacer("_", "", "-", "", " ", "").Replace(name)
	return strings.ToUpper(name[:1]) + strings.ToLower(name[1:])
}

func unicodeTables() {
	head("unicode_table.c", "general categories, scripts and case folding.")
	fmt.Fprint(out, "#include \"regex/unicode_internal.h\"\n")
	var names []string
	var tables []*unicode.RangeTable
	for name := range unicode.Categories {
		if len(name) == 2 && name != "LC" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	for _, name := range names {
		tables = append(tables, unicode.Categories[name])
	}
	quote := func(list []string) (quoted []string) {
		for _, s := range list {
			quoted = append(quoted, strconv.Quote(s))
		}
		return
	}
	fmt.Fprint(out, "\nconst char *const unicode_categories[UNICODE_CATEGORIES] = {\n")
	list(quote(names))
	fmt.Fprintf(out, "};\n_Static_assert(UNICODE_CATEGORIES == %d, \"count\");\n", len(names))
	table("unicode_range", "unicode_category_ranges", "UNICODE_CATEGORY_RANGES", partition(tables))

	var aliases []string
	for alias, name := range unicode.CategoryAliases {
		aliases = append(aliases, fmt.Sprintf("{%q, %q}", loose(alias), name))
	}
	sort.Strings(aliases)
	table("unicode_alias", "unicode_aliases", "UNICODE_ALIASES", aliases)

	names, tables = nil, nil
	for name := range unicode.Scripts {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		tables = append(tables, unicode.Scripts[name])
	}
	fmt.Fprint(out, "\nconst char *const unicode_scripts[UNICODE_SCRIPTS] = {\n")
	list(quote(names))
	fmt.Fprintf(out, "};\n_Static_assert(UNICODE_SCRIPTS == %d, \"count\");\n", len(names))
	table("unicode_range", "unicode_script_ranges", "UNICODE_SCRIPT_RANGES", partition(tables))
	table("unicode_fold", "unicode_folds", "UNICODE_FOLDS", folds())
}

// bounds of schema 8 in [0.5, 1), by Prometheus' recurrence (the correctly rounded values differ): odd entries are
// the one before times 2^(2^-n) in Go's Exp2, even ones come from the next coarser schema.
func bounds() {
	head("hist_bounds_table.c", "bucket bounds of schema 8 between 0.5 and 1; coarser schemas take every 2nd, 4th ...")
	fmt.Fprint(out, "#include \"histogram/hist_internal.h\"\n\nconst double hist_bounds[256] = {\n")
	table := []float64{0.5}
	for n := 1; n <= 8; n++ {
		factor := math.Exp2(math.Exp2(-float64(n)))
		finer := make([]float64, 2*len(table))
		for i := range finer {
			if i%2 == 0 {
				finer[i] = table[i/2]
			} else {
				finer[i] = finer[i-1] * factor
			}
		}
		table = finer
	}
	var items []string
	for _, v := range table {
		items = append(items, strconv.FormatFloat(v, 'x', -1, 64))
	}
	list(items)
	fmt.Fprint(out, "};\n")
}

func main() {
	defer out.Flush()
	switch os.Args[1] {
	case "printable":
		printable()
	case "pow10":
		pow10()
	case "unicode":
		unicodeTables()
	case "bounds":
		bounds()
	}
}
