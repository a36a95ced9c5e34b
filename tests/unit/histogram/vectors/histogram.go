// histogram.go writes histogram.txt: what Prometheus' own histogram package answers for generated histograms.
//
//	go mod init x && go get github.com/prometheus/prometheus@v0.315.0    (in a folder of its own, with this file)
//	go run histogram.go > histogram.txt
//	go run histogram.go show        the inputs and answers as text, to find a difference
//
// Lines "OPERATION CASE CHECKSUM"; test_histogram_vectors.c makes the same inputs from the case number.  The checksum
// is FNV-1a over the bytes of the answer as text (dump()).
package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"strings"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser/posrange"
)

type random struct{ state uint64 }

func (r *random) next() uint64 { // splitmix64
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) below(n uint64) int { return int(r.next() % n) }

func (r *random) count() float64 {
	switch r.below(8) {
	case 0, 1:
		return 0
	case 2:
		return float64(r.below(1000)) / 8
	case 3:
		return float64(r.next()>>11) * 0x1p-30
	case 4:
		return float64(r.below(100)) / 10
	default:
		return float64(r.below(1000))
	}
}

func (r *random) side(custom bool) (spans []histogram.Span, buckets []float64) {
	reach := 0
	for n := r.below(4); n > 0; n-- {
		offset := r.below(4)
		if len(spans) == 0 && !custom {
			offset = r.below(24) - 12
		}
		length := 1 + r.below(5) // Prometheus 3.15 panics on some empty spans
		if reach+offset+length > 12 && custom {
			break
		}
		reach += offset + length
		spans = append(spans, histogram.Span{Offset: int32(offset), Length: uint32(length)})
		for ; length > 0; length-- {
			buckets = append(buckets, r.count())
		}
	}
	return
}

var boundList = []float64{-5, -1, 0, 0.5, 1, 2, 2.5, 5, 10, 25, 50, 100, 1000}
var thresholds = []float64{0, 0, 1e-128, 0.001, 0.5, 1, 0.7071067811865475, 2}

// histogram makes a custom one in mode 1, an exponential one in mode 0.
func (r *random) histogram(mode, schema int) *histogram.FloatHistogram {
	h := &histogram.FloatHistogram{CounterResetHint: histogram.CounterResetHint(r.below(4))}
	h.Count = r.count() + float64(r.below(500))
	h.Sum = r.count() - float64(r.below(100))
	if r.below(12) == 0 {
		h.Sum = math.NaN()
	}
	if mode == 1 {
		h.Schema = -53
		left := 12
		for _, b := range boundList {
			if len(h.CustomValues)+left > 12 && r.below(6) == 0 && left > 0 {
				left--
				continue
			}
			h.CustomValues = append(h.CustomValues, b)
		}
		h.PositiveSpans, h.PositiveBuckets = r.side(true)
		reach := 0
		for _, s := range h.PositiveSpans {
			reach += int(s.Offset) + int(s.Length)
		}
		for len(h.CustomValues) < reach {
			h.CustomValues = append(h.CustomValues, 2000+float64(len(h.CustomValues)))
		}
		return h
	}
	h.Schema = int32(schema)
	h.ZeroThreshold = thresholds[r.below(8)]
	h.ZeroCount = r.count()
	h.PositiveSpans, h.PositiveBuckets = r.side(false)
	h.NegativeSpans, h.NegativeBuckets = r.side(false)
	return h
}

func (r *random) pair() (a, b *histogram.FloatHistogram) {
	mode := 0
	if r.below(4) == 0 {
		mode = 1
	}
	schema := r.below(13) - 4
	other := schema
	if r.below(3) == 0 {
		other = r.below(13) - 4
	}
	a = r.histogram(mode, schema)
	if r.below(4) == 0 { // the same layout
		b = a.Copy()
		for i := range b.PositiveBuckets {
			b.PositiveBuckets[i] = r.count()
		}
		b.CounterResetHint = histogram.CounterResetHint(r.below(4))
		return
	}
	return a, r.histogram(mode, other)
}

