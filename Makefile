# One Makefile, no recursion, no file lists: a new .c file is found by itself.
# Each variant has its own build folder, so changing variants never needs a clean.
NAME    := gnomon
VERSION := 0.1.0
VARIANT ?= debug
OUT     := build/$(VARIANT)
REVISION := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)

WARN := -Wall -Wextra -Wshadow -Wconversion -Wcast-qual -Wvla -Wundef -Wformat=2 \
        -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Werror
SAN  := -fno-omit-frame-pointer -fno-sanitize-recover=all
# Measured and left out: -flto saves 1 % of instructions (docs/performance.md).
FLAGS_release := -O3
FLAGS_debug   := -O1 -DASSERT_SLOW
FLAGS_asan    := -O1 -DASSERT_SLOW $(SAN) -fsanitize=address,undefined
FLAGS_tsan    := -O1 -DASSERT_SLOW $(SAN) -fsanitize=thread
FLAGS_fuzz    := -O1 -DASSERT_SLOW $(SAN) -fsanitize=address,undefined,fuzzer-no-link

# No contraction, no fast math: PromQL promises Prometheus' last bit.
FLOAT   := -ffp-contract=off
CFLAGS  := -std=c11 -D_GNU_SOURCE -g -Iinclude -Isrc -Itests -isystem build/gen $(WARN) $(FLOAT) $(FLAGS_$(VARIANT))
LDFLAGS := $(FLAGS_$(VARIANT)) -rdynamic
LDLIBS  := -luv -lsnappy -lzstd -lz -lxxhash -lyaml -lssl -lcrypto -lcrypt -lpthread -lm

