/* SPDX-License-Identifier: MIT */
/* blocked_list.c - see blocked.h. */
#include "blocked.h"

#include <stdlib.h>
#include <string.h>

#include "../model/brief.h"

bool blocked_for(const struct model *m, const struct model_thread *t, uint64_t *ret_ns,
		 bool *ret_is_least)
{
	uint64_t now_ns = model_snap(m)->time_ns;

	*ret_is_least = t->attr & GRT_MA_SINCE_AT_LEAST;
	*ret_ns = now_ns > t->since_ns ? now_ns - t->since_ns : 0;
	/* "At least nothing" is nothing known. */
	return t->since_ns && (*ret_ns || !*ret_is_least);
}

int blocked_fd(const struct model *m, const struct model_thread *t)
{
	struct brief_object o = brief_object(m, t);

	return o.what == GRT_TEXT_FD ? (int)o.key : -1;
}

const char *blocked_fd_text(const struct model *m, const struct model_thread *t, enum grt_text what)
{
	int fd = blocked_fd(m, t);

	return fd >= 0 ? model_text_at(m, what, (uint64_t)fd, t->names_look) : NULL;
}

static bool is_wanted(const struct model *m, const struct model_thread *t,
		      const struct blocked_opts *o)
{
	uint64_t ns;
	bool is_least;

	if (o->nr != BLOCKED_ANY_NR && t->nr != o->nr)
		return false;
	if (o->fd != BLOCKED_ANY_FD && blocked_fd(m, t) != o->fd)
		return false;
	return !o->min_ns || (blocked_for(m, t, &ns, &is_least) && ns >= o->min_ns);
}

/*
 * Goroutines that neither run, nor are in a call, nor can run, nor wait for a descriptor: they wait
 * for each other, or for time. The numbers are not of one moment: never below zero.
 */
static uint64_t parked(const struct model *m)
{
	const struct model_snap *s = model_snap(m);
	const struct model_thread *all;
	size_t n = model_threads(m, &all);
	uint64_t elsewhere = s->runq + s->netpoll_parked;

	for (size_t i = 0; i < n; i++)
		elsewhere += all[i].g != 0 && all[i].state != GRT_MS_locked;
	return s->goroutines > elsewhere ? s->goroutines - elsewhere : 0;
}

static void find(struct blocked_list *l, const struct model *m, const struct model_thread *t)
{
	const char *note = blocked_fd_text(m, t, GRT_TEXT_FD_NOTE);

	if (!note || !note[0])
		return;
	for (size_t i = 0; i < l->nfindings; i++)
		if (!strcmp(l->finding[i].note, note)) {
			l->finding[i].threads++;
			return;
		}
	if (l->nfindings < FINDINGS_MAX)
		l->finding[l->nfindings++] = (struct finding){ note, t, 1 };
}

static void pick(struct blocked_list *l, const struct model *m, const struct model_thread *t,
		 const struct blocked_opts *o)
{
	l->all_blocked += t->state == GRT_MS_blocked;
	if ((t->state != GRT_MS_blocked && t->state != GRT_MS_hostage) || !is_wanted(m, t, o))
		return;
	if (t->state == GRT_MS_hostage) {
		l->hostage[l->nhostages++] = t;
		return;
	}
	l->blocked[l->nblocked++] = t;
	find(l, m, t);
}

bool blocked_list_make(struct blocked_list *ret, const struct model *m,
		       const struct blocked_opts *o)
{
	const struct model_thread *all;
	size_t n = model_threads(m, &all), *order = view_threads_sorted(m);
	enum group_by by = o->by_call ? GROUP_BY_CALL : GROUP_BY_STACK;

	*ret = (struct blocked_list){
		.blocked = calloc(n + 1, sizeof(*ret->blocked)),
		.hostage = calloc(n + 1, sizeof(*ret->hostage)),
		.parked = parked(m),
	};
	if (ret->blocked && ret->hostage && (order || !n)) {
		for (size_t i = 0; i < n; i++)
			pick(ret, m, &all[order[i]], o);
		free(order);
		if (groups_make(&ret->groups, m, by, ret->blocked, ret->nblocked))
			return true;
	} else {
		free(order);
	}
	blocked_list_free(ret);
	return false;
}

void blocked_list_free(struct blocked_list *l)
{
	groups_free(&l->groups);
	free(l->blocked);
	free(l->hostage);
	*l = (struct blocked_list){ 0 };
}

const char *blocked_why_no_wait_points(const struct model *m, const struct blocked_list *l)
{
	for (size_t i = 0; i < l->nblocked; i++)
		if (brief_wait_point(m, l->blocked[i]))
			return NULL;
	return l->nblocked ? model_text(m, GRT_TEXT_ABOUT, GRT_ABOUT_WHY_NO_STACKS) : NULL;
}

uint64_t blocked_held_ns(const struct model *m, const struct blocked_list *l)
{
	uint64_t sum_ns = 0, ns;
	bool is_least;

	for (size_t i = 0; i < l->nhostages; i++)
		if (blocked_for(m, l->hostage[i], &ns, &is_least))
			sum_ns += ns;
	return sum_ns;
}
