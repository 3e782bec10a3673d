/* SPDX-License-Identifier: MIT */
/* threads.c - rows and clocks that both ways of listing threads share. */
#include "threads.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS_MIN 64

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