SRC     := $(shell find src -name '*.c')
TEST    := $(shell find tests/unit tests/lib tests/compat tests/sim -name '*.c' ! -name 'sim_*.c' 2>/dev/null)
COMPAT  := $(filter-out tests/compat/test_%,$(wildcard tests/compat/*.c))
TESTLIB := $(shell find tests/lib -name '*.c')
GEN     := $(patsubst proto/%.proto,build/gen/%.pb-c.c,$(wildcard proto/*.proto))
STRESS  := $(patsubst tests/stress/stress_%.c,%,$(wildcard tests/stress/stress_*.c))
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
BENCHES := $(patsubst bench/bench_%.c,%,$(wildcard bench/bench_*.c))
C_FILES := $(shell find src include tests bench -name "*.[ch]" 2>/dev/null)
obj      = $(1:%.c=$(OUT)/%.o)
LIB     := $(call obj,$(filter-out src/server/main.c,$(SRC)))
link     = @echo "  LD $@"; $(CC) $(LDFLAGS) $(filter %.o,$^) $(1) $(LDLIBS) -o $@

# Debug information of a release lies beside it: gdb and perf find it there.
split_release = @! command -v objcopy >/dev/null || { objcopy --only-keep-debug $@ $@.debug && \
    objcopy --strip-debug --add-gnu-debuglink=$@.debug $@; }

.PHONY: differential differential-parse differential-real conformance differential-api all run release install-deps test unit asan tsan fuzz bench bench-guard bench-peers lint fmt fmt-check layers headers threads check bare clean help
all: $(OUT)/$(NAME) compile_commands.json ## build the server (VARIANT=debug|release|asan|tsan)

run: ## install what is missing, build, start on 127.0.0.1:8428 with data in ./gnomon-data
	@scripts/deps.sh build
	@$(MAKE) --no-print-directory -j$$(nproc 2>/dev/null || echo 2) release
	@exec build/release/$(NAME) --web.listen-address=127.0.0.1:8428 --storage.path=gnomon-data --self-scrape-interval=10s $(ARGS)
release: ## build build/release/gnomon, optimised
	@$(MAKE) --no-print-directory VARIANT=release build/release/$(NAME)
install-deps:
	@scripts/deps.sh build test

$(OUT)/$(NAME): $(OUT)/src/server/main.o $(LIB) $(OUT)/files
	$(link)
	$(split_$(VARIANT))
$(OUT)/unit: $(call obj,$(TEST) $(GEN)) $(LIB) $(OUT)/files   ; $(call link,-lcriterion -lprotobuf-c)
$(OUT)/replay_%: $(OUT)/tests/fuzz/fuzz_%.o $(OUT)/tests/fuzz/replay.o $(call obj,$(TESTLIB) $(GEN)) $(LIB) $(OUT)/files ; $(call link,-lprotobuf-c)
$(OUT)/fuzz_%: $(OUT)/tests/fuzz/fuzz_%.o $(call obj,$(TESTLIB) $(GEN)) $(LIB) $(OUT)/files ; $(call link,-fsanitize=fuzzer -lprotobuf-c)
$(OUT)/stress_%: $(OUT)/tests/stress/stress_%.o $(call obj,$(TESTLIB)) $(LIB) $(OUT)/files  ; $(call link)
$(OUT)/sim_%: $(OUT)/tests/sim/sim_%.o $(call obj,$(TESTLIB) $(GEN)) $(LIB) $(OUT)/files ; $(call link,-lprotobuf-c)
$(OUT)/bench_%: $(OUT)/bench/bench_%.o $(LIB) $(OUT)/files ; $(call link)
$(OUT)/tool_%: $(OUT)/bench/load/tool_%.o $(LIB) $(OUT)/files   ; $(call link)
$(OUT)/e2e_%: $(OUT)/tests/e2e/e2e_%.o $(call obj,$(TESTLIB) $(COMPAT)) $(LIB) $(OUT)/files ; $(call link)
.PRECIOUS: $(OUT)/sim_% $(OUT)/%.o $(OUT)/replay_% $(OUT)/fuzz_% $(OUT)/stress_% $(OUT)/bench_% $(OUT)/tool_% $(OUT)/e2e_%

$(OUT)/build/gen/%.o: CFLAGS += -w
$(OUT)/tests/fuzz/%.o: CFLAGS += -Wno-missing-prototypes
$(OUT)/src/server/version.o: CFLAGS += -DGNOMON_VERSION='"$(VERSION)"' -DGNOMON_REVISION='"$(REVISION)"'
$(call obj,$(filter tests/%,$(C_FILES))): | $(GEN)
$(OUT)/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(CFLAGS) -MMD -MP -c $< -o $@
build/gen/%.pb-c.c: proto/%.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=proto --c_out=build/gen $<

unit: $(OUT)/unit ## unit tests only (T='suite/*')
	$(OUT)/unit $(if $(T),--filter='$(T)')
test: ## install what is missing, run every test; the last line says N passed, N failed (T='suite/*' for one unit suite)
	@scripts/test.sh
asan: ## unit tests and saved fuzz inputs under AddressSanitizer and UBSan; a leak fails too
	@scripts/test.sh asan
tsan: ## race tests; plain programs, because Criterion cannot run under ThreadSanitizer
	@for t in $(STRESS); do \
	    $(MAKE) --no-print-directory build/tsan/stress_$$t VARIANT=tsan && build/tsan/stress_$$t || exit 1; done
fuzz: ## fuzz one target (F=regex SECONDS=60), or each for SECONDS when F is not given; finds go to build/fuzz/found
	@for f in $(or $(F),$(FUZZERS)); do \
	    $(MAKE) --no-print-directory build/fuzz/fuzz_$$f VARIANT=fuzz CC=clang || exit 1; \
	    mkdir -p build/fuzz/found/$$f; \
	    build/fuzz/fuzz_$$f -max_total_time=$(or $(SECONDS),60) -rss_limit_mb=2048 \
	        -artifact_prefix=build/fuzz/found/$$f/ build/fuzz/found/$$f tests/fuzz/corpus/$$f || exit 1; done
bench: ## run the benchmarks, or one (B=chunk)
	@for b in $(or $(B),$(BENCHES)); do \
	    $(MAKE) --no-print-directory build/release/bench_$$b VARIANT=release && build/release/bench_$$b || exit 1; done
bench-guard: ## instruction counts of the hot paths against bench/guard.json (needs valgrind; WRITE=1 makes a new baseline)
	@$(MAKE) --no-print-directory build/release/bench_micro VARIANT=release && python3 bench/guard.py
bench-peers: ## race Gnomon beside VictoriaMetrics and Prometheus (RACES="ingest labels" SERIES=1000000; bench/README.md)
	@$(MAKE) --no-print-directory VARIANT=release build/release/$(NAME) build/release/tool_rwgen build/release/tool_rwreplay
	@bench/peers.sh && python3 bench/peers.py

differential-api: release ## every endpoint and 2,000 expressions of dashboards and alerts to Gnomon and to a Prometheus 3.15 ($PROMETHEUS)
	@python3 tests/e2e/test_api_differential.py
differential: release ## random PromQL to Gnomon and to a Prometheus 3.15 ($PROMETHEUS): QUERIES=100000 SEED=7
	@python3 tests/differential/differential.py
differential-parse: release ## what typing errors make of PromQL: errors, format_query and parse_query beside a Prometheus 3.15 (QUERIES= SEED=)
	@python3 tests/differential/parsing.py

differential-real: release ## expressions of real rules and dashboards beside a Prometheus 3.15, over data made to fit: FILES="folder file ..."
	@python3 tests/differential/real.py $(FILES)

conformance: release ## Prometheus' PromQL scripts over HTTP, with a runner of them: RUNNER=promqltest.py SCRIPTS=folder
	@python3 $(RUNNER) --jobs 2 --st-via $(or $(ST),none) $(ARGS) --server-cmd "$(CURDIR)/build/release/$(NAME) --storage.path={dir}/data \
	    --web.listen-address=127.0.0.1:{port} --storage.retention.time=0 --log.level=error --wal.sync=os \
	    --enable-feature=promql-experimental-functions,promql-extended-range-selectors,promql-binop-fill-modifiers \
	    --enable-feature=promql-delayed-name-removal,use-start-timestamps" $(SCRIPTS)/*.test

fmt: ## format in place
	clang-format -i $(C_FILES)
fmt-check:
	clang-format --dry-run -Werror $(C_FILES)
layers: ## who may include whom (src/LAYERS), and cleanup discipline
	@scripts/check_layers.sh
	@scripts/check_cleanup.sh
headers: ## every header compiles alone (but bodies that are compiled once per CPU)
	@for h in $$(find include src -name '*.h' ! -name '*_body.h' ! -name '*_build.h'); do \
	    echo "#include \"$$h\"" | $(CC) $(CFLAGS) -I. -fsyntax-only -x c - || exit 1; done
threads: ## lock annotations, checked by clang
	@status=0; for f in $(SRC); do clang $(CFLAGS) -Wthread-safety -fsyntax-only $$f || status=1; done; exit $$status
# cppcheck's guesses that were looked at and are wrong throughout: buffers filled through a pointer, loops
# over tables that end by construction; gcc and clang define the shift.
CPPCHECK_WRONG := uninitvar legacyUninitvar negativeIndex zerodivcond nullPointerArithmeticRedundantCheck \
    nullPointerRedundantCheck shiftTooManyBitsSigned incorrectStringBooleanError internalAstError
lint: layers headers threads ## everything a machine can say about the code
	cppcheck -j2 --quiet --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	    --suppress=missingIncludeSystem --suppress=checkersReport $(CPPCHECK_WRONG:%=--suppress=%) -Iinclude -Isrc src
check: lint test ## what passes before a commit
bare: ## prove both commands on a bare Debian in a chroot (root only; needs debootstrap)
	@scripts/bare.sh

# Rewritten only when a file appears or disappears, so that a removed file is relinked away.
$(OUT)/files: FORCE
	@mkdir -p $(@D); echo $(SRC) $(TEST) | cmp -s - $@ || echo $(SRC) $(TEST) > $@
# Likewise for what `gnomon version` says.
$(OUT)/src/server/version.o: $(OUT)/version
$(OUT)/version: FORCE
	@mkdir -p $(@D); echo $(VERSION) $(REVISION) | cmp -s - $@ || echo $(VERSION) $(REVISION) > $@
FORCE:
compile_commands.json: Makefile $(OUT)/files
	@for f in $(SRC) $(TEST); do echo "{\"directory\": \"$(CURDIR)\", \"file\": \"$$f\", \
	    \"command\": \"cc $(CFLAGS) -c $$f\"},"; done | sed '1s/^/[/; $$s/,$$/]/' > $@
clean: ## remove build/
	rm -rf build compile_commands.json
help: ## this list
	@sed -nE 's/^([a-z][a-z0-9-]*):.*## (.*)/\1\t\2/p' Makefile deploy/install.mk | expand -t 14

-include deploy/install.mk

-include $(shell find $(OUT) -name '*.d' 2>/dev/null)