func bits(v float64) string {
	if v != v {
		return "NaN"
	}
	return fmt.Sprintf("%x", math.Float64bits(v))
}

func dump(h *histogram.FloatHistogram) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d %s %s %s %s", h.Schema, h.CounterResetHint, bits(h.ZeroThreshold), bits(h.ZeroCount), bits(h.Count), bits(h.Sum))
	side := func(spans []histogram.Span, buckets []float64) {
		b.WriteString(" |")
		for _, s := range spans {
			fmt.Fprintf(&b, " %d:%d", s.Offset, s.Length)
		}
		b.WriteString(" =")
		for _, v := range buckets {
			b.WriteString(" " + bits(v))
		}
	}
	side(h.PositiveSpans, h.PositiveBuckets)
	side(h.NegativeSpans, h.NegativeBuckets)
	b.WriteString(" |")
	for _, v := range h.CustomValues {
		b.WriteString(" " + bits(v))
	}
	return b.String()
}

func note(set bool, name string) string {
	if set {
		return " " + name
	}
	return ""
}

// sum is what sum_over_time does, mean what avg does.
func sum(list []*histogram.FloatHistogram) string {
	total := list[0].Copy()
	var lost *histogram.FloatHistogram
	collision, reconciled := false, false
	for _, h := range list[1:] {
		updated, c, n, err := total.KahanAdd(h, lost)
		if err != nil {
			return "error"
		}
		lost, collision, reconciled = updated, collision || c, reconciled || n
	}
	if lost != nil {
		total.Add(lost)
	}
	return dump(total) + note(collision, "collision") + note(reconciled, "reconciled")
}

func mean(list []*histogram.FloatHistogram) string {
	value, isMean := list[0].Copy(), false
	var lost *histogram.FloatHistogram
	for i, h := range list[1:] {
		n := float64(i + 2)
		if !isMean {
			v, c := value.Copy(), (*histogram.FloatHistogram)(nil)
			if lost != nil {
				c = lost.Copy()
			}
			c, _, _, err := v.KahanAdd(h, c)
			if err != nil {
				return "error"
			}
			if !v.HasOverflow() {
				value, lost = v, c
				continue
			}
			isMean = true
			value.Div(n - 1)
			if lost != nil {
				lost.Div(n - 1)
			}
		}
		if lost != nil {
			lost.Mul((n - 1) / n)
		}
		lost, _, _, _ = value.Mul((n-1)/n).KahanAdd(h.Copy().Div(n), lost)
	}
	if !isMean {
		value.Div(float64(len(list)))
		if lost != nil {
			lost.Div(float64(len(list)))
		}
	}
	if lost != nil {
		value.Add(lost)
	}
	return dump(value)
}

func (r *random) list(huge bool) (list []*histogram.FloatHistogram) {
	mode := 0
	if r.below(4) == 0 {
		mode = 1
	}
	schema := r.below(13) - 4
	for n := 2 + r.below(5); n > 0; n-- {
		if r.below(5) == 0 {
			schema = r.below(13) - 4
		}
		h := r.histogram(mode, schema)
		if huge && r.below(2) == 0 {
			h.Mul(1e305)
		}
		list = append(list, h)
	}
	return
}

var points = []float64{-10, -1, -0.3, 0, 1e-5, 0.3, 0.5, 0.9, 1, 1.7, 3, 40, 2000, math.Inf(-1), math.Inf(1), math.NaN()}

func quantiles(h *histogram.FloatHistogram) string {
	var b strings.Builder
	for _, phi := range []float64{-1, 0, 0.01, 0.2, 0.4999, 0.5, 0.75, 0.99, 1, 2, math.NaN()} {
		v, annos := promql.HistogramQuantile(phi, h, "m", posrange.PositionRange{})
		fmt.Fprintf(&b, " %s", bits(v))
		for _, err := range annos.AsErrors() {
			b.WriteString(note(strings.Contains(err.Error(), "skew"), "skewed") + note(strings.Contains(err.Error(), "result is NaN"), "nan"))
		}
	}
	return b.String()
}

