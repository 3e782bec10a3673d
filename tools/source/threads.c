/* SPDX-License-Identifier: MIT */
/* threads.c - rows and clocks that both ways of listing threads share. */
#include "threads.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS_MIN 64
#define CLOCK_TRIES 9

struct thread_row *thread_list_add(struct thread_list *l)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : ROWS_MIN;
		struct thread_row *row = realloc(l->row, cap * sizeof(*row));

		if (!row)
			return NULL;
		l->row = row;
		l->cap = cap;
	}
	memset(&l->row[l->n], 0, sizeof(l->row[0]));
	l->row[l->n].nr = -1;
	return &l->row[l->n++];
}

static int by_ns_tid(const void *a, const void *b)
{
	const struct thread_row *x = a, *y = b;

	return (x->ns_tid > y->ns_tid) - (x->ns_tid < y->ns_tid);
}

void thread_list_sort(struct thread_list *l)
{
	if (l->n)
		qsort(l->row, l->n, sizeof(l->row[0]), by_ns_tid);
}

struct thread_row *thread_list_find(struct thread_list *l, uint32_t ns_tid)
{
	struct thread_row key = { .ns_tid = ns_tid };

	return l->n ? bsearch(&key, l->row, l->n, sizeof(key), by_ns_tid) : NULL;
}

void thread_list_free(struct thread_list *l)
{
	free(l->row);
	*l = (struct thread_list){ 0 };
}

bool thread_is_asleep(const struct thread_row *t)
{
	return !t->is_on_cpu && t->state != 'R' && t->state != 0;
}

uint64_t threads_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* exec_start of the calling thread; 0: not told here. */
static uint64_t own_exec_start_ns(void)
{
	unsigned long long ms, fraction;
	uint64_t ns = 0;
	char line[256];
	FILE *f = fopen("/proc/thread-self/sched", "re");

	while (f && ns == 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "se.exec_start : %llu.%6llu", &ms, &fraction) == 2)
			ns = ms * 1000000ull + fraction;
	if (f)
		fclose(f);
	return ns;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/*
 * A yield charges the thread and so sets its exec_start to that moment. A tick in between makes one
 * measurement too small, losing the CPU one too large: the median is neither.
 */
int64_t threads_clock_offset_ns(void)
{
	int64_t offset[CLOCK_TRIES];

	for (int i = 0; i < CLOCK_TRIES; i++) {
		uint64_t now, exec_start;

		sched_yield();
		now = threads_now_ns();
		exec_start = own_exec_start_ns();
		if (exec_start == 0)
			return 0;
		offset[i] = (int64_t)now - (int64_t)exec_start;
	}
	qsort(offset, CLOCK_TRIES, sizeof(offset[0]), by_value);
	return offset[CLOCK_TRIES / 2];
}
