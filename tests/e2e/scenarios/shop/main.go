// shop is the service of scenarios 1 and 5: an ordinary Go program with client_golang whose work and failures
// are chosen by whoever calls it.
//
//	GET /do?method=GET&endpoint=/blog&code=200&seconds=0.2   one handled request
//	GET /db?host=db1&ok=1&seconds=0.1                        one connect, and a query when it succeeded
//	GET /blog                                                one more blog
//	GET /health                                              503 after /inject?down=1
//	GET /inject?errors=0.5&down=1                            share of /do that becomes a 500; the health check
//	GET /metrics                                             OpenMetrics or protobuf, exemplars and native histograms
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var (
	requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "wolt_http_requests_total",
		Help: "Requests by what became of them."}, []string{"method", "endpoint", "code"})
	seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "wolt_http_response_time_seconds",
		Help: "How long they took.", Buckets: []float64{0.05, 0.1, 0.25, 0.5, 1, 2, 5},
		NativeHistogramBucketFactor: 1.1}, []string{"method", "endpoint"})
	connectSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "wolt_db_connect_time",
		Help: "Connecting to the database, seconds.", Buckets: []float64{0.1, 0.5, 1, 2, 5}}, []string{"host"})
	connects = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "wolt_db_connect_success",
		Help: "Connects by outcome."}, []string{"host", "status"})
	queries = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "wolt_db_query_success",
		Help: "Queries by outcome."}, []string{"host", "status"})
	querySeconds = prometheus.NewSummaryVec(prometheus.SummaryOpts{Name: "wolt_db_query_time",
		Help: "Queries, seconds.", Objectives: map[float64]float64{0.5: 0.05, 0.99: 0.001}}, []string{"host"})
	encode = prometheus.NewHistogram(prometheus.HistogramOpts{Name: "wolt_json_encode_time",
		Help: "Encoding, seconds.", Buckets: prometheus.ExponentialBuckets(1e-6, 10, 6)})
	blogs = prometheus.NewGauge(prometheus.GaugeOpts{Name: "wolt_blog_count", Help: "Blogs there are."})

	down      atomic.Bool
	errors    atomic.Uint64 // every which /do fails; 0 is none
	handled   atomic.Uint64
	traceNext atomic.Uint64
)

func number(r *http.Request, name string, otherwise float64) float64 {
	v, err := strconv.ParseFloat(r.FormValue(name), 64)
	if err != nil {
		return otherwise
	}
	return v
}

func text(r *http.Request, name, otherwise string) string {
	if v := r.FormValue(name); v != "" {
		return v
	}
	return otherwise
}

func status(ok bool) string {
	if ok {
		return "success"
	}
	return "failure"
}

func do(w http.ResponseWriter, r *http.Request) {
	method, endpoint, code := text(r, "method", "GET"), text(r, "endpoint", "/"), int(number(r, "code", 200))
	if every := errors.Load(); every != 0 && handled.Add(1)%every == 0 {
		code = 500
	}
	took, trace := number(r, "seconds", 0.01), fmt.Sprintf("%016x", traceNext.Add(1))
	requests.WithLabelValues(method, endpoint, strconv.Itoa(code)).Inc()
	seconds.WithLabelValues(method, endpoint).(prometheus.ExemplarObserver).ObserveWithExemplar(took, prometheus.Labels{"trace_id": trace})
	encode.Observe(took / 1000)
	w.Header().Set("Trace-Id", trace)
	w.WriteHeader(code)
}

func db(w http.ResponseWriter, r *http.Request) {
	host, ok, took := text(r, "host", "db1"), number(r, "ok", 1) != 0, number(r, "seconds", 0.01)
	connects.WithLabelValues(host, status(ok)).Inc()
	connectSeconds.WithLabelValues(host).Observe(took)
	if ok {
		queries.WithLabelValues(host, status(number(r, "query", 1) != 0)).Inc()
		querySeconds.WithLabelValues(host).Observe(took * 2)
	}
}

func health(w http.ResponseWriter, _ *http.Request) {
	if down.Load() {
		http.Error(w, "down", http.StatusServiceUnavailable)
	}
}

func inject(_ http.ResponseWriter, r *http.Request) {
	down.Store(number(r, "down", 0) != 0)
	if share := number(r, "errors", 0); share > 0 {
		errors.Store(uint64(1 / share))
	} else {
		errors.Store(0)
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "where to listen")
	flag.Parse()
	registry := prometheus.NewRegistry()
	registry.MustRegister(requests, seconds, connectSeconds, connects, queries, querySeconds, encode, blogs)
	http.HandleFunc("/do", do)
	http.HandleFunc("/db", db)
	http.HandleFunc("/blog", func(http.ResponseWriter, *http.Request) { blogs.Inc() })
	http.HandleFunc("/health", health)
	http.HandleFunc("/inject", inject)
	http.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	log.Fatal(http.ListenAndServe(*listen, nil))
}
