# bench.mk - `make bench`: measure libgrt beside Go, and gotrace; half an hour with ROUNDS=2. Included by tests.mk.
#
#   ROUNDS=5            how often each measurement is repeated, the sides in turn
#
# `make bench-cost`: only what a watching gotrace costs its target, for longer and so to 0.1 % or so.
# `make bench-latency`: the same of the p99 of its answers.
#
#   COMMANDS=threads,blocked,growth,handoff,netpoll   of gotrace
#   SECONDS=180         for each of them
#   AFTER=4             so many seconds after the attach; from 3 on --max-overhead has acted
#   INTERRUPTED=1       the server is put off its CPU within its calls: 30 times the hand-offs

ROUNDS ?= 5
COMMANDS ?= threads,blocked,growth,handoff,netpoll
SECONDS ?= 180
AFTER ?= 4
# Of the whole run: start, the probes' own cost, and what LATE_S in cost.py allows.
COST_LIMIT_S = $$(( ($(SECONDS) + 200) * $(words $(subst $(comma), ,$(COMMANDS))) ))
comma := ,
BENCH_BIN := $(O)/bench/grt $(O)/bench/watch $(O)/bench/stacks

$(O)/bench/grt: tests/bench/grt.c tests/bench/grt_busy.c tests/bench/grt.h $(O)/libgrt.a
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -pthread -Iruntime/include $(CFLAGS) -MF $@.d -o $@ $(filter %.c %.a,$^)

$(O)/bench/watch $(O)/bench/stacks: $(O)/bench/%: tests/bench/%.c $(filter-out %/gotrace.o,$(TOOL_OBJ))
	$(call say,LD)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BASE) -I$(O)/bpf $(CFLAGS) -MF $@.d -o $@ $< $(filter-out %/gotrace.o,$(TOOL_OBJ)) \
		$(TOOL_LIBS)

# Go is another suite's, unpacked beside the build and never installed. The script says in bench/go.txt why
# it could not be had, and the table then says so too; the next run tries again.
$(O)/bench/go.txt: FORCE
	$(call say,GO)
	$(Q)mkdir -p $(@D)
	$(Q)tests/bench/go.sh $(O)/go tests/bench/go $(O)/bench/go >$@

bench: deps
	$(Q)tests/packages.sh python3 wrk
	$(Q)$(MAKE) --no-print-directory all $(BENCH_BIN) $(O)/bench/go.txt
	$(Q)python3 -B tests/bench/bench.py --rounds $(ROUNDS) $(O)

bench-cost: deps
	$(Q)tests/packages.sh python3 wrk
	$(Q)$(MAKE) --no-print-directory all $(BENCH_BIN)
	$(Q)AFTER=$(AFTER) timeout $(COST_LIMIT_S) python3 -B tests/bench/cost.py --seconds $(SECONDS) \
		--commands $(COMMANDS) $(if $(INTERRUPTED),--interrupted) $(O)

bench-latency: deps
	$(Q)tests/packages.sh python3 wrk
	$(Q)$(MAKE) --no-print-directory all
	$(Q)AFTER=$(AFTER) python3 -B tests/bench/latency.py --seconds $(SECONDS) --commands $(COMMANDS) $(O)

.PHONY: bench bench-cost bench-latency
