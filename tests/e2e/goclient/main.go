// goclient makes every call of the official Go client's interface (client_golang/api/prometheus/v1) against
// two servers that hold the same data and compares what comes back, errors and warnings included.
//
// usage: goclient URL URL START END [keep]     (Unix seconds of the data; keep: delete nothing)
//
// One line per call: "ok NAME", or "DIFF NAME" and both results. Exit status 1 when something differs.
// Calls that tell about the process and not about the data are compared by what must be the same.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/api"
	v1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

type call struct {
	name string
	do   func(ctx context.Context, c v1.API) (any, v1.Warnings, error)
}

func client(url string) v1.API {
	c, err := api.NewClient(api.Config{Address: url})
	if err != nil {
		panic(err)
	}
	return v1.NewAPI(c)
}

// text is what is compared: result, warnings, error.
func text(c call, a v1.API) string {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	v, warnings, err := c.do(ctx, a)
	kind := ""
	if e, ok := err.(*v1.Error); ok {
		kind = string(e.Type) + ": " + e.Msg + " "
	} else if err != nil {
		kind = err.Error()
	}
	j, jerr := json.Marshal(v)
	if jerr != nil {
		j = []byte(fmt.Sprintf("%v", v))
	}
	return fmt.Sprintf("%T %s warnings=%q error=%q", v, j, warnings, kind)
}

func seconds(s string) time.Time {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return time.Unix(n, 0)
}

func queries(start, end time.Time) (out []call) {
	for _, q := range []string{
		"temperature", "http_requests_total", "rate(http_requests_total[5m])", "sum by (job) (latency_seconds_bucket)", "1 + 1",
		`"a string"`, "special", "temperature[1m]", "request_size", "rate(request_size[5m])", "request_size[2m]", "absent(nope)",
		"histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[5m])))", "rate(temperature[5m])", `{"utf8.metric"}`,
		"sum(", "temperature + on(job) temperature", "time()", "histogram_quantile(0.9, rate(request_size[5m]))",
	} {
		out = append(out, call{"Query " + q, func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			return c.Query(ctx, q, end)
		}})
		out = append(out, call{"Query with options " + q, func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			return c.Query(ctx, q, end, v1.WithTimeout(5*time.Second), v1.WithLimit(3), v1.WithLookbackDelta(time.Minute))
		}})
		for _, step := range []time.Duration{15 * time.Second, 61 * time.Second, 500 * time.Millisecond} {
			out = append(out, call{fmt.Sprintf("QueryRange %s %s", step, q), func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
				return c.QueryRange(ctx, q, v1.Range{Start: end.Add(-10 * time.Minute), End: end, Step: step})
			}})
		}
		out = append(out, call{"FormatQuery " + q, func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			s, err := c.FormatQuery(ctx, q)
			return s, nil, err
		}})
		out = append(out, call{"QueryExemplars " + q, func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			e, err := c.QueryExemplars(ctx, q, start, end)
			return e, nil, err
		}})
	}
	return out
}

func labels(start, end time.Time) (out []call) {
	for _, matches := range [][]string{nil, {"temperature"}, {`{job="a"}`, `{__name__=~"http.*"}`}, {"nope"}, {"{}"}, {"sum("}} {
		for _, limit := range []uint64{0, 2} {
			name := fmt.Sprintf("%q limit %d", matches, limit)
			out = append(out, call{"LabelNames " + name, func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
				return c.LabelNames(ctx, matches, start, end, v1.WithLimit(limit))
			}})
			for _, l := range []string{"job", "__name__", "nope", "label with space"} {
				out = append(out, call{"LabelValues " + l + " " + name, func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
					return c.LabelValues(ctx, l, matches, start, end, v1.WithLimit(limit))
				}})
			}
			out = append(out, call{"Series " + name, func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
				return c.Series(ctx, matches, start, end, v1.WithLimit(limit))
			}})
		}
	}
	return out
}

