/* SPDX-License-Identifier: MIT */
/*
 * grt.c - what libgrt costs, one measurement a run: grt NAME [N].
 *
 * Prints lines "name value". go/main.go measures the same with the same names; bench.py runs both in
 * turn and makes the table. N is a size for those that have one.
 *
 * Short times are taken over many chunks of some 100 us: whoever else uses the CPU disturbs a few of them,
 * and not their median. Loops that a measurement times make no call that the other side does not make. Whatever a goroutine
 * must do beside what is timed is done by raw system calls, which the scheduler does not see.
 */
#include <errno.h>
#include <fcntl.h>
#include <grt/grt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "grt.h"

#define CHUNKS 401 /* timed one by one, and the median taken; odd */
#define CHUNK_YIELDS 1000
#define CHUNK_BATCHES 10
#define SPAWN_BATCH 100
#define CHUNK_CALLS 2000
#define HANDOFFS 2000
#define WAITS 2000
#define WAIT_NS 200000
#define SOLO_NS 300000000ll   /* how long a computing goroutine is watched */
#define SETTLE_NS 100000000ll /* for the last blockers to enter the kernel */
#define THREADS_MAX 20000u

static long n_arg;

void out(const char *name, double value)
{
	printf("%s %.3f\n", name, value);
	fflush(stdout);
}

void die(const char *what, int err)
{
	fprintf(stderr, "grt: cannot %s: %s\n", what, strerror(err));
	exit(1);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value that a share of the n values is below. Sorts. */
double quantile(double *v, size_t n, double share)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[(size_t)((double)(n - 1) * share)];
}

static long status_field(const char *key)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "r");
	long value = -1;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			value = atol(line + strlen(key));
	if (f)
		fclose(f);
	return value;
}

/* A FIFO that nobody writes: open for reading and writing, so that reads block and the open does not. */
static int fifo_new(void)
{
	char dir[] = "/tmp/bench-XXXXXX", path[64];
	int fd;

	if (!mkdtemp(dir))
		die("make a directory", errno);
	snprintf(path, sizeof(path), "%s/fifo", dir);
	if (mkfifo(path, 0600) != 0)
		die("make a FIFO", errno);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die("open a FIFO", errno);
	unlink(path);
	rmdir(dir);
	return fd;
}

/* --- switch, spawn ------------------------------------------------------------------------------ */

static double chunk_ns[CHUNKS];

void yield_on(void *arg)
{
	while (!__atomic_load_n((bool *)arg, __ATOMIC_RELAXED))
		grt_yield();
}

/* Two goroutines yield to each other: each yield of one is two switches. */
static int bench_switch(void *arg)
{
	static bool should_end;

	(void)arg;
	grt_go(yield_on, &should_end);
	grt_yield();
	for (int i = 0; i < CHUNKS; i++) {
		int64_t t0 = grt_now();

		for (int k = 0; k < CHUNK_YIELDS; k++)
			grt_yield();
		chunk_ns[i] = (double)(grt_now() - t0) / (2 * CHUNK_YIELDS);
	}
	__atomic_store_n(&should_end, true, __ATOMIC_RELAXED);
	out("switch_ns", quantile(chunk_ns, CHUNKS, 0.5));
	return 0;
}

static void end_at_once(void *arg)
{
	grt_waitgroup_done(arg);
}

static int bench_spawn(void *arg)
{
	grt_waitgroup wg = GRT_WAITGROUP_INIT;

	(void)arg;
	for (int i = 0; i < CHUNKS; i++) {
		int64_t t0 = grt_now();

		for (int r = 0; r < CHUNK_BATCHES; r++) {
			grt_waitgroup_add(&wg, SPAWN_BATCH);
			for (int k = 0; k < SPAWN_BATCH; k++)
				if (grt_go(end_at_once, &wg) != 0)
					die("start a goroutine", ENOMEM);
			grt_waitgroup_wait(&wg);
		}
		chunk_ns[i] = (double)(grt_now() - t0) / (CHUNK_BATCHES * SPAWN_BATCH);
	}
	out("spawn_ns", quantile(chunk_ns, CHUNKS, 0.5));
	return 0;
}

