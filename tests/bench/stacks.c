/* SPDX-License-Identifier: MIT */
/*
 * stacks.c - how long it takes to know what all blocked threads of a process are doing: the first
 * time, and later.
 *
 *   stacks PID plain|names|stacks [--sample]
 *
 * Prints lines "name value": the snapshot, until its last record was handed over, in ms.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "../../tools/heap.h"
#include "../../tools/source/source.h"
#include "../../tools/source/threads.h"

#define ROUNDS 6
#define MS(ns) ((double)(ns) / 1e6)

struct count {
	long rows, stacks, texts;
};

static void on_record(void *arg, const struct grt_rec *rec)
{
	struct count *c = arg;

	c->rows += rec->kind == GRT_K_SNAP_M;
	c->stacks += rec->kind == GRT_K_SNAP_STACK && (rec->arg[0] & 0xff) == GRT_STACK_USER &&
		     (rec->arg[0] >> 16 & 0xffff) == 0;
	c->texts += rec->kind == GRT_K_TEXT;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(struct source *s)
{
	struct count first = { 0 }, c;
	double ms[ROUNDS];
	struct rusage own;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t t0 = threads_now_ns();

		memset(&c, 0, sizeof(c));
		if (s->ops->snapshot(s, on_record, i ? &c : &first) < 0)
			exit(1);
		ms[i] = MS(threads_now_ns() - t0);
	}
	getrusage(RUSAGE_SELF, &own);
	printf("first_ms %.2f\n", ms[0]);
	qsort(ms + 1, ROUNDS - 1, sizeof(ms[0]), by_size);
	printf("later_ms %.2f\n", ms[1 + (ROUNDS - 1) / 2]);
	printf("rows %ld\nstacks %ld\ntexts_first %ld\ntexts_later %ld\nrss_mb %ld\n", c.rows,
	       c.stacks, first.texts, c.texts, own.ru_maxrss / 1024);
}

int main(int argc, char **argv)
{
	struct source_opts o = { 0 };
	struct source *s;
	struct target *t;
	uint64_t t0 = threads_now_ns();
	int code = 2;

	heap_arrange();
	if (argc < 3)
		return code;
	o.want_names = strcmp(argv[2], "plain") != 0;
	o.want_stacks = strcmp(argv[2], "stacks") == 0;
	o.sample_only = argc > 3 && !strcmp(argv[3], "--sample");
	t = target_open(atoi(argv[1]), &code);
	s = t ? source_live_open(t, &o, &code) : NULL;
	if (!s)
		return code;
	printf("open_ms %.2f\n", MS(threads_now_ns() - t0));
	measure(s);
	s->ops->close(s);
	target_close(t);
	return 0;
}
