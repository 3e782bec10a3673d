/* SPDX-License-Identifier: MIT */
/*
 * netpoll_json.c - the report of `gotrace netpoll` for programs; schema/netpoll.json promises it.
 */
#include <stdlib.h>

#include "formats.h"
#include "latency.h"
#include "netpoll.h"

static void put_sum(struct json *j, const struct model_netpoll_sum *s)
{
	json_uint(j, "waits", s->waits);
	json_open(j, "polled_by", '{');
	for (int i = 0; i < NETPOLL_BYS; i++)
		json_uint(j, netpoll_by_word(i), s->by[i]);
	json_close(j);
	json_latency(j, "parked", &s->parked);
	json_latency(j, "queued", &s->queued);
}

/* `counter` is the runtime's own, of directions. */
static void put_waiting_counts(struct json *j, const struct model *m)
{
	const struct model_waiting *w;

	json_open(j, "waiting", '{');
	json_uint(j, "goroutines", model_netpoll_waiting_gs(m));
	json_uint(j, "descriptors", model_netpoll_waiting_fds(m));
	json_uint(j, "directions", model_netpoll_waiting(m, &w));
	json_uint(j, "counter", model_snap(m)->netpoll_parked);
	json_close(j);
}

void netpoll_json(struct view *v, struct json *j, const struct model *m)
{
	bool is_whole = interval_is_whole(v->state, m, GRT_WARM);

	json_uint(j, "time_ns", model_snap(m)->time_ns);
	put_waiting_counts(j, m);
	json_bool(j, "is_whole", v->head.armed && is_whole);
	if (!v->head.armed) {
		json_null(j, "interval");
		return;
	}
	json_open(j, "interval", '{');
	put_sum(j, model_netpoll_interval(m));
	json_close(j);
}

static void put_name(struct json *j, const struct model *m, int32_t fd)
{
	json_text(j, "name", fd >= 0 ? model_text(m, GRT_TEXT_FD, (uint64_t)fd) : NULL);
}

static void put_by(struct json *j, const struct model *m)
{
	const struct model_netpoll_sum *by = model_netpoll_by(m);

	json_open(j, "by", '{');
	for (int i = 0; i < NETPOLL_BYS; i++) {
		json_open(j, netpoll_by_word(i), '{');
		json_uint(j, "waits", by[i].waits);
		json_latency(j, "parked", &by[i].parked);
		json_latency(j, "queued", &by[i].queued);
		json_close(j);
	}
	json_close(j);
}

/* All rows there are; the one without fd is what is not kept apart. */
static void put_fds(struct json *j, const struct model *m)
{
	const struct model_netpoll_sum *all;
	size_t n, *order = netpoll_rows_sorted(m, &n);

	model_netpoll_fds(m, &all);
	json_open(j, "descriptors", '[');
	for (size_t i = 0; i < n; i++) {
		const struct model_netpoll_sum *s = &all[order[i]];

		json_open(j, NULL, '{');
		json_uint_or_null(j, "fd", s->fd != NETPOLL_FD_OTHER, (uint64_t)s->fd);
		put_name(j, m, s->fd);
		json_bool(j, "reused", model_netpoll_is_reused(m, s));
		put_sum(j, s);
		json_close(j);
	}
	json_close(j);
	free(order);
}

static void put_waiters(struct json *j, const struct model *m)
{
	const struct model_waiting *w;
	size_t n = model_netpoll_waiting(m, &w);

	json_open(j, "waiters", '[');
	for (size_t i = 0; i < n; i++) {
		json_open(j, NULL, '{');
		json_uint(j, "fd", (uint64_t)w[i].fd);
		put_name(j, m, w[i].fd);
		json_text(j, "to", netpoll_mode_word(w[i].mode));
		json_uint(j, "goroutines", w[i].n);
		json_uint_or_null(j, "g", w[i].n == 1, w[i].g);
		json_uint_or_null(j, "since_ns", w[i].since_ns, w[i].since_ns);
		json_close(j);
	}
	json_close(j);
}

void netpoll_json_totals(struct view *v, struct json *j, const struct model *m,
			 const struct view_end *e)
{
	(void)e;
	if (v->head.armed) {
		put_by(j, m);
		put_fds(j, m);
	} else {
		json_null(j, "by");
		json_null(j, "descriptors");
	}
	put_waiting_counts(j, m);
	put_waiters(j, m);
}