/* --- calls -------------------------------------------------------------------------------------- */

static long nothing(void *arg)
{
	__asm__ volatile("" : "+r"(arg));
	return (long)arg;
}

/* Nanoseconds of each of CHUNK_CALLS calls. */
#define TIMED(call)                                           \
	({                                                    \
		int64_t begin_ns = grt_now();                 \
		for (int k = 0; k < CHUNK_CALLS; k++)         \
			call;                                 \
		(double)(grt_now() - begin_ns) / CHUNK_CALLS; \
	})

/*
 * Chunks with and without, in turn: what disturbs the machine meanwhile disturbs both. The raw call is
 * libc's, a function like ours: each return after a system call is mispredicted where the kernel clears
 * the return stack, so that an inlined instruction would be cheaper than any function by several ns.
 */
static void calls_measure(int chunks)
{
	static double raw[CHUNKS], pair[CHUNKS], foreign[CHUNKS];
	long (*volatile fn)(void *) = nothing;

	for (int i = 0; i < chunks; i++) {
		raw[i] = TIMED(syscall(SYS_getppid));
		pair[i] = TIMED(grt_syscall(SYS_getppid, 0, 0, 0, 0, 0, 0)) - raw[i];
		foreign[i] = TIMED(grt_blocking_call(nothing, NULL)) - TIMED(fn(NULL));
	}
	out("raw_ns", quantile(raw, (size_t)chunks, 0.5));
	out("foreign_ns", quantile(foreign, (size_t)chunks, 0.5));
	out("pair_ns", quantile(pair, (size_t)chunks, 0.5));
}

/* A line on stdin asks for one measurement: meanwhile somebody may attach, and then fewer chunks do. */
static int bench_calls(void *arg)
{
	int chunks = n_arg > 0 && n_arg < CHUNKS ? (int)n_arg : CHUNKS;
	char line[16];

	(void)arg;
	while (fgets(line, sizeof(line), stdin))
		calls_measure(chunks);
	return 0;
}

/* --- hand-off ----------------------------------------------------------------------------------- */

/* With N somebody watches: they are there when a line comes, and have gone when stdin closes. */
static void wait_for_watcher(void)
{
	char line[16];

	printf("pid %d\n", getpid());
	fflush(stdout);
	if (n_arg && !fgets(line, sizeof(line), stdin))
		die("read a line", errno);
}

static void wait_for_end(void)
{
	char line[16];

	while (n_arg && fgets(line, sizeof(line), stdin))
		;
}

static struct {
	grt_mutex turn; /* unlocked by main when the other one is to run */
	int fifo;
	int64_t before_ns[HANDOFFS];
	double us[HANDOFFS];
	int n;
} hand = { .turn = GRT_MUTEX_INIT };

static void run_next(void *arg)
{
	(void)arg;
	for (;;) {
		grt_mutex_lock(&hand.turn);
		hand.us[hand.n] = (double)(grt_now() - hand.before_ns[hand.n]) / 1000;
		hand.n++;
		if (syscall(SYS_write, hand.fifo, "x", 1) != 1)
			die("write a FIFO", errno);
	}
}

/*
 * Who watches measures until the new M has the P, as the runtime's own books do. That a goroutine runs there
 * takes a look at queues more, and who is in the way may have the CPU.
 */
static void handoffs_by_books(void)
{
	static struct grt_rec rec[2 * HANDOFFS];
	static double us[HANDOFFS];
	ssize_t n = grt_sink_read(rec, 2 * HANDOFFS), at = 0;
	size_t told = 0;

	/* The first one after each start. */
	for (int i = 0; i < HANDOFFS; i++) {
		while (at < n && (rec[at].kind != GRT_K_handoff_done ||
				  (int64_t)rec[at].time_ns < hand.before_ns[i]))
			at++;
		if (at < n &&
		    (i + 1 == HANDOFFS || (int64_t)rec[at].time_ns < hand.before_ns[i + 1]))
			us[told++] = (double)((int64_t)rec[at].time_ns - hand.before_ns[i]) / 1000;
	}
	if (told == 0)
		die("find a hand-off in the books", ENODATA);
	out("handoff_books_p50_us", quantile(us, told, 0.5));
}

