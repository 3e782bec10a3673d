/* SPDX-License-Identifier: MIT */
/*
 * returns.c - how goroutines come back from calls that lost their P: a table of those in calls, by
 * G.
 *
 * By G and not by M: an M whose goroutine was queued goes on with another one, may lose its P
 * again, and only then does the first goroutine run and tell of its return:
 *
 *	M5, G7:  retake ............ queued ......................... exitsyscall_slow (g7, m5)
 *	M5, G9:                              retake (m5, g9) ........
 *
 * A G is in one call at a time and its id is never reused; the M must fit all the same.
 *
 * The taker tells of the taking after it has taken: a call that ends in between tells first.
 *
 *	sysmon  takes ..................... retake
 *	M5                 exitsyscall_slow
 *
 * Such a return waits for its retake, while its G may be in the next call already; the next retake
 * of that G and M is it. A P that is given up is told of by the M itself and never late. What a G
 * lost before the first snapshot is known from that snapshot, and from events that came while it
 * was taken. When a call began is no help here: the taker's clock, and what it says of the call,
 * may be of another moment.
 */
#include <stdlib.h>
#include <string.h>

#include "state.h"

#define SLOTS_FIRST 1024u
#define SLOTS_MAX (1u << 18)   /* goroutines in calls at once, twice over */
#define EARLY_NS 1000000000ull /* a taker may be off the CPU before it tells; not so long */

static uint32_t place_of(const struct returns *r, uint64_t g)
{
	uint64_t h = g * 0x9e3779b97f4a7c15ull;

	return (uint32_t)(h >> 32) & (r->cap - 1);
}

/* The goroutine's slot, or the free one where it belongs. The table is never full. */
static struct call_out *slot_of(const struct returns *r, uint64_t g)
{
	uint32_t i = place_of(r, g);

	while (r->slot[i].g && r->slot[i].g != g)
		i = (i + 1) & (r->cap - 1);
	return &r->slot[i];
}

static struct call_out *out_find(const struct returns *r, uint64_t g)
{
	struct call_out *c = r->cap && g ? slot_of(r, g) : NULL;

	return c && c->g ? c : NULL;
}

static bool grow(struct returns *r)
{
	struct returns bigger = { .cap = r->cap ? r->cap * 2 : SLOTS_FIRST };

	if (bigger.cap > SLOTS_MAX)
		return false;
	bigger.slot = calloc(bigger.cap, sizeof(*bigger.slot));
	if (!bigger.slot)
		return false;
	for (uint32_t i = 0; i < r->cap; i++)
		if (r->slot[i].g)
			*slot_of(&bigger, r->slot[i].g) = r->slot[i];
	free(r->slot);
	r->slot = bigger.slot;
	r->cap = bigger.cap;
	return true;
}

/*
 * The goroutine's entry, perhaps a new one. NULL: no goroutine, or no room; that is told as a loss.
 */
static struct call_out *out_get(struct model *m, uint64_t g)
{
	struct returns *r = &m->returns;
	struct call_out *c = out_find(r, g);

	if (c || g == 0)
		return c;
	if (2 * (r->n + 1) > r->cap && !grow(r)) {
		m->lost[GRT_LOSS_MAP]++;
		return NULL;
	}
	c = slot_of(r, g);
	*c = (struct call_out){ .g = g };
	r->n++;
	return c;
}

/* What follows in a row of taken places moves up, or it would not be found behind the gap. */
static void out_remove(struct returns *r, struct call_out *c)
{
	uint32_t gap = (uint32_t)(c - r->slot), mask = r->cap - 1;

	for (uint32_t i = (gap + 1) & mask; r->slot[i].g; i = (i + 1) & mask) {
		uint32_t home = place_of(r, r->slot[i].g);

		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		r->slot[gap] = r->slot[i];
		gap = i;
	}
	r->slot[gap].g = 0;
	r->n--;
}

static void remove_if_done(struct returns *r, struct call_out *c)
{
	bool is_done = !c->enter_ns && !c->lost_ns && !c->is_older;

	for (int i = 0; i < EARLY_RETURNS; i++)
		is_done &= !c->early[i].back_ns;
	if (is_done)
		out_remove(r, c);
}

static void tell(struct model *m, int32_t nr, enum model_by by, uint64_t lost_ns,
		 const struct early_return *e)
{
	sums_add_return(m, nr, by, (enum grt_exit_how)e->how, e->queued_ns,
			e->back_ns <= lost_ns + HANDOFF_NEEDLESS_NS);
}

/* It is in a call again: of the one before no return was told. */
static void leave_behind(struct returns *r, struct call_out *c)
{
	r->twice += c->lost_ns != 0;
	r->out -= c->lost_ns != 0;
	c->lost_ns = 0;
	c->is_older = false;
}

void returns_enter(struct model *m, const struct grt_rec *rec)
{
	struct call_out *c = out_get(m, rec->arg[0]);

	if (!c)
		return;
	leave_behind(&m->returns, c);
	c->enter_ns = rec->time_ns;
}

