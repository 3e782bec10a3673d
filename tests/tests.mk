# tests.mk - how tests are built and run. Included by the Makefile.

# Unit tests of runtime files; all others are of tools.
RT_UNIT   := context errno lock stack runq timer probes sink layout_note overflow retake take procs \
	invariants
# What an assertion says can be tested where assertions are.
UNIT_SRC  := $(filter-out $(if $(findstring GRT_DEBUG,$(BASE)),,%/invariants_test.c), \
	$(wildcard tests/unit/*_test.c))
SCHED_SRC := $(wildcard tests/sched/*_test.c)
E2E_SRC   := $(wildcard tests/e2e/*_test.c)
RT_UNIT_BIN   := $(filter $(RT_UNIT:%=$(O)/tests/unit/%_test),$(UNIT_SRC:%.c=$(O)/%))
TOOL_UNIT_BIN := $(filter-out $(RT_UNIT_BIN),$(UNIT_SRC:%.c=$(O)/%))
SCHED_BIN := $(SCHED_SRC:%.c=$(O)/%)
E2E_BIN   := $(E2E_SRC:%.c=$(O)/%)
ASSERT_BIN := $(patsubst %.c,$(O)/%,$(wildcard tests/assert/*_test.c))
# One that looks at processes with gotrace's own rooms, not through its screen.
TOOL_E2E_BIN := $(filter %/source_test %/threadmap_test %/source_rows_test %/links_test %/replay_test %/stacks_test,$(E2E_BIN))
UNIT_OBJ  := $(ASSERT_OWN) $(filter-out %/gotrace.o,$(TOOL_OBJ))
TRACEES   := $(patsubst tests/%.c,$(O)/%,$(wildcard tests/tracee/*.c)) \
	$(O)/tracee/many-bare $(O)/tracee/many-stripped
TEST_LIBS := -lcmocka -lpthread -ldl

$(RT_UNIT_BIN) $(SCHED_BIN): $(O)/%: %.c $(RT_OBJ)
	$(call say,TEST)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -ftls-model=initial-exec -pthread -Iruntime/include $(CFLAGS) -MF $@.d -o $@ $< \
		$(RT_OBJ) $(TEST_LIBS)

$(TOOL_UNIT_BIN) $(TOOL_E2E_BIN): $(O)/%: %.c $(UNIT_OBJ)
	$(call say,TEST)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -I$(O)/bpf $(CFLAGS) -MF $@.d -o $@ $< \
		$(UNIT_OBJ) $(TOOL_LIBS) $(TEST_LIBS)

# Time is the test's own there, and sysmon's passes are counted.
$(O)/tests/assert/sysmon_assert_test: WRAP := -Wl,--wrap=clock_ns,--wrap=note_sleep_for

# As a user's test is built, but for the runtime's objects: their internals are dumped on failure.
$(ASSERT_BIN): $(O)/%: %.c $(RT_OBJ) $(O)/libgotrace-assert.a
	$(call say,TEST)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -ftls-model=initial-exec -pthread -Iruntime/include $(CFLAGS) $(WRAP) -MF $@.d -o $@ $< \
		$(RT_OBJ) $(O)/libgotrace-assert.a $(TOOL_LIBS) $(TEST_LIBS)

$(filter-out $(TOOL_E2E_BIN),$(E2E_BIN)): $(O)/%: %.c | $(SKEL)
	$(call say,TEST)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -I$(O)/bpf $(CFLAGS) -MF $@.d -o $@ $< $(TOOL_LIBS) $(TEST_LIBS)

$(O)/tracee/%: tests/tracee/%.c $(O)/libgrt.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -pthread -Iruntime/include $(CFLAGS) -MF $@.d -o $@ $< $(O)/libgrt.a -ldl

# The same program in builds whose stacks are harder to read.
$(O)/tracee/many-bare: tests/tracee/many.c $(O)/libgrt.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -pthread -Iruntime/include $(CFLAGS) -O2 -fomit-frame-pointer -no-pie -MF $@.d \
		-o $@ $< $(O)/libgrt.a -ldl
$(O)/tracee/many-stripped: $(O)/tracee/many
	$(Q)objcopy --only-keep-debug $< $@.debug
	$(Q)objcopy --strip-all $< $@

$(O)/run: tests/run.c
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) $(CFLAGS) -MF $@.d -o $@ $<

# In the variants also what asserts: the runtime, the library and the tool that it starts are built so.
# The tool's rooms read what others wrote: address looks at them, too.
RUNTIME_TESTS = $(RT_UNIT_BIN) $(SCHED_BIN) $(if $(SAN),$(ASSERT_BIN)) \
	$(if $(filter address,$(SAN)),$(TOOL_UNIT_BIN))
tests: $(RT_UNIT_BIN) $(TOOL_UNIT_BIN) $(SCHED_BIN) $(ASSERT_BIN) $(E2E_BIN) $(TRACEES) $(O)/run

# --- running ---------------------------------------------------------------------------------------

export TEST_TOTALS ?= $(abspath $(O))/test-totals
TEST_ENV = GOTRACE=$(abspath $(O))/gotrace TRACEE_DIR=$(abspath $(O))/tracee \
	EXAMPLES_DIR=$(abspath $(O))/examples GOTRACE_TREE=$(CURDIR) BUILD_DIR=$(abspath $(O)) \
	TSAN_OPTIONS=atexit_sleep_ms=0

test-runtime: $(RUNTIME_TESTS) $(if $(SAN),$(O)/gotrace $(O)/examples/growth \
	$(O)/tracee/sleeper $(O)/tracee/gate) $(O)/run
	$(Q)$(TEST_ENV) $(O)/run --label '$(if $(SAN),$(SAN): )' $(RUNTIME_TESTS)
test-tools: all tests
	$(Q)$(TEST_ENV) $(O)/run $(TOOL_UNIT_BIN) $(ASSERT_BIN) tests/assert/example_test.sh tests/e2e/golden_test.sh $(E2E_BIN)

# The tests of the runtime and the assertions once more, as each of these sees them.
VARIANTS := debug stress address thread
$(VARIANTS:%=test-%):
	$(Q)$(MAKE) --no-print-directory O=$(O)/$(@:test-%=%) SAN=$(@:test-%=%) test-runtime

test-model: $(O)/run
	$(Q)$(O)/run --seconds 600 tests/model/model_test.sh
model: test-model
model-long:
	$(Q)tests/model/model_test.sh long
asan: test-address
tsan: test-thread
stress: test-stress
debug: test-debug

check: deps-check
	$(Q)rm -f $(TEST_TOTALS)
	$(Q)$(MAKE) --no-print-directory -j2 all tests
	$(Q)$(MAKE) --no-print-directory check-doors
	$(Q)ok=0; for t in test-runtime test-tools test-model $(VARIANTS:%=test-%) mutants-fast; do \
		echo "== $$t"; $(MAKE) --no-print-directory $$t || ok=1; done; \
	tests/totals.sh $(TEST_TOTALS) && exit $$ok

# What field cases ask for in rounds: stale events and errno, for some minutes each.
LONG_TESTS = $(O)/tests/sched/waiters_test $(O)/tests/sched/stale_test $(O)/tests/sched/errno_test $(O)/tests/e2e/threadmap_test
check-long: $(LONG_TESTS) $(O)/run
	$(Q)GRT_LONG=1 $(TEST_ENV) nice $(O)/run --seconds 7200 $(LONG_TESTS)

# One mistake of the runtime at a time: an assertion must name its cause. Takes minutes; ONLY='01 08' runs
# these. What check runs is quick: one that the sink sees, one of the assertion's own, one of an invariant;
# that the tests pass without a mistake it has shown before. All must still apply.
MUTANTS_FAST := 03 06 08
mutants mutants-fast: $(RT_OBJ) $(O)/libgotrace-assert.a
	$(Q)for m in tests/mutants/*.patch; do patch --dry-run -s -f -p1 <$$m || exit 1; done
	$(Q)$(MAKE) -s O=$(O)/debug SAN=debug $(RT_OBJ:$(O)/%=$(O)/debug/%)
	$(Q)nice tests/mutants/mutants.py --plain $(abspath $(O)) --debug $(abspath $(O)/debug) \
		$(if $(findstring fast,$@),--no-control $(MUTANTS_FAST),$(ONLY))

# Do they pass without a mistake, whatever the machine does meanwhile? All programs that a mutant names and all
# that assert, in both builds that mutants are made of, with a busy loop a CPU beside. RUNS of each; half
# an hour on two CPUs.
RUNS ?= 100
NAMED := $(sort $(shell sed -n 's/^test: *//p' tests/mutants/*.patch))
CONTROL = $(sort $(NAMED:%=$(O)/%) $(ASSERT_BIN))
control-one: $(CONTROL) $(O)/run $(if $(SAN),$(O)/gotrace $(O)/examples/growth $(O)/tracee/sleeper $(O)/tracee/gate)
	$(Q)$(TEST_ENV) nice $(O)/run --label '$(if $(SAN),$(SAN): )' --repeat $(RUNS) \
		--loops $$(nproc) $(CONTROL)
mutants-control: all tests
	$(Q)ok=0; $(MAKE) --no-print-directory control-one || ok=1; \
	$(MAKE) --no-print-directory O=$(O)/debug SAN=debug control-one || ok=1; exit $$ok

check-doors:
	$(Q)tests/doors.sh

.PHONY: tests test-runtime test-tools test-model $(VARIANTS:%=test-%) check check-long check-doors mutants \
	mutants-control control-one \
	mutants-fast model model-long asan tsan stress debug

# --- the house ---------------------------------------------------------------------------------------

# A link would become a copy.
OURS = $(filter-out vmlinux/% runtime/include/grt/trace_abi.h,$(shell git ls-files '*.c' '*.h'))

format:
	$(Q)clang-format -i $(OURS)
format-check:
	$(Q)clang-format --dry-run -Werror $(OURS)
# A process a file: with many files clang-tidy 14 confuses headers that are reached by several paths.
tidy: $(SKEL)
	$(Q)printf '%s\n' $(filter-out bpf/%,$(filter %.c,$(OURS))) | xargs -P 2 -I{} clang-tidy --quiet {} -- \
		-std=gnu11 -D_GNU_SOURCE= -DGRT_DEBUG -Iruntime/include -Itools/assert -isystem $(O)/bpf \
		-DGOTRACE_VERSION='"$(VERSION)"'

.PHONY: format format-check tidy

# --- measurements ------------------------------------------------------------------------------------

include tests/bench/bench.mk