static int bench_handoff(void *arg)
{
	char byte;
	int rc;

	(void)arg;
	hand.fifo = fifo_new();
	wait_for_watcher();
	rc = n_arg ? grt_sink_open(1ull << GRT_K_handoff_done, 2 * HANDOFFS) : 0;
	if (rc)
		die("open the sink", -rc);
	grt_mutex_lock(&hand.turn);
	grt_go(run_next, NULL);
	grt_yield();
	for (int i = 0; i < HANDOFFS; i++) {
		hand.before_ns[i] = grt_now();
		grt_mutex_unlock(&hand.turn);
		if (grt_read(hand.fifo, &byte, 1) != 1)
			die("read a FIFO", errno);
	}
	out("handoff_p99_us", quantile(hand.us, HANDOFFS, 0.99));
	out("handoff_p50_us", quantile(hand.us, HANDOFFS, 0.5));
	if (n_arg)
		handoffs_by_books();
	wait_for_end();
	return 0;
}

/* --- waits on a socket -------------------------------------------------------------------------- */

static struct {
	int fd[2]; /* the first one is the netpoller's */
	int64_t ns;
} waits;

/* One P: whoever writes has not run yet when it reads, and so each read waits. */
static void read_waits(void *arg)
{
	char byte;

	(void)arg;
	for (int i = 0; i < WAITS; i++) {
		int64_t before_ns = grt_now();

		if (grt_read(waits.fd[0], &byte, 1) != 1)
			die("read a socket", errno);
		waits.ns += grt_now() - before_ns;
	}
}

static int bench_waits(void *arg)
{
	(void)arg;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, waits.fd) ||
	    grt_fd_pollable(waits.fd[0]))
		die("make a socket", errno);
	wait_for_watcher();
	grt_go(read_waits, NULL);
	for (int i = 0; i < WAITS; i++) {
		grt_sleep(WAIT_NS);
		if (syscall(SYS_write, waits.fd[1], "x", 1) != 1)
			die("write a socket", errno);
	}
	grt_sleep(SETTLE_NS);
	out("wait_mean_us", (double)waits.ns / WAITS / 1000);
	wait_for_end();
	return 0;
}

/* --- blocked threads ---------------------------------------------------------------------------- */

static struct {
	int fifo;
	long entered;
	uint64_t loops; /* of the computing goroutine */
} blocked;

static void compute(void *arg)
{
	uint64_t x = 1;

	(void)arg;
	for (;;) {
		for (int i = 0; i < 1000; i++)
			x = x * 3 + 1;
		__asm__ volatile("" : : "r"(x));
		__atomic_add_fetch(&blocked.loops, 1, __ATOMIC_RELAXED);
	}
}

static void block(void *arg)
{
	char byte;

	(void)arg;
	__atomic_add_fetch(&blocked.entered, 1, __ATOMIC_SEQ_CST);
	grt_read(blocked.fifo, &byte, 1);
}

/* n goroutines read a FIFO that nobody writes. */
static void block_many(long n)
{
	blocked.fifo = fifo_new();
	for (long i = 0; i < n; i++)
		if (grt_go(block, NULL) != 0)
			die("start a goroutine", ENOMEM);
	while (__atomic_load_n(&blocked.entered, __ATOMIC_SEQ_CST) < n)
		grt_sleep(200000);
}

static double speed_over(int64_t ns)
{
	uint64_t loops = __atomic_load_n(&blocked.loops, __ATOMIC_RELAXED);
	int64_t t0 = grt_now();

	grt_sleep(ns);
	loops = __atomic_load_n(&blocked.loops, __ATOMIC_RELAXED) - loops;
	return (double)loops / (double)(grt_now() - t0);
}

