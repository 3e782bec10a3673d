/* SPDX-License-Identifier: MIT */
/*
 * netpoll.c - see netpoll.h. One event is one whole wait: how long parked, how long runnable.
 *
 * Rows by descriptor are bounded. A descriptor that finds no place is counted in the row of the
 * rest; if that happened, the next tick moves those that waited least into it too, so that a busy
 * descriptor which came late gets a row within a few ticks. The row of the rest is the first one,
 * always there.
 */
#include <stdlib.h>
#include <string.h>

#include "state.h"

#define FD_MAX (1u << 20) /* a damaged record must not take our memory */
#define EVICT_AT_ONCE 64u /* a tick: 64 merges of two histograms are 100 us */

static void sum_add(struct model_netpoll_sum *s, uint32_t by, uint64_t parked_ns,
		    uint64_t queued_ns)
{
	s->waits++;
	s->by[by]++;
	if (parked_ns != GRT_NO_ID)
		hist_add(&s->parked, parked_ns);
	hist_add(&s->queued, queued_ns);
}

static void sum_merge(struct model_netpoll_sum *into, const struct model_netpoll_sum *from)
{
	into->waits += from->waits;
	for (int i = 0; i < NETPOLL_BYS; i++)
		into->by[i] += from->by[i];
	hist_merge(&into->parked, &from->parked);
	hist_merge(&into->queued, &from->queued);
}

static bool index_reserve(struct netpoll_sums *s, uint32_t fd)
{
	size_t cap = s->index_cap ? s->index_cap : 1024;
	int32_t *bigger;

	if (fd < s->index_cap)
		return true;
	while (cap <= fd)
		cap *= 2;
	bigger = realloc(s->index_of, cap * sizeof(*bigger));
	if (!bigger)
		return false;
	memset(bigger + s->index_cap, 0, (cap - s->index_cap) * sizeof(*bigger));
	s->index_of = bigger;
	s->index_cap = cap;
	return true;
}

static struct model_netpoll_sum *row_add(struct netpoll_sums *s, int32_t fd)
{
	struct model_netpoll_sum *row;

	if (!array_reserve((void **)&s->row, &s->cap, s->n, sizeof(*s->row)))
		return NULL;
	row = &s->row[s->n++];
	memset(row, 0, sizeof(*row));
	row->fd = fd;
	return row;
}

/* The row of a descriptor, or of the rest. NULL: no memory. */
static struct model_netpoll_sum *row_of(struct netpoll_sums *s, uint64_t fd)
{
	struct model_netpoll_sum *row;

	if (s->n == 0 && !row_add(s, NETPOLL_FD_OTHER))
		return NULL;
	if (fd >= FD_MAX || !index_reserve(s, (uint32_t)fd))
		return &s->row[0];
	if (s->index_of[fd])
		return &s->row[s->index_of[fd] - 1];
	row = s->n <= NETPOLL_FDS_MAX ? row_add(s, (int32_t)fd) : NULL;
	if (!row)
		return &s->row[0];
	s->index_of[fd] = (int32_t)s->n;
	return row;
}

/* g, fd, mode, by, parked_ns, queued_ns */
void netpoll_apply(struct model *m, const struct grt_rec *rec)
{
	struct netpoll_sums *s = &m->netpoll;
	uint32_t by = rec->arg[3] < NETPOLL_BYS ? (uint32_t)rec->arg[3] : 0;
	struct model_netpoll_sum *row = row_of(s, rec->arg[1]);

	sum_add(&s->interval, by, rec->arg[4], rec->arg[5]);
	sum_add(&s->by[by], by, rec->arg[4], rec->arg[5]);
	if (!row)
		return;
	if (row->waits == 0)
		row->first_ns = rec->time_ns;
	sum_add(row, by, rec->arg[4], rec->arg[5]);
}

static int waits_compare(const void *a, const void *b, void *arg)
{
	const struct model_netpoll_sum *row = arg;
	uint64_t x = row[*(const uint32_t *)a].waits, y = row[*(const uint32_t *)b].waits;

	return x < y ? -1 : x > y;
}

/* The last row takes the place of one that goes. */
static void evict(struct netpoll_sums *s, uint32_t at)
{
	struct model_netpoll_sum *last = &s->row[s->n - 1];

	sum_merge(&s->row[0], &s->row[at]);
	s->index_of[s->row[at].fd] = 0;
	if (last != &s->row[at]) {
		s->row[at] = *last;
		s->index_of[last->fd] = (int32_t)at + 1;
	}
	s->n--;
}

static int place_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? 1 : x > y ? -1 : 0; /* from the end: none of them moves before its turn */
}

