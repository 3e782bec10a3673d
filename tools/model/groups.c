/* SPDX-License-Identifier: MIT */
/*
 * groups.c - see groups.h. Threads are sorted by a hash of what must be equal, so that equal ones
 * lie next to each other; two hashes of 64 bits that are equal by chance are taken for the same.
 */
#include "groups.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../hash.h"
#include "../syscalls.h"
#include "alike.h"
#include "brief.h"

/* An object with a smaller part of the threads that wait for its kind is not told apart. */
#define OBJECTS_APART 8

struct member {
	uint64_t hash, object;
	uint64_t kin; /* the same call on the same kind of thing; 0: it is on nothing that has a kind */
	size_t index;
	const struct model_thread *t;
	const char *kind, *name; /* of the object, or NULL */
};

static uint64_t hash_stack(const struct model *m, const struct model_thread *t)
{
	const struct model_frame *frame;
	size_t n = model_stack(m, t, GRT_STACK_USER, &frame);
	uint64_t h = n ? hash_mix(1, (uint64_t)(int64_t)t->nr) : 0;

	for (size_t i = 0; i < n; i++)
		h = hash_mix(h, frame[i].pc);
	return h;
}

/* What the call is made on; a path is a descriptor to be. */
static void describe(struct member *ret, const struct model *m)
{
	struct brief_object o = brief_object(m, ret->t);

	ret->name = brief_object_name(m, o);
	ret->kind = brief_object_kind(m, o);
	if (ret->kind && !ret->kind[0])
		ret->kind = NULL;
	if (ret->kind)
		ret->kin = hash_text(hash_mix(3, (uint64_t)(int64_t)ret->t->nr), ret->kind) | 1;
}

static struct member member_of(const struct model *m, enum group_by by,
			       const struct model_thread *t, size_t index)
{
	struct member ret = { .index = index, .t = t };
	char call[BRIEF_BYTES];

	brief_call(call, m, t);
	ret.object = hash_text(2, call);
	describe(&ret, m);
	if (by == GROUP_BY_STACK)
		ret.hash = hash_stack(m, t);
	if (!ret.hash)
		ret.hash = ret.object;
	return ret;
}

static int longer_first(const struct model_thread *a, const struct model_thread *b)
{
	uint64_t x = a->since_ns ? a->since_ns : UINT64_MAX;
	uint64_t y = b->since_ns ? b->since_ns : UINT64_MAX;

	if (x != y)
		return x < y ? -1 : 1;
	return a->tid < b->tid ? -1 : a->tid > b->tid;
}

static int member_compare(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	if (x->object != y->object)
		return x->object < y->object ? -1 : 1;
	return longer_first(x->t, y->t);
}

static int kin_compare(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->kin != y->kin)
		return x->kin < y->kin ? -1 : 1;
	return x->object < y->object ? -1 : x->object > y->object;
}

static size_t run_of(const struct member *member, size_t n, bool by_object)
{
	size_t i = 1;

	while (i < n && member[i].kin == member[0].kin &&
	       (!by_object || member[i].object == member[0].object))
		i++;
	return i;
}

/* Of one kin, those that few threads wait for become one group; a single one keeps its name. */
static void gather_kin(struct member *member, size_t n)
{
	size_t objects = 0, threads;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < n; i += threads) {
			threads = run_of(member + i, n - i, true);
			if (threads > 1 && threads * OBJECTS_APART > n)
				continue;
			objects += pass == 0;
			for (size_t k = i; pass == 1 && objects > 1 && k < i + threads; k++)
				member[k].hash = member[k].kin;
		}
	}
}

static void gather(struct member *member, size_t n)
{
	size_t kin;

	qsort(member, n, sizeof(*member), kin_compare);
	for (size_t i = 0; i < n; i += kin) {
		kin = run_of(member + i, n - i, false);
		if (member[i].kin)
			gather_kin(member + i, kin);
	}
}

