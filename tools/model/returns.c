/* SPDX-License-Identifier: MIT */
/*
 * returns.c - how goroutines come back from calls that lost their P: a table of those in calls, by G.
 *
 * By G and not by M: an M whose goroutine was queued goes on with another one, may lose its P again,
 * and only then does the first goroutine run and tell of its return:
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
 * Such a return waits for its retake, and the next one of that G is it: what a G lost before the first
 * snapshot is known from that snapshot, and from events that came while it was taken. When a call began
 * is no help here: the taker's clock, and what it says of the call, may be of another moment.
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

/* Empty but for g and m. NULL: no room; then it is told as a loss. */
static struct call_out *out_add(struct model *m, uint64_t g, uint64_t of_m)
{
	struct returns *r = &m->returns;
	struct call_out *c = out_find(r, g);

	if (g == 0)
		return NULL;
	if (!c && 2 * (r->n + 1) > r->cap && !grow(r)) {
		m->lost[GRT_LOSS_MAP]++;
		return NULL;
	}
	if (!c) {
		c = slot_of(r, g);
		r->n++;
	}
	*c = (struct call_out){ .g = g, .m = of_m };
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

static void tell(struct model *m, const struct call_out *c)
{
	bool is_needless = c->back_ns <= c->lost_ns + HANDOFF_NEEDLESS_NS;

	sums_add_return(m, c->nr, (enum model_by)c->by, (enum grt_exit_how)c->how, c->queued_ns,
			is_needless);
}

void returns_enter(struct model *m, const struct grt_rec *rec)
{
	struct call_out *c = out_find(&m->returns, rec->arg[0]);

	if (c && c->lost_ns) {
		m->returns.twice++;
		m->returns.out--;
	} else if (c && (c->back_ns || c->is_older)) {
		m->returns.older++;
	}
	c = out_add(m, rec->arg[0], rec->arg[1]);
	if (c)
		c->enter_ns = rec->time_ns;
}

uint64_t returns_entered(const struct model *m, uint64_t g)
{
	const struct call_out *c = out_find(&m->returns, g);

	return c && !c->lost_ns ? c->enter_ns : 0;
}

static void seed(struct model *m, uint64_t g, uint64_t of_m)
{
	struct call_out *c = out_add(m, g, of_m);

	if (c)
		c->is_older = true;
}

void returns_seed(struct model *m)
{
	for (size_t i = 0; i < m->now.nthreads; i++) {
		const struct model_thread *t = &m->now.threads[i];

		if (t->state == GRT_MS_blocked && t->m >= 0)
			seed(m, t->g, (uint64_t)t->m);
	}
}

void returns_note_older(struct model *m, const struct grt_rec *rec)
{
	struct call_out *c;

	if (rec->kind == GRT_K_retake) {
		seed(m, rec->arg[2], rec->arg[1]);
	} else if (rec->kind == GRT_K_entersyscallblock) {
		seed(m, rec->arg[0], rec->arg[1]);
	} else if (rec->kind == GRT_K_exitsyscall_slow) {
		c = out_find(&m->returns, rec->arg[0]);
		if (c)
			out_remove(&m->returns, c);
	}
}

void returns_lost(struct model *m, uint64_t g, uint64_t from_m, uint64_t lost_ns, int32_t nr,
		  enum model_by by)
{
	struct returns *r = &m->returns;
	struct call_out *c = out_find(r, g);
	bool is_early = c && c->back_ns && c->m == from_m;

	if (c && c->lost_ns) {
		r->twice++;
		r->out--;
	} else if (c && (c->is_older || c->back_ns) && !is_early) {
		r->older++;
	}
	if (!is_early)
		c = out_add(m, g, from_m);
	if (!c)
		return;
	c->lost_ns = lost_ns;
	c->nr = nr;
	c->by = (uint8_t)by;
	if (is_early) {
		tell(m, c);
		out_remove(r, c);
	} else {
		r->out++;
	}
}

/* Of a call whose taking is not known: it was before the first snapshot, or is still to be told. */
static void back_unknown(struct model *m, const struct grt_rec *rec, uint64_t back_ns)
{
	struct returns *r = &m->returns;
	struct call_out *c = out_find(r, rec->arg[0]);
	bool is_older = back_ns <= m->first_ns || (c && c->is_older);

	if (c && c->lost_ns)
		r->out--;
	if (c && c->back_ns)
		r->older++;
	if (is_older) {
		r->older++;
		if (c)
			out_remove(r, c);
		return;
	}
	c = out_add(m, rec->arg[0], rec->arg[1]);
	if (!c)
		return;
	c->back_ns = back_ns;
	c->how = (uint8_t)rec->arg[3];
	c->queued_ns = rec->time_ns - back_ns;
}

/* g, m, old_p, how, queued_ns */
void returns_back(struct model *m, const struct grt_rec *rec)
{
	struct returns *r = &m->returns;
	struct call_out *c = out_find(r, rec->arg[0]);
	uint64_t queued_ns = rec->arg[4] < rec->time_ns ? rec->arg[4] : 0;

	if (!c || !c->lost_ns || c->m != rec->arg[1]) {
		back_unknown(m, rec, rec->time_ns - queued_ns);
		return;
	}
	c->back_ns = rec->time_ns - queued_ns;
	c->how = (uint8_t)rec->arg[3];
	c->queued_ns = queued_ns;
	r->out--;
	tell(m, c);
	out_remove(r, c);
}

/* Only what a hot probe put there: with its P the goroutine left nothing to be told. */
void returns_leave(struct model *m, const struct grt_rec *rec)
{
	struct call_out *c = out_find(&m->returns, rec->arg[0]);

	if (c && !c->lost_ns && !c->back_ns && !c->is_older)
		out_remove(&m->returns, c);
}

void returns_settle(struct model *m, uint64_t until_ns)
{
	struct returns *r = &m->returns;

	for (uint32_t i = 0; i < r->cap;) {
		struct call_out *c = &r->slot[i];

		if (!c->g || !c->back_ns || c->back_ns + c->queued_ns + EARLY_NS > until_ns) {
			i++;
			continue;
		}
		r->older++;
		out_remove(r, c); /* another may have moved up to this place: look again */
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