uint64_t returns_entered(const struct model *m, uint64_t g)
{
	const struct call_out *c = out_find(&m->returns, g);

	return c && !c->lost_ns ? c->enter_ns : 0;
}

void returns_leave(struct model *m, const struct grt_rec *rec)
{
	struct call_out *c = out_find(&m->returns, rec->arg[0]);

	if (!c)
		return;
	c->enter_ns = 0;
	remove_if_done(&m->returns, c);
}

static void seed(struct model *m, uint64_t g)
{
	struct call_out *c = out_get(m, g);

	if (c)
		c->is_older = true;
}

void returns_seed(struct model *m)
{
	m->returns.since_ns = m->now.snap.time_ns;
	for (size_t i = 0; i < m->now.nthreads; i++)
		if (m->now.threads[i].state == GRT_MS_blocked)
			seed(m, m->now.threads[i].g);
}

void returns_forget(struct returns *r)
{
	if (r->cap)
		memset(r->slot, 0, r->cap * sizeof(*r->slot));
	r->n = 0;
	r->out = 0;
}

void returns_note_older(struct model *m, const struct grt_rec *rec)
{
	struct call_out *c;

	if (rec->kind == GRT_K_retake) {
		seed(m, rec->arg[2]);
	} else if (rec->kind == GRT_K_entersyscallblock) {
		seed(m, rec->arg[0]);
	} else if (rec->kind == GRT_K_exitsyscall_slow) {
		c = out_find(&m->returns, rec->arg[0]);
		if (c)
			out_remove(&m->returns, c);
	}
}

static struct early_return *early_find(struct call_out *c, uint64_t from_m)
{
	for (int i = 0; i < EARLY_RETURNS; i++)
		if (c->early[i].back_ns && c->early[i].m == from_m)
			return &c->early[i];
	return NULL;
}

void returns_lost(struct model *m, uint64_t g, uint64_t from_m, uint64_t lost_ns, int32_t nr,
		  enum model_by by)
{
	struct call_out *c = out_get(m, g);
	struct early_return *e = c && by != MODEL_BY_SELF ? early_find(c, from_m) : NULL;

	if (e) {
		tell(m, nr, by, lost_ns, e);
		e->back_ns = 0;
		remove_if_done(&m->returns, c);
	} else if (c) {
		leave_behind(&m->returns, c);
		c->enter_ns = 0;
		c->lost_ns = lost_ns;
		c->m = from_m;
		c->nr = nr;
		c->by = (uint8_t)by;
		m->returns.out++;
	}
}

/* Of a call whose taking is not known: it was before the first snapshot, or is still to be told. */
static void back_unknown(struct model *m, uint64_t g, const struct early_return *e)
{
	struct returns *r = &m->returns;
	struct call_out *c = out_get(m, g);

	if (!c)
		return;
	if (e->back_ns <= r->since_ns || c->is_older) {
		r->older++;
		c->is_older = false;
	} else {
		r->older += c->early[EARLY_RETURNS - 1].back_ns != 0;
		memmove(&c->early[1], &c->early[0], sizeof(c->early) - sizeof(c->early[0]));
		c->early[0] = *e;
	}
	remove_if_done(r, c);
}

/* g, m, old_p, how, queued_ns */
void returns_back(struct model *m, const struct grt_rec *rec)
{
	uint64_t queued_ns = rec->arg[4] < rec->time_ns ? rec->arg[4] : 0;
	struct call_out *c = out_find(&m->returns, rec->arg[0]);
	struct early_return e = {
		.m = rec->arg[1],
		.back_ns = rec->time_ns - queued_ns,
		.queued_ns = queued_ns,
		.how = (uint8_t)rec->arg[3],
	};

	if (!c || !c->lost_ns || c->m != e.m) {
		back_unknown(m, rec->arg[0], &e);
		return;
	}
	tell(m, c->nr, (enum model_by)c->by, c->lost_ns, &e);
	m->returns.out--;
	c->lost_ns = 0;
	remove_if_done(&m->returns, c);
}

/* How many of its returns waited in vain. */
static uint64_t give_up(struct call_out *c, uint64_t until_ns)
{
	uint64_t n = 0;

	for (int i = 0; i < EARLY_RETURNS; i++) {
		struct early_return *e = &c->early[i];

		if (!e->back_ns || e->back_ns + e->queued_ns + EARLY_NS > until_ns)
			continue;
		e->back_ns = 0;
		n++;
	}
	return n;
}

void returns_settle(struct model *m, uint64_t until_ns)
{
	struct returns *r = &m->returns;

	for (uint32_t i = 0; i < r->cap;) {
		struct call_out *c = &r->slot[i];
		uint64_t n = c->g ? give_up(c, until_ns) : 0;

		r->older += n;
		if (n)
			remove_if_done(r, c); /* another may have moved up: look again */
		else
			i++;
	}
}

void returns_fini(struct returns *r)
{
	free(r->slot);
}

uint64_t model_handoff_out(const struct model *m)
{
	return m->returns.out;
}

uint64_t model_handoff_older(const struct model *m)
{
	return m->returns.older;
}