static int group_compare(const void *a, const void *b, void *arg)
{
	const struct group *all = arg;
	const struct group *x = &all[*(const size_t *)a], *y = &all[*(const size_t *)b];

	if (x->n != y->n)
		return x->n > y->n ? -1 : 1;
	return longer_first(x->first, y->first);
}

static void share(struct group *g, const struct member *member)
{
	const char *kind = member->kind, *name = member->name;

	if (g->kind && (!kind || strcmp(g->kind, kind)))
		g->kind = NULL;
	g->begin = g->name && name ? alike_begin(g->name, name, g->begin) : 0;
	g->end = g->name && name ? alike_end(g->name, name, g->end) : 0;
}

/* Members lie sorted; returns how many groups they make. */
static size_t collect(struct group *row, size_t *group_of, const struct member *member, size_t n)
{
	size_t groups = 0;

	for (size_t i = 0; i < n; i++) {
		bool is_new = i == 0 || member[i].hash != member[i - 1].hash;
		struct group *g;

		if (is_new)
			row[groups++] = (struct group){ .first = member[i].t,
							.kind = member[i].kind,
							.name = member[i].name,
							.begin = SIZE_MAX,
							.end = SIZE_MAX };
		g = &row[groups - 1];
		share(g, member + i);
		g->n++;
		g->objects += is_new || member[i].object != member[i - 1].object;
		if (longer_first(member[i].t, g->first) < 0)
			g->first = member[i].t;
		group_of[member[i].index] = groups - 1;
	}
	return groups;
}

/* Most threads first; group_of follows. */
static bool rank(struct groups *g, size_t threads)
{
	size_t *order = calloc(g->n + 1, sizeof(*order)), *place = calloc(g->n + 1, sizeof(*place));
	struct group *sorted = calloc(g->n + 1, sizeof(*sorted));
	bool ok = order && place && sorted;

	for (size_t i = 0; ok && i < g->n; i++)
		order[i] = i;
	if (ok && g->n)
		qsort_r(order, g->n, sizeof(*order), group_compare, g->row);
	for (size_t i = 0; ok && i < g->n; i++) {
		sorted[i] = g->row[order[i]];
		place[order[i]] = i;
	}
	for (size_t i = 0; ok && i < threads; i++)
		g->group_of[i] = place[g->group_of[i]];
	free(order);
	free(place);
	free(ok ? g->row : sorted);
	if (ok)
		g->row = sorted;
	return ok;
}

bool groups_make(struct groups *ret, const struct model *m, enum group_by by,
		 const struct model_thread *const *threads, size_t n)
{
	struct member *member = calloc(n + 1, sizeof(*member));
	bool ok;

	ret->row = calloc(n + 1, sizeof(*ret->row));
	ret->group_of = calloc(n + 1, sizeof(*ret->group_of));
	ret->n = 0;
	ok = member && ret->row && ret->group_of;
	for (size_t i = 0; ok && i < n; i++)
		member[i] = member_of(m, by, threads[i], i);
	if (ok && n && by == GROUP_BY_CALL)
		gather(member, n);
	if (ok) {
		qsort(member, n, sizeof(*member), member_compare);
		ret->n = collect(ret->row, ret->group_of, member, n);
		ok = rank(ret, n);
	}
	free(member);
	if (!ok)
		groups_free(ret);
	return ok;
}

void groups_free(struct groups *g)
{
	free(g->row);
	free(g->group_of);
	*g = (struct groups){ 0 };
}

void group_call(char *buf, size_t bytes, const struct model *m, const struct group *g)
{
	const struct syscall_desc *d = syscall_desc(g->first->nr);
	struct brief_object o = brief_object(m, g->first);
	char call[BRIEF_BYTES], things[BRIEF_BYTES];

	if (g->objects > 1 && d && o.what) {
		alike_put(things, sizeof(things), g->objects,
			  g->kind                 ? g->kind
			  : o.what == GRT_TEXT_FD ? "descriptor"
						  : "path",
			  g->name, g->begin, g->end);
		snprintf(buf, bytes, "%s(%s)", d->name, things);
		return;
	}
	brief_call(call, m, g->first);
	snprintf(buf, bytes, "%s", call);
}
