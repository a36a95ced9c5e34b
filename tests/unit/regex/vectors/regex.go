// regex.go writes what Prometheus' regular expressions say, for test_regex.c to compare with.
//
//	go mod init x && go get github.com/prometheus/prometheus@v0.315.0    (in a folder of its own, with this file)
//	go run regex.go errors  > errors.txt    pattern TAB error text, "ok" when there is none
//	go run regex.go matches > matches.txt   S, then the subjects, each after a TAB; P pattern (matchers) or W pattern
//	                                        (label_replace), then TAB subject TAB groups for each that matches:
//	                                        start,end, or "." for an unused one
//	go run regex.go classes > classes.txt   class TAB checksum over the runes that match it; W in front: only
//	                                        label_replace knows it
//	go run regex.go expand  > expand.txt    pattern TAB subject TAB template TAB result
//
// Texts are quoted as Go string literals with \xNN for every byte outside of printable ASCII.
package main

import (
	"bufio"
	"fmt"
	"math/rand"
	"os"
	"sort"
	"strings"
	"unicode"

	"github.com/grafana/regexp"
	"github.com/grafana/regexp/syntax"
	"github.com/prometheus/prometheus/model/labels"
)

var out = bufio.NewWriter(os.Stdout)

func quote(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == '\\' {
			fmt.Fprintf(&b, "\\x%02x", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

var broken = []string{"", "a", "(", ")", "a)", "(a", "((a)", "[", "[a", "[]", "[]a", "[]a]", "[^]", "[^]a]", "[a-", "[a-]", "[z-a]",
	"[a-\\d]", "[\\d-z]", "[\\]", "[\\", "\\", "a\\", "*", "+a", "?", "a**", "a*+", "a*?", "a*??", "a+?*", "a{2}{3}", "a{2}*", "a{,2}",
	"a{2", "a{2,", "a{2,1}", "a{1001}", "a{1000}", "a{0,1001}", "a{1001,}", "a{99999999999}", "(a{100}){11}", "(a{10}){100}",
	"((a{10}){10}){11}", "(?:a{2}){501}", "a{02}", "{1}", "a{1", "{", "}", "|", "||", "a||b", "(|a)", "()", "(?", "(?:", "(?:)", "(?i",
	"(?i)", "(?i)a", "(?z)", "(?i-)", "(?-)", "(?-i)", "(?--i)", "(?i-s:a)", "(?^)", "(?P<n>a)", "(?P<n>a", "(?P<n", "(?P<>a)", "(?P<1>a)",
	"(?P<a-b>a)", "(?P=n)", "(?P>n)", "(?<n>a)", "(?<n", "(?<=a)", "(?<!a)", "(?=a)", "(?!a)", "(?#c)", "(?P<n>a)(?P<n>b)", "(?'n'a)",
	"\\1", "\\10", "\\8", "\\07", "\\08", "\\0", "\\x", "\\x1", "\\x12", "\\xg1", "\\x{", "\\x{}", "\\x{1", "\\x{10FFFF}", "\\x{110000}",
	"\\x{1g}", "\\pL", "\\pX", "\\p", "\\p{", "\\p{}", "\\p{Greek}", "\\p{greek}", "\\p{GREEK}", "\\p{Gree k}", "\\p{^Greek}",
	"\\p{Old_Italic}", "\\p{Lu}", "\\p{LU}", "\\p{Letter}", "\\p{Lowercase_Letter}", "\\p{LC}", "\\P{Any}", "\\p{ASCII}", "\\p{Assigned}",
	"\\p{Foo}", "[\\p{Foo}]", "[[:alpha:]]", "[[:foo:]]", "[[:^alpha:]]", "[[:alpha:", "[[:alpha]", "[[:", "[[.a.]]", "\\q", "\\_", "\\-",
	"\\<", "\\e", "\\c", "\\C", "\\Q", "\\Qa", "\\Qa\\E", "\\Qa\\Eb", "\\Q*\\E*", "\\E", "\\A", "\\z", "\\Z", "\\b", "\\B", "\\d", "\\D",
	"\\w\\W\\s\\S", "\\u1234", "\\N", "\\h", "\xff", "a\xff", "[\xff]", "\\Q\xff", "(?P<\xff>a)", "(?\xff)", "\\x{\xff}", "\\p\xff",
	"\\p{\xff}", "é", "[é-ü]", "[ü-é]", "(?i)é", "\\é", "x{2}{", "x{a}", "x{1,a}", "x{1,2", "a{0}", "a{0,0}", "(a{0}){1000}",
	"a{1000}{2}", "(((a{9}){9}){9}){9}", "(?:(?:a){1000}){1}", "(?:(?:a){1000}){2}", "^*", "$*", "\\b*", "^{2}", "(?i)(?-i)", "(?s).",
	"a(?i)b(?-i)c", "(?U)a*", "(?m)^a$", "a|*", "a|+", "(*)", "(|*)", "(?:*)", "x**y", "x*?+", "[a-c-e]", "[--a]", "[a\\-z]", "[\\x00-\\x{10FFFF}]",
	"[^\\x00-\\x{10FFFF}]", strings.Repeat("(", 999) + strings.Repeat(")", 999), strings.Repeat("(", 1000) + strings.Repeat(")", 1000),
	strings.Repeat("(?:", 2000) + "a" + strings.Repeat(")", 2000), strings.Repeat("(", 998) + "a*" + strings.Repeat(")", 998),
	strings.Repeat("(", 999) + "a*" + strings.Repeat(")", 999)}

var patterns = []string{".*", ".+", "", "a", "abc", "a|b", "a|b|", "foo|bar|baz", "foo.*", ".*foo", ".*foo.*", "foo.*bar", "foo.+", ".+foo",
	"foo.+bar", "(foo|bar).*", "a?", "a*", "a+", "a{2}", "a{2,}", "a{2,3}", "[abc]", "[^abc]", "[a-c]x", "(?i)foo", "(?i)FOO|bar", "(?i)k",
	"(?i)s", "(?i)[k-s]", "(?i)ß", "(?i)σ", "(?i:a)b", "a(?i)b", "^foo$", "^foo", "foo$", "^(foo|bar)$", "foo|^bar$", "(^foo|bar$)", "a^b",
	"a$b", "(?m)a$\\n^b", "(?m)^a$.*", "\\bfoo\\b", "\\Bfoo", ".*\\bfoo\\b.*", "a\\b", "\\ba", "a\\B", "(a|ab)(c|bcd)", "(a+)(b+)", "(a*)(a*)",
	"(a*?)(a*)", "(a|b)*", "((a)|b)*", "(a*)*", "(a*)+", "(a|b|)*", "(|a)*", "(|a)+", "(a??)*", "(a)|(b)", "(?:(a)|b)*", "(.*)(.*)", "(.*?)(.*)",
	"(.+)-(.+)", "([^-]+)-(.*)", "(.*):(\\d+)", "(\\w+)@(\\w+)\\.com", "(?P<x>a)(?P<y>b)?", "(a)(b)?(c)?", "x*", "\\d+", "\\D+", "\\s*", "\\S*",
	"\\w*", "\\W*", "\\pL+", "\\p{Greek}*", "\\P{L}*", "[[:alpha:]]+", "[[:^digit:]]*", "é*", "[é-ü]+", "日本.*", ".*本", ".", "..", ".{3}",
	"(?-s).", "(?-s).*", "\\x{FFFD}", "[\\x{FFFD}]", ".*\\x{FFFD}.*", "a\\x{FFFD}", "[^a]", "[^\\x00-\\x7f]+", "a.b", "a.*b.*c", "a.*a", "aa.*aa",
	"(ab|a)(bc|c)?", "(?U)(a+)(a*)", "(?U)(a+?)(a*)", "a{0}", "(a{0})b", "(a){0}b", "(a){2}", "(a|b){2}", "(a){0,2}", "(a?){3}", "(a*){2,}",
	"(?:a|b)+c", "(foo|foobar)(bar)?", "(foo|foobar)", "node-[0-9]+", "(web|api)-(\\d{1,3})", "10\\.0\\.\\d+\\.\\d+:9100", ".*[0-9]{3}",
	"prod|staging|dev", "prod-.*|staging-.*", "(prod|dev)(-eu)?", "5..", "[45]..", "2..|3..", "GET|POST", "!.*", "a\\.b\\|c", "a-b_c", "\\Qa.b\\E",
	"(?i)abc.*", "(?i).*abc", ".*(foo|bar)", "f[o0]o", "f[o0]{2}", "(a|b|c|d|e)(x|y)", "[a-e]{2}", "ab?c?", "(?:)", "(?:a)?", "\\n", "a\\nb", "a\nb",
	"(\\s|\\S)*", "[\\s\\S]*", "[\\d\\D]+", "(?s)a.b", "(?s:a.b)", "(?-s:a.b)", "(a.*|b.*)", "x|.*", ".*|x", "(.|\\n)*", ".?", ".*.*", ".+.+", ".*.+",
	"a.*.+b", "a.+.+b", "a..*b", "^.*$", "^^a$$", "(^)*a", "(a$)|b", "(?:^a|b)c", "\\Aa\\z", "a\\z", "\\A", "(\\b)a", "(?i)\\x{212a}", "(?i)ſ",
	"[[:word:]]+", "(?i)[^k]", "(?i)[[:upper:]]", "(?i)[[:^upper:]]", "(?i)\\p{Lu}", "(?i)\\P{Lu}", "(?i)\\pN", "\\p{^L}", "[^\\pL]", "[\\PL]",
	"a|ab|abc", "abc|ab|a", "(a|ab|abc)(.*)", "(abc|ab|a)(.*)", "(x)?(y)?(z)?", "((x)?(y)?)*", "(([a-c])b*?\\2)*|a", "()", "(())", "()*", "(()|a)*",
	"(?:a*)*b", "(a+)+b", "(a|aa)+b", "([a-z]+)*c", "(.*)(\\d+)(.*)", "(.*?)(\\d+)(.*?)", "a$|b", "x\\b.*"}

var wrapped = []string{"a)|(b", "a|b)|(?:c", ")(", "a)(b", "foo)|(?:bar", ")|(", "a)$|^(b", "^a$)|(?:x"}

var subjects = []string{"", "a", "b", "c", "ab", "ba", "aa", "aaa", "aaaa", "abc", "abcd", "aab", "abb", "aabb", "abab", "foo", "foobar", "barfoo", "xfoox",
	"bar", "baz", "FOO", "Foo", "foo bar", "a foo b", "foofoo", "fo", "f0o", "f00", "foo-bar", "a-b", "a-b-c", "-", "a\nb", "\n", "a\n", "\na", "a b",
	"node-1", "node-12", "node-", "web-1", "api-999", "api-1000", "10.0.1.2:9100", "prod", "prod-eu", "prod-", "dev-eu", "500", "404", "5xx", "GET",
	"joe@example.com", "host:9100", "x", "y", "xy", "xyz", "yz", "k", "K", "\u212a", "s", "S", "\u017f", "ß", "ẞ", "σ", "ς", "Σ", "é", "éé", "ü", "日本",
	"日本語", "語本", "\xff", "a\xff", "\xffa", "\xe6\x97", "\ufffd", "a\ufffd", "é\xff", "foo\nbar", "\x00", "123", "abc123", "1a2b3", "αβγ", " ", "\t\n",
	"a.b", "a.b|c", "a-b_c", "aXb", "a|b", "A", "ABC", "aBc", "abcabc", "foo.", "prod|dev", "aaaaaaaaaaaaaaaaaaaaaaaa", "foobarbaz", "c1", "cc", "bc", "ac", "abcbcd", "bcd"}

func compile(kind byte, p string) (*regexp.Regexp, error) {
	if kind == 'P' {
		parsed, err := syntax.Parse(p, syntax.Perl|syntax.DotNL)
		if err != nil {
			return nil, err
		}
		p = parsed.String()
	}
	return regexp.Compile("^(?s:" + p + ")$")
}

func printMatches(kind byte, p string, subjects []string) {
	re, err := compile(kind, p)
	if err != nil {
		return
	}
	fmt.Fprintf(out, "%c%s\n", kind, quote(p))
	for _, s := range subjects {
		groups := re.FindStringSubmatchIndex(s)
		if groups == nil {
			continue // what is not listed does not match
		}
		fmt.Fprintf(out, "\t%s\t", quote(s))
		for i := 0; i < len(groups); i += 2 {
			if i > 0 {
				fmt.Fprint(out, " ")
			}
			if groups[i] < 0 {
				fmt.Fprint(out, ".")
			} else {
				fmt.Fprintf(out, "%d,%d", groups[i], groups[i+1])
			}
		}
		fmt.Fprintln(out)
	}
}

// generated makes a random pattern of the given depth.
func generated(r *rand.Rand, depth int) string {
	atoms := []string{"a", "b", "c", "ab", ".", "[ab]", "[^a]", "\\w", "(?i:A)", "^", "$", "\\b", "", "a|b", "x"}
	if depth == 0 {
		return atoms[r.Intn(len(atoms))]
	}
	a := generated(r, depth-1)
	switch r.Intn(8) {
	case 0:
		return "(" + a + ")*"
	case 1:
		return "(" + a + ")+"
	case 2:
		return "(" + a + ")?"
	case 3:
		return "(?:" + a + ")" + []string{"*?", "+?", "??", "{2}", "{0,2}", "{1,}"}[r.Intn(6)]
	case 4:
		return "(" + a + "|" + generated(r, depth-1) + ")"
	case 5:
		return a + "|" + generated(r, depth-1)
	default:
		return a + generated(r, depth-1)
	}
}

func printSubjects(subjects []string) {
	fmt.Fprintln(out, "S")
	for _, s := range subjects {
		fmt.Fprintf(out, "\t%s\n", quote(s))
	}
}

func matches() {
	printSubjects(subjects)
	for _, p := range patterns {
		printMatches('P', p, subjects)
		if strings.Contains(p, "(") {
			printMatches('W', p, subjects)
		}
	}
	for _, p := range wrapped {
		printMatches('W', p, subjects)
	}
	r := rand.New(rand.NewSource(7))
	var few []string
	for i := 0; i < 24; i++ {
		s := ""
		for n := r.Intn(6); n > 0; n-- {
			s += string("abcx\nA"[r.Intn(6)])
		}
		few = append(few, s)
	}
	printSubjects(few)
	for i := 0; i < 700; i++ {
		printMatches('W', generated(r, 1+r.Intn(4)), few)
	}
}

func classes() {
	var names []string
	for name := range unicode.Categories {
		names = append(names, "\\p{"+name+"}", "(?i)\\p{"+name+"}", "(?i)\\P{"+name+"}")
	}
	for name := range unicode.Scripts {
		names = append(names, "\\p{"+name+"}", "(?i)\\P{"+name+"}")
	}
	for name := range unicode.CategoryAliases {
		names = append(names, "\\p{"+name+"}", "(?i)\\P{"+strings.ToLower(name)+"}")
	}
	names = append(names, "\\p{greek}", "(?i)\\p{aScIi}", "\\p{ass-igned}", "\\d", "\\s", "\\w", "\\D", "\\S", "\\W", "(?i)\\w", "(?i)\\W", "(?i)[a-z]", "(?i)[^a-z]", "(?i)[α-ω]", "(?i)[\\x{100}-\\x{200}]",
		"(?i)[\\x00-\\x{1E950}]", "(?i)[^\\x{10400}-\\x{10410}]", "\\p{Any}", "\\P{Any}", "\\p{Assigned}", "(?i)\\p{ASCII}", "[^\\n]", "(?-s).", "(?i)[[:lower:]]")
	for _, name := range []string{"alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "word", "xdigit"} {
		names = append(names, "[[:"+name+":]]", "(?i)[[:^"+name+":]]")
	}
	sort.Strings(names)
	for _, name := range names {
		re, err := compile('P', name)
		if err != nil {
			name = "W" + name
			if re, err = compile('W', name[1:]); err != nil {
				continue
			}
		}
		sum, last := uint32(2166136261), false
		add := func(r rune) {
			if r < 0xd800 || r > 0xdfff {
				if m := re.MatchString(string(r)); m != last {
					last = m
					for n := 0; n < 4; n++ {
						sum = (sum ^ uint32(r)>>(8*n)&0xff) * 16777619
					}
				}
			}
		}
		for r := rune(0); r < 0x3000; r++ {
			add(r)
		}
		for r := rune(0x3000); r <= unicode.MaxRune; r += 13 {
			add(r)
		}
		fmt.Fprintf(out, "%s\t%08x\n", quote(name), sum)
	}
}

func expand() {
	for _, p := range []string{"(.*)", "(a)(b)?", "(?P<first>.)(?P<second>.*)", "(?P<n>a)|(?P<n>b)", "(?P<1x>a)b", "abc|b"} {
		for _, s := range []string{"ab", "a", "b", "$1"} {
			for _, t := range []string{"$1", "${1}", "$1x", "${1}x", "$$1", "$", "$$", "a$", "$first-$second", "${first}x${second}", "$9", "$0", "${0}$0",
				"$n", "$1x$2", "${", "${1", "${}", "$-", "x", "", "$01", "$é", "${first", "$1$2", "$first_$second", "$1_", "${1x}", "$999999999999"} {
				re := regexp.MustCompile("^(?s:" + p + ")$")
				m := re.FindStringSubmatchIndex(s)
				if m == nil {
					continue
				}
				fmt.Fprintf(out, "%s\t%s\t%s\t%s\n", quote(p), quote(s), quote(t), quote(string(re.ExpandString(nil, t, s, m))))
			}
		}
	}
}

func main() {
	defer out.Flush()
	switch os.Args[1] {
	case "errors":
		for _, p := range broken {
			for _, kind := range []byte("PW") {
				text := "ok"
				_, err := compile(kind, p)
				if kind == 'P' {
					_, err = labels.NewFastRegexMatcher(p)
				}
				if err != nil {
					text = err.Error()
				}
				if len(p) < 200 {
					fmt.Fprintf(out, "%c%s\t%s\n", kind, quote(p), quote(text))
				} else if kind == 'P' { // too long to show: the error's first words
					fmt.Fprintf(out, "%c%s\t%.60s\n", kind, quote(p), quote(text))
				}
			}
		}
	case "matches":
		matches()
	case "classes":
		classes()
	case "expand":
		expand()
	}
}