func fractions(h *histogram.FloatHistogram) string {
	var b strings.Builder
	for i, lower := range points {
		for j, upper := range points {
			if (i+j)%3 != 0 {
				continue
			}
			v, annos := promql.HistogramFraction(lower, upper, h, "m", posrange.PositionRange{})
			fmt.Fprintf(&b, " %s%s", bits(v), note(len(annos) > 0, "nans"))
		}
	}
	return b.String()
}

func trims(h *histogram.FloatHistogram) string {
	var b strings.Builder
	for _, v := range points {
		b.WriteString(dump(h.Copy().TrimBuckets(v, true)) + "; " + dump(h.Copy().TrimBuckets(v, false)) + "; ")
	}
	return b.String()
}

func buckets(h *histogram.FloatHistogram) string {
	var b strings.Builder
	for _, it := range []histogram.BucketIterator[float64]{h.PositiveBucketIterator(), h.NegativeBucketIterator(),
		h.PositiveReverseBucketIterator(), h.NegativeReverseBucketIterator(), h.AllBucketIterator(), h.AllReverseBucketIterator()} {
		for it.Next() {
			a := it.At()
			fmt.Fprintf(&b, " %s,%s,%s,%d", bits(a.Lower), bits(a.Upper), bits(a.Count), a.Index)
			b.WriteString(note(a.LowerInclusive, "l") + note(a.UpperInclusive, "u"))
		}
		b.WriteString(";")
	}
	return b.String()
}

func answer(operation string, r *random) string {
	a, b := r.pair()
	switch operation {
	case "add", "sub":
		var res *histogram.FloatHistogram
		var collision, reconciled bool
		if operation == "add" {
			res, collision, reconciled, _ = a.Copy().Add(b)
		} else {
			res, collision, reconciled, _ = a.Copy().Sub(b)
		}
		return dump(res) + note(collision, "collision") + note(reconciled, "reconciled") + "; " + dump(res.Compact(0))
	case "scale":
		f := r.count() - 20
		return dump(a.Copy().Mul(f)) + "; " + dump(a.Copy().Div(f)) + "; " + dump(b.Copy().Div(0))
	case "reduce":
		if a.UsesCustomBuckets() || a.Schema <= -2 {
			return "none"
		}
		a.ReduceResolution(a.Schema - 2)
		return dump(a)
	case "sum":
		return sum(r.list(false))
	case "mean":
		return mean(r.list(r.below(2) == 0))
	case "reset":
		c := a.Copy()
		for i := range c.PositiveBuckets {
			c.PositiveBuckets[i]++
		}
		c.CounterResetHint, a.CounterResetHint, b.CounterResetHint = 0, 0, 3
		b.Count = a.Count + 1
		return fmt.Sprint(a.DetectReset(b), b.DetectReset(a), c.DetectReset(a), a.DetectReset(c), a.DetectReset(a), a.Equals(b), a.Equals(a.Copy().Compact(0)))
	case "quantile":
		return quantiles(a)
	case "fraction":
		return fractions(a)
	case "trim":
		return trims(a)
	case "buckets":
		return buckets(a)
	default:
		return a.String() + " " + b.TestExpression()
	}
}

func main() {
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for number, operation := range []string{"add", "sub", "scale", "reduce", "sum", "mean", "reset", "quantile", "fraction", "trim", "buckets", "text"} {
		for n := 0; n < 250; n++ {
			text := answer(operation, &random{uint64(number*1000000 + n)})
			if len(os.Args) > 1 {
				fmt.Fprintf(out, "%s %d %s\n", operation, n, text)
				continue
			}
			sum := uint32(2166136261)
			for _, c := range []byte(text) {
				sum = (sum ^ uint32(c)) * 16777619
			}
			fmt.Fprintf(out, "%s %d %08x\n", operation, n, sum)
		}
	}
}
