/* SPDX-License-Identifier: MIT */
/*
 * growth_list.c - see growth_view.h. Causes are told apart by what a call is made on; for people
 * those that come from one line of the program are one: "read(97 FIFOs: /tmp/x/fifo-*) <-
 * worker_read files.c:41".
 */
#include "growth_view.h"

#include <stdlib.h>
#include <string.h>

#include "../model/alike.h"
#include "../model/brief.h"

#define ETA_THREADS 5 /* of late: fewer make no rate */

bool growth_eta(struct growth_eta *ret, const struct model *m, enum growth_limit which)
{
	const struct model_limits *l = model_limits(m);
	const struct model_growth *g = model_growth(m);
	const struct growth_eta all[GROWTH_LIMITS] = {
		[LIMIT_RUNTIME] = { "the runtime's limit", l->runtime, model_snap(m)->threads },
		[LIMIT_NPROC] = { "RLIMIT_NPROC of its user", l->nproc, l->nproc_used },
		[LIMIT_CGROUP] = { "pids.max of its cgroup", l->cgroup, l->cgroup_used },
	};

	*ret = all[which];
	if (!l->is_known || ret->limit == MODEL_NO_LIMIT || ret->used == MODEL_NO_LIMIT)
		return false;
	if (g->late_threads >= ETA_THREADS && g->late_ns) {
		double left = ret->limit > ret->used ? (double)(ret->limit - ret->used) : 0;

		ret->has_eta = true;
		ret->eta_ns = (uint64_t)(left / (double)g->late_threads * (double)g->late_ns);
	}
	return true;
}

bool growth_nearest(struct growth_eta *ret, const struct model *m)
{
	bool has_one = false;

	for (int i = 0; i < GROWTH_LIMITS; i++) {
		struct growth_eta eta;

		if (!growth_eta(&eta, m, (enum growth_limit)i) || !eta.has_eta)
			continue;
		if (!has_one || eta.eta_ns < ret->eta_ns)
			*ret = eta;
		has_one = true;
	}
	return has_one;
}

double growth_share(const struct model *m, double threads)
{
	uint64_t made = model_growth(m)->made;

	return made ? threads / (double)made : 0;
}

static bool is_one(const struct model_cause *a, const struct model_cause *b)
{
	size_t n = strcspn(a->call, "(");

	return a->where && b->where && !strcmp(a->where, b->where) && n == strcspn(b->call, "(") &&
	       !strncmp(a->call, b->call, n);
}

#define MIXED "object"

static const char *kind_of(const struct model_cause *c)
{
	return c->kind ? c->kind : MIXED;
}

static int by_threads(const void *a, const void *b)
{
	const struct growth_cause *x = a, *y = b;

	if (x->threads != y->threads)
		return x->threads > y->threads ? -1 : 1;
	return x->now > y->now ? -1 : x->now < y->now;
}

static int by_now(const void *a, const void *b)
{
	const struct growth_cause *x = a, *y = b;

	return x->now > y->now ? -1 : x->now < y->now;
}

size_t growth_causes(struct growth_cause **ret, const struct model *m, bool is_now)
{
	const struct model_cause *c;
	size_t causes = model_causes(m, &c), n = 0;

	*ret = calloc(causes + 1, sizeof(**ret));
	for (size_t i = 0; *ret && i < causes; i++) {
		struct growth_cause *r = *ret, *end = *ret + n;

		while (r < end && !is_one(r->first, &c[i]))
			r++;
		if (r == end)
			*r = (struct growth_cause){ .first = &c[i],
						    .kind = kind_of(&c[i]),
						    .begin = SIZE_MAX,
						    .end = SIZE_MAX };
		n += r == end;
		r->threads += c[i].threads;
		r->now += c[i].now;
		r->objects++;
		if (strcmp(r->kind, kind_of(&c[i])))
			r->kind = MIXED;
		r->begin = alike_begin(r->first->call, c[i].call, r->begin);
		r->end = alike_end(r->first->call, c[i].call, r->end);
	}
	if (n)
		qsort(*ret, n, sizeof(**ret), is_now ? by_now : by_threads);
	return n;
}

void growth_call(char *buf, size_t bytes, const struct growth_cause *c)
{
	const char *call = c->first->call;
	size_t n = strcspn(call, "("), begin = c->begin > n ? c->begin - n - 1 : 0;
	char things[BRIEF_BYTES], name[BRIEF_BYTES] = "";

	if (c->objects == 1) {
		snprintf(buf, bytes, "%s", call);
		return;
	}
	/* Between the brackets. */
	if (call[n])
		snprintf(name, sizeof(name), "%.*s", (int)strlen(call + n) - 2, call + n + 1);
	alike_put(things, sizeof(things), c->objects, c->kind, name[0] ? name : NULL, begin,
		  c->end ? c->end - 1 : 0);
	snprintf(buf, bytes, "%.*s(%s)", (int)n, call, things);
}