func lists() []call {
	return []call{
		{"Alerts", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.Alerts(ctx)
			return r, nil, err
		}},
		{"AlertManagers", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.AlertManagers(ctx)
			return r, nil, err
		}},
		{"Rules", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.Rules(ctx, nil)
			return r, nil, err
		}},
		{"Targets", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.Targets(ctx)
			return r, nil, err
		}},
		{"TargetsMetadata", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.TargetsMetadata(ctx, `{job="x"}`, "temperature", "5")
			return r, nil, err
		}},
		{"Metadata", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.Metadata(ctx, "nope", "10")
			return r, nil, err
		}},
	}
}

// process: only what both must tell alike.
func process() []call {
	return []call{
		{"Buildinfo", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.Buildinfo(ctx)
			return regexp.MustCompile(`^3\.\d+\.\d+|^$`).MatchString(r.Version), nil, err
		}},
		{"Runtimeinfo", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.Runtimeinfo(ctx)
			return r.StartTime.Before(time.Now()) && r.CWD != "" && r.ReloadConfigSuccess && r.StorageRetention != "", nil, err
		}},
		{"Config", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.Config(ctx)
			return r.YAML != "", nil, err
		}},
		{"Flags", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.Flags(ctx)
			return len(r) > 10 && r["web.enable-admin-api"] == "true", nil, err
		}},
		{"WalReplay", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.WalReplay(ctx)
			return r.Current >= r.Min && r.Max >= r.Min, nil, err
		}},
		{"TSDB", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.TSDB(ctx, v1.WithLimit(4)) // the fifth is one of several that are equal
			return map[string]any{"series": r.HeadStats.NumSeries, "pairs": r.HeadStats.NumLabelPairs, "min": r.HeadStats.MinTime,
				"max": r.HeadStats.MaxTime, "names": r.SeriesCountByMetricName, "values": len(r.LabelValueCountByLabelName)}, nil, err
		}},
		{"TSDBBlocks", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.TSDBBlocks(ctx)
			return r.Status, nil, err
		}},
		{"Snapshot", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			r, err := c.Snapshot(ctx, false)
			return regexp.MustCompile(`^\d{8}T\d{6}Z-[0-9a-f]{16}$`).MatchString(r.Name), nil, err
		}},
	}
}

// deletion comes last: it changes what the other calls would see.
func deletion(start, end time.Time) []call {
	return []call{
		{"DeleteSeries without matches", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			return nil, nil, c.DeleteSeries(ctx, nil, start, end)
		}},
		{"DeleteSeries", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			return nil, nil, c.DeleteSeries(ctx, []string{`temperature{job="a"}`}, start, end)
		}},
		{"Query after DeleteSeries", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) { return c.Query(ctx, "temperature", end) }},
		{"CleanTombstones", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) { return nil, nil, c.CleanTombstones(ctx) }},
		{"Query after CleanTombstones", func(ctx context.Context, c v1.API) (any, v1.Warnings, error) {
			return c.Query(ctx, "temperature", end)
		}},
	}
}

func main() {
	if len(os.Args) < 5 {
		fmt.Fprintln(os.Stderr, "usage: goclient URL URL START END [keep]")
		os.Exit(2)
	}
	first, second := client(os.Args[1]), client(os.Args[2])
	start, end := seconds(os.Args[3]), seconds(os.Args[4])
	calls := append(append(append(queries(start, end), labels(start, end)...), lists()...), process()...)
	if len(os.Args) == 5 {
		calls = append(calls, deletion(start, end)...)
	}
	differ := 0
	for _, c := range calls {
		a, b := text(c, first), text(c, second)
		if a == b {
			fmt.Println("ok", c.name)
			continue
		}
		differ++
		fmt.Printf("DIFF %s\n  %s\n  %s\n", c.name, a, b)
	}
	fmt.Printf("%d calls, %d differ\n", len(calls), differ)
	if differ > 0 {
		os.Exit(1)
	}
}