static void evict_least(struct netpoll_sums *s)
{
	uint32_t order[NETPOLL_FDS_MAX], n = 0;

	for (uint32_t i = 1; i < s->n; i++)
		order[n++] = i;
	qsort_r(order, n, sizeof(*order), waits_compare, s->row);
	if (n > EVICT_AT_ONCE)
		n = EVICT_AT_ONCE;
	qsort(order, n, sizeof(*order), place_compare);
	for (uint32_t i = 0; i < n; i++)
		evict(s, order[i]);
}

void netpoll_begin_interval(struct model *m)
{
	struct netpoll_sums *s = &m->netpoll;

	memset(&s->interval, 0, sizeof(s->interval));
	s->interval.fd = NETPOLL_FD_OTHER;
	if (s->n > NETPOLL_FDS_MAX && s->row[0].waits != s->other_before)
		evict_least(s);
	s->other_before = s->n ? s->row[0].waits : 0;
}

static int waiting_key_compare(const void *a, const void *b)
{
	const struct model_waiting *x = a, *y = b;

	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	if (x->mode != y->mode)
		return x->mode < y->mode ? -1 : 1;
	return x->g < y->g ? -1 : x->g > y->g;
}

static int waiting_count_compare(const void *a, const void *b)
{
	const struct model_waiting *x = a, *y = b;
	uint64_t x_since = x->since_ns ? x->since_ns : UINT64_MAX;
	uint64_t y_since = y->since_ns ? y->since_ns : UINT64_MAX;

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	if (x_since != y_since)
		return x_since < y_since ? -1 : 1;
	return waiting_key_compare(a, b);
}

/* Each goroutine a row, in the order of descriptors. */
static void list_waiting(struct netpoll_sums *s, const struct model_g *gs, size_t n)
{
	s->nwaiting = 0;
	for (size_t i = 0; i < n; i++) {
		if (gs[i].status != GRT_G_WAITING || gs[i].fd < 0)
			continue;
		if (!array_reserve((void **)&s->waiting, &s->waiting_cap, s->nwaiting,
				   sizeof(*s->waiting)))
			break;
		s->waiting[s->nwaiting++] = (struct model_waiting){
			.fd = gs[i].fd,
			.mode = gs[i].poll_mode,
			.n = 1,
			.since_ns = gs[i].since_ns,
			.g = gs[i].id,
		};
	}
	s->waiting_gs = s->nwaiting;
	if (s->nwaiting)
		qsort(s->waiting, s->nwaiting, sizeof(*s->waiting), waiting_key_compare);
}

/*
 * Of several goroutines in one direction one is parked at the descriptor and the others wait for
 * their turn: since when each does is not known.
 */
void netpoll_note_snapshot(struct model *m)
{
	struct netpoll_sums *s = &m->netpoll;
	size_t n = 0;

	list_waiting(s, m->now.gs, m->now.ngs);
	s->waiting_fds = 0;
	for (size_t i = 0; i < s->nwaiting; i++) {
		struct model_waiting *w = &s->waiting[i], *same = n ? &s->waiting[n - 1] : NULL;

		if (same && same->fd == w->fd && same->mode == w->mode) {
			same->n++;
			same->since_ns = 0;
		} else {
			s->waiting_fds += !same || same->fd != w->fd;
			s->waiting[n++] = *w;
		}
	}
	s->nwaiting = n;
	if (n)
		qsort(s->waiting, n, sizeof(*s->waiting), waiting_count_compare);
}

void netpoll_sums_fini(struct netpoll_sums *s)
{
	free(s->row);
	free(s->index_of);
	free(s->waiting);
}

const struct model_netpoll_sum *model_netpoll_interval(const struct model *m)
{
	return &m->netpoll.interval;
}

const struct model_netpoll_sum *model_netpoll_by(const struct model *m)
{
	return m->netpoll.by;
}

size_t model_netpoll_fds(const struct model *m, const struct model_netpoll_sum **ret)
{
	bool has_other = m->netpoll.n && m->netpoll.row[0].waits;

	*ret = m->netpoll.row;
	if (m->netpoll.n == 0)
		return 0;
	*ret += !has_other;
	return m->netpoll.n - !has_other;
}

bool model_netpoll_is_reused(const struct model *m, const struct model_netpoll_sum *s)
{
	return s->fd != NETPOLL_FD_OTHER &&
	       s->first_ns < text_renamed_ns(m, GRT_TEXT_FD, (uint64_t)s->fd, UINT64_MAX);
}

size_t model_netpoll_waiting(const struct model *m, const struct model_waiting **ret)
{
	*ret = m->netpoll.waiting;
	return m->netpoll.nwaiting;
}

uint64_t model_netpoll_waiting_gs(const struct model *m)
{
	return m->netpoll.waiting_gs;
}

uint64_t model_netpoll_waiting_fds(const struct model *m)
{
	return m->netpoll.waiting_fds;
}
