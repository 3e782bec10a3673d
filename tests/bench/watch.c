/* SPDX-License-Identifier: MIT */
/*
 * watch.c - what gotrace costs, measured inside it: the same sources, without model and view.
 *
 *   watch attach PID cold|hot    hot: all of them; how long it took; detaches when stdin closes
 *   watch snapshot PID N bpf|proc
 *   watch stats                  the kernel times its BPF programs until stdin closes
 *
 * Prints lines "name value".
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../tools/heap.h"
#include "../../tools/source/source.h"
#include "../../tools/source/threads.h"

#define SNAPSHOTS_MAX 1000
#define EXIT_CANNOT 77 /* not on this machine, or not by this user */
#define WAIT_NS 50000000
#define MS(ns) ((double)(ns) / 1e6)

static uint64_t kinds_of(const char *temperature)
{
	uint64_t kinds = 0;

	for (int i = 0; i < probe_table_len; i++)
		if (strcmp(probe_table[i].temperature, "cold") == 0 ||
		    strcmp(temperature, "hot") == 0)
			kinds |= 1ull << probe_table[i].kind;
	return kinds;
}

static void out(const char *name, double value)
{
	printf("%s %.3f\n", name, value);
	fflush(stdout);
}

static void count(void *arg, const struct grt_rec *rec)
{
	if (rec->kind == GRT_K_SNAP_M)
		++*(long *)arg;
}

static bool is_stdin_open(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

/* Events are handed on while we wait, as gotrace does. */
static int attach(struct target *t, const char *temperature)
{
	struct source_opts o = { .kinds = kinds_of(temperature), .want_switches = true };
	uint64_t t0 = threads_now_ns();
	struct source_status st;
	struct source *s;
	long rows = 0;
	int code = 0;

	s = source_live_open(t, &o, &code);
	if (!s)
		return code;
	t0 = threads_now_ns() - t0;
	s->ops->status(s, &st);
	if (st.armed != st.wanted || st.wanted == 0) {
		fprintf(stderr, "%d of %d probes armed: %s\n", st.armed, st.wanted,
			st.why_not_higher);
		return EXIT_CANNOT;
	}
	s->ops->snapshot(s, count, &rows);
	out("armed", st.armed);
	out("attach_ms", MS(t0));
	while (is_stdin_open() &&
	       s->ops->wait(s, (int64_t)threads_now_ns() + WAIT_NS, count, &rows) == 0)
		;
	s->ops->status(s, &st);
	out("probe_hits", (double)st.probe_hits);
	t0 = threads_now_ns();
	s->ops->close(s);
	out("detach_ms", MS(threads_now_ns() - t0));
	return 0;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int snapshot(struct target *t, int n, bool is_sampled)
{
	struct source_opts o = { .sample_only = is_sampled };
	static double ms[SNAPSHOTS_MAX];
	struct source_status st;
	struct source *s;
	long rows = 0;
	int code = 0;

	s = source_live_open(t, &o, &code);
	if (!s)
		return code;
	s->ops->status(s, &st);
	if (st.has_iterator == is_sampled) {
		fprintf(stderr, "%s\n", st.why_not_higher);
		return EXIT_CANNOT;
	}
	for (int i = -1; i < n; i++) {
		uint64_t t0 = threads_now_ns();

		rows = 0;
		if (s->ops->snapshot(s, count, &rows) != 0)
			return 1;
		if (i >= 0) /* the first one makes room for the others */
			ms[i] = MS(threads_now_ns() - t0);
	}
	s->ops->close(s);
	qsort(ms, (size_t)n, sizeof(ms[0]), by_value);
	out("rows", (double)rows);
	out("snapshot_ms", ms[n / 2]);
	return 0;
}

/* The kernel stops to count when the descriptor goes, however we end. */
static int stats(void)
{
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);

	if (fd < 0) {
		fprintf(stderr, "cannot time BPF programs: %s\n", strerror(errno));
		return EXIT_CANNOT;
	}
	puts("counting");
	fflush(stdout);
	while (getchar() != EOF)
		;
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	struct target *t;
	int code = 2, n;

	heap_arrange();
	if (argc == 2 && strcmp(argv[1], "stats") == 0)
		return stats();
	if (argc < 4) {
		fprintf(stderr,
			"usage: watch attach PID cold|hot | snapshot PID N bpf|proc | stats\n");
		return 2;
	}
	source_signals_init();
	t = target_open(atoi(argv[2]), &code);
	if (!t)
		return code;
	n = atoi(argv[3]);
	if (strcmp(argv[1], "attach") == 0)
		code = attach(t, argv[3]);
	else if (argc > 4 && n > 0 && n <= SNAPSHOTS_MAX)
		code = snapshot(t, n, strcmp(argv[4], "proc") == 0);
	target_close(t);
	return code;
}
