/* SPDX-License-Identifier: MIT */
/* scope_ask.c - what a scope is asked: checks, waits, looks. Each question is a job of its observer. */
#include <stdlib.h>
#include <string.h>

#include "../source/threads.h"
#include "scope.h"

#define WAIT_QUIET_NS 2000000ll /* a wait asks so often while no record comes */
#define WAIT_SLICE_NS 500000ll  /* and so soon after one has come */

struct check {
	enum gotrace_answer (*plain)(struct evidence *);
	enum gotrace_answer (*with_int)(struct evidence *, int);
	enum gotrace_answer (*looking)(struct gotrace_scope *, int);
	enum gotrace_answer (*with_count)(struct evidence *, unsigned);
	unsigned percentile;
	uint64_t n;
	enum gotrace_answer ret;
};

/* Who gets the P may be on its way: a slow machine shall not make an answer of it. */
static enum gotrace_answer handed_off(struct gotrace_scope *s, int nr)
{
	enum gotrace_answer ret = predicate_handed_off(&s->evidence, nr);

	while (ret == GOTRACE_INCONCLUSIVE && !s->is_over &&
	       predicate_handoff_is_pending(&s->evidence, nr)) {
		scope_look(s);
		ret = predicate_handed_off(&s->evidence, nr);
	}
	return ret;
}

static void check_run(struct gotrace_scope *s, void *arg)
{
	struct check *c = arg;
	struct evidence *e = &s->evidence;

	scope_look(s);
	if (c->plain)
		c->ret = c->plain(e);
	else if (c->with_int)
		c->ret = c->with_int(e, (int)c->n);
	else if (c->looking)
		c->ret = c->looking(s, (int)c->n);
	else if (c->with_count)
		c->ret = c->with_count(e, (unsigned)c->n);
	else
		c->ret = predicate_handoff_within(e, c->percentile, c->n);
}

static enum gotrace_answer check(struct gotrace_scope *s, struct check c)
{
	c.ret = GOTRACE_INCONCLUSIVE;
	scope_run(s, check_run, &c);
	return c.ret;
}

enum gotrace_answer gotrace_check_no_blocked_m(struct gotrace_scope *s)
{
	return check(s, (struct check){ .plain = predicate_no_blocked_m });
}

enum gotrace_answer gotrace_check_blocked_at_most(struct gotrace_scope *s, unsigned n)
{
	return check(s, (struct check){ .with_count = predicate_blocked_at_most, .n = n });
}

enum gotrace_answer gotrace_check_handed_off(struct gotrace_scope *s, int nr)
{
	return check(s, (struct check){ .looking = handed_off, .n = (uint64_t)nr });
}

enum gotrace_answer gotrace_check_handoff_within_us(struct gotrace_scope *s, unsigned percentile,
						    uint64_t us)
{
	return check(s, (struct check){ .percentile = percentile, .n = us });
}

enum gotrace_answer gotrace_check_threads_at_most(struct gotrace_scope *s, unsigned n)
{
	return check(s, (struct check){ .with_count = predicate_threads_at_most, .n = n });
}

enum gotrace_answer gotrace_check_netpoll_parked(struct gotrace_scope *s, int fd)
{
	return check(s, (struct check){ .with_int = predicate_netpoll_parked, .n = (uint64_t)fd });
}

enum gotrace_answer gotrace_check_no_hostage(struct gotrace_scope *s)
{
	return check(s, (struct check){ .plain = predicate_no_hostage });
}

struct waiting {
	gotrace_predicate is_true;
	void *arg;
	int64_t deadline_ns;
	bool came;
};

/* Something has happened; or nothing has for a while, for what is awaited may be no event of the runtime. */
static void await_news(struct gotrace_scope *s)
{
	int64_t until = (int64_t)threads_now_ns() + WAIT_QUIET_NS;
	uint64_t known = s->evidence.nevents;

	do
		scope_collect(s, WAIT_SLICE_NS);
	while (!s->is_over && s->evidence.nevents == known && (int64_t)threads_now_ns() < until);
}

static void wait_run(struct gotrace_scope *s, void *arg)
{
	struct waiting *w = arg;
	int64_t until = (int64_t)threads_now_ns() + w->deadline_ns;

	for (;;) {
		w->came = w->is_true(s, w->arg);
		if (w->came || s->is_over || (int64_t)threads_now_ns() >= until)
			return;
		await_news(s);
	}
}

bool gotrace_wait_for(struct gotrace_scope *s, gotrace_predicate is_true, void *arg,
		      int64_t deadline_ns)
{
	struct waiting w = { is_true, arg, deadline_ns, false };

	scope_run(s, wait_run, &w);
	return w.came;
}

static void look_run(struct gotrace_scope *s, void *arg)
{
	const struct model_snap *snap = model_snap(s->evidence.model);
	struct gotrace_now *n = arg;

	scope_look(s);
	if (s->evidence.is_gone)
		return;
	*n = (struct gotrace_now){
		.threads = (unsigned)evidence_threads(&s->evidence),
		.blocked = snap->count[GRT_MS_blocked],
		.in_syscall = snap->count[GRT_MS_syscall],
		.hostage = snap->count[GRT_MS_hostage],
		.running = snap->count[GRT_MS_running],
		.spinning = snap->count[GRT_MS_spinning],
		.polling = snap->count[GRT_MS_polling],
		.idle = snap->count[GRT_MS_idle],
		.locked = snap->count[GRT_MS_locked],
		.procs_idle = snap->procs_idle,
		.goroutines = snap->goroutines,
		.netpoll_parked = evidence_netpoll_parked(&s->evidence),
	};
}

struct gotrace_now gotrace_look(struct gotrace_scope *s)
{
	struct gotrace_now n = { 0 };

	scope_run(s, look_run, &n);
	return n;
}

static void handoffs_run(struct gotrace_scope *s, void *arg)
{
	struct evidence *e = &s->evidence;
	size_t *n = arg;

	scope_look(s);
	free(s->copy);
	s->copy = calloc(e->nhandoffs + 1, sizeof(*s->copy));
	*n = s->copy ? e->nhandoffs : 0;
	if (*n)
		memcpy(s->copy, e->handoff, *n * sizeof(*s->copy));
}

size_t gotrace_handoffs(struct gotrace_scope *s, const struct gotrace_handoff **ret)
{
	size_t n = 0;

	scope_run(s, handoffs_run, &n);
	*ret = s->copy;
	return n;
}

static void returns_run(struct gotrace_scope *s, void *arg)
{
	scope_look(s);
	*(struct gotrace_returns *)arg = s->evidence.returns;
}

struct gotrace_returns gotrace_returned(struct gotrace_scope *s)
{
	struct gotrace_returns r = { 0 };

	scope_run(s, returns_run, &r);
	return r;
}