static int bench_blocked(void *arg)
{
	double solo, storm;
	uint64_t loops;
	int64_t t0;

	(void)arg;
	grt_set_max_threads(THREADS_MAX);
	grt_go(compute, NULL);
	grt_sleep(SETTLE_NS);
	solo = speed_over(SOLO_NS);
	loops = __atomic_load_n(&blocked.loops, __ATOMIC_RELAXED);
	t0 = grt_now();
	block_many(n_arg);
	loops = __atomic_load_n(&blocked.loops, __ATOMIC_RELAXED) - loops;
	storm = (double)loops / (double)(grt_now() - t0);
	out("block_ms", (double)(grt_now() - t0) / 1e6);
	grt_sleep(SETTLE_NS);
	out("threads", (double)status_field("Threads:"));
	out("share_storm_pct", storm / solo * 100);
	out("share_pct", speed_over(SOLO_NS) / solo * 100);
	return 0;
}

/* So many blocked threads, to be looked at from outside, until stdin closes. */
static int bench_stay(void *arg)
{
	char line[16];

	(void)arg;
	grt_set_max_threads(THREADS_MAX);
	block_many(n_arg);
	grt_sleep(SETTLE_NS);
	out("threads", (double)status_field("Threads:"));
	while (fgets(line, sizeof(line), stdin))
		;
	return 0;
}

/* --- memory ------------------------------------------------------------------------------------- */

static struct {
	grt_waitgroup never;
	long n;
} parked = { .never = GRT_WAITGROUP_INIT };

static void park(void *arg)
{
	(void)arg;
	__atomic_add_fetch(&parked.n, 1, __ATOMIC_SEQ_CST);
	grt_waitgroup_wait(&parked.never);
}

static void park_many(long n)
{
	for (long i = 0; i < n; i++) {
		if (grt_go(park, NULL) != 0)
			die("start a goroutine", ENOMEM);
		if (i % 100 == 0)
			grt_yield();
	}
	while (__atomic_load_n(&parked.n, __ATOMIC_SEQ_CST) < n)
		grt_yield();
	parked.n = 0;
}

static int bench_parked(void *arg)
{
	long rss, tables;

	(void)arg;
	grt_waitgroup_add(&parked.never, 1);
	park_many(1);
	rss = status_field("VmRSS:");
	tables = status_field("VmPTE:");
	park_many(n_arg);
	tables = status_field("VmPTE:") - tables;
	rss = status_field("VmRSS:") - rss;
	out("parked_tables_bytes", (double)tables * 1024 / (double)n_arg);
	out("parked_bytes", (double)(rss + tables) * 1024 / (double)n_arg);
	return 0;
}

static const struct {
	const char *name;
	unsigned procs;
	int (*fn)(void *arg);
} benches[] = {
	{ "switch", 1, bench_switch },   { "spawn", 1, bench_spawn },
	{ "calls", 1, bench_calls },     { "handoff", 1, bench_handoff },
	{ "blocked", 2, bench_blocked }, { "stay", 2, bench_stay },
	{ "parked", 1, bench_parked },   { "waits", 1, bench_waits },
	{ "busy", 2, bench_busy },
};

int main(int argc, char **argv)
{
	struct grt_options o = { .size = sizeof(o) };

	n_arg = argc > 2 ? atol(argv[2]) : 0;
	if (n_arg && !strcmp(argv[1], "asker"))
		return bench_asker((int)n_arg);
	for (size_t i = 0; argc > 1 && i < sizeof(benches) / sizeof(benches[0]); i++)
		if (strcmp(argv[1], benches[i].name) == 0) {
			o.procs = benches[i].procs;
			return grt_run_opts(&o, benches[i].fn, NULL);
		}
	fprintf(stderr,
		"usage: grt switch|spawn|busy|calls [N]|handoff [1]|waits [1]|blocked N|stay N|parked N\n");
	return 2;
}
