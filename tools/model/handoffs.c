/* SPDX-License-Identifier: MIT */
/*
 * handoffs.c - puts hand-offs together from the records of three threads.
 *
 *   SWITCH_OUT (m)            perhaps, just before the retake of the same M: since when it sleeps
 *   retake (p, m)             or entersyscallblock (m, p): the P has lost its M
 *   handoff (p, from_m)       what became of it; told by who handed it off, after waking the new M
 *   handoff_done (p, from_m)  the new M has it
 *
 * The last two come in either order: the waker may be off the CPU when the new M already runs, and
 * meanwhile the P may even have been taken again. So an open hand-off is found by (p, from_m),
 * oldest first. One that idles the P ends with `handoff`: it has no dispatch. Retakes by a
 * returning M, or by a change of GOMAXPROCS, are followed by none.
 *
 * What began unseen (before the first snapshot, or an M that ends: there is no record of a
 * beginning) never takes a record from a hand-off whose beginning was seen, and is dropped when the
 * same M loses the same P again. Without that rule one of them would shift every later match by
 * one.
 */
#include <string.h>

#include "state.h"

static void open_remove(struct model *m, size_t i)
{
	memmove(&m->open[i], &m->open[i + 1], (m->nopen - i - 1) * sizeof(*m->open));
	m->nopen--;
}

static struct handoff_open *open_add(struct model *m, int64_t p, int64_t from_m)
{
	struct handoff_open *o;

	if (m->nopen == HANDOFFS_OPEN_MAX)
		open_remove(m, 0);
	o = &m->open[m->nopen++];
	memset(o, 0, sizeof(*o));
	o->h.p = p;
	o->h.from_m = from_m;
	o->h.to_m = -1;
	o->h.nr = GRT_NR_NONE;
	return o;
}

/* The same with a beginning that was seen: what is left of an unseen one is over. */
static struct handoff_open *open_begin(struct model *m, int64_t p, int64_t from_m)
{
	struct handoff_open *o;

	for (size_t i = m->nopen; i-- > 0;) {
		o = &m->open[i];
		if (o->h.p == p && o->h.from_m == from_m && !o->has_begin)
			open_remove(m, i);
	}
	o = open_add(m, p, from_m);
	o->has_begin = true;
	return o;
}

static uint64_t since(uint64_t end_ns, uint64_t start_ns)
{
	return end_ns > start_ns ? end_ns - start_ns : 0;
}

static enum model_by by_of(const struct handoff_open *o)
{
	if (o->is_block)
		return MODEL_BY_SELF;
	if (o->has_begin)
		return (enum model_by)o->h.by;
	if (o->h.cause == GRT_HANDOFF_LOCKED)
		return MODEL_BY_LOCKED;
	return o->h.cause == GRT_HANDOFF_EXIT ? MODEL_BY_EXIT : MODEL_BY_UNKNOWN;
}

/* The P was lost when it was retaken, or given up. */
static void tell_done(struct model *m, const struct handoff_open *o)
{
	const struct model_handoff *h = &o->h;
	uint64_t lost_ns = o->is_block ? h->start_ns : h->retake_ns;

	if (!o->has_begin || !o->has_done)
		return;
	sums_add_done(m, h->nr, by_of(o), since(h->done_ns, lost_ns), h->start_ns != 0,
		      since(h->done_ns, h->start_ns));
}

static void open_finish(struct model *m, struct handoff_open *o)
{
	const struct model_handoff *h = &o->h;
	uint64_t from_ns = h->start_ns ? h->start_ns : h->retake_ns;

	tell_done(m, o);
	if (from_ns && h->done_ns > from_ns)
		hist_add(&m->rates.handoff_ns, h->done_ns - from_ns);
	if (array_reserve((void **)&m->done, &m->done_cap, m->ndone, sizeof(*m->done)))
		m->done[m->ndone++] = *h;
	open_remove(m, (size_t)(o - m->open));
}

/* What SWITCH_OUT said of the call, if the newest one belongs to this retake. */
static const struct grt_rec *call_of(const struct model *m, const struct grt_rec *retake)
{
	const struct grt_rec *call = &m->call;

	if (call->time_ns != retake->time_ns || call->tid != retake->tid ||
	    call->arg[0] != retake->arg[1])
		return NULL;
	return call;
}

/* The best start that is known. */
static enum model_start start_of(const struct model *m, const struct grt_rec *retake,
				 uint64_t *ret_ns)
{
	const struct grt_rec *call = call_of(m, retake);
	uint64_t enter_ns = returns_entered(m, retake->arg[2]);

	*ret_ns = 0;
	if (enter_ns && enter_ns <= retake->time_ns) {
		*ret_ns = enter_ns;
		return MODEL_START_CALL;
	}
	if (call && call->arg[4] && call->arg[4] <= retake->time_ns) {
		*ret_ns = call->arg[4];
		return MODEL_START_ASLEEP;
	}
	if (retake->arg[3] == 0 || retake->arg[3] >= retake->time_ns)
		return MODEL_START_UNKNOWN;
	*ret_ns = retake->time_ns - retake->arg[3];
	return MODEL_START_FIRST_SIGHT;
}

static void retake_open(struct model *m, const struct grt_rec *rec, enum model_by by,
			enum model_start start, uint64_t start_ns)
{
	const struct grt_rec *call = call_of(m, rec);
	struct handoff_open *o;

	m->sums.retakes_to_hand_off++;
	for (size_t i = 0; i < m->nopen; i++) {
		o = &m->open[i];
		if (o->h.p == (int64_t)rec->arg[0] && !o->is_block && o->has_begin &&
		    !o->has_handoff)
			m->sums.begun_twice++;
	}
	o = open_begin(m, (int64_t)rec->arg[0], (int64_t)rec->arg[1]);
	o->h.retake_ns = rec->time_ns;
	o->h.g = rec->arg[2];
	o->h.in_call_ns = rec->arg[3];
	o->h.by = (uint8_t)by;
	o->h.nr = (int32_t)rec->arg[5];
	o->h.start = (uint8_t)start;
	o->h.start_ns = start_ns;
	if (!call)
		return;
	o->h.has_call_arg = true;
	o->h.call_arg = call->arg[3];
	o->h.asleep_since_ns = call->arg[4];
}

/* p, m, g, in_call_ns, by, nr */
static void retake(struct model *m, const struct grt_rec *rec)
{
	enum model_by by = rec->arg[4] <= GRT_BY_PROCS ? (enum model_by)rec->arg[4]
						       : MODEL_BY_UNKNOWN;
	int32_t nr = (int32_t)rec->arg[5];
	uint64_t start_ns;
	enum model_start start = start_of(m, rec, &start_ns);

	if (by != MODEL_BY_EXIT_STEAL && by != MODEL_BY_PROCS)
		retake_open(m, rec, by, start, start_ns);
	sums_add_taken(m, nr, by, start, since(rec->time_ns, start_ns));
	returns_lost(m, rec->arg[2], rec->arg[1], rec->time_ns, nr, by);
}

/* g, m, p, nr: given up at the door of the call, which is its start. */
static void block(struct model *m, const struct grt_rec *rec)
{
	struct handoff_open *o = open_begin(m, (int64_t)rec->arg[2], (int64_t)rec->arg[1]);

	o->is_block = true;
	o->h.g = rec->arg[0];
	o->h.nr = (int32_t)rec->arg[3];
	o->h.start = MODEL_START_CALL;
	o->h.start_ns = rec->time_ns;
	sums_add_taken(m, o->h.nr, MODEL_BY_SELF, MODEL_START_CALL, 0);
	returns_lost(m, o->h.g, rec->arg[1], rec->time_ns, o->h.nr, MODEL_BY_SELF);
}

static struct handoff_open *open_find(struct model *m, uint64_t p, uint64_t from_m,
				      bool (*fits)(const struct handoff_open *, uint64_t),
				      uint64_t arg)
{
	for (size_t i = 0; i < m->nopen; i++) {
		struct handoff_open *o = &m->open[i];

		if (o->h.p == (int64_t)p && o->h.from_m == (int64_t)from_m && fits(o, arg))
			return o;
	}
	return NULL;
}

/* Did it begin as a hand-off of this cause does, and is its record still to come? */
static bool awaits_handoff(const struct handoff_open *o, uint64_t cause)
{
	if (o->has_handoff)
		return false;
	if (cause == GRT_HANDOFF_RETAKE)
		return o->has_begin && !o->is_block;
	if (cause == GRT_HANDOFF_SELF)
		return o->has_begin && o->is_block;
	return !o->has_begin;
}

static bool awaits_done(const struct handoff_open *o, uint64_t unused)
{
	(void)unused;
	return !o->has_done;
}

static void handoff(struct model *m, const struct grt_rec *rec)
{
	uint64_t cause = rec->arg[3];
	struct handoff_open *o = open_find(m, rec->arg[0], rec->arg[1], awaits_handoff, cause);

	if (!o)
		o = open_add(m, (int64_t)rec->arg[0], (int64_t)rec->arg[1]);
	if (cause == GRT_HANDOFF_RETAKE && o->has_begin)
		m->sums.handoffs_of_retake++;
	else if (cause == GRT_HANDOFF_RETAKE)
		m->sums.handoffs_orphaned++;
	o->has_handoff = true;
	o->h.g = rec->arg[2];
	o->h.cause = (uint8_t)cause;
	o->h.outcome = (uint8_t)rec->arg[4];
	o->h.made_thread = o->h.outcome == GRT_HANDOFF_MADE;
	o->h.to_m = rec->arg[5] == GRT_NO_ID ? -1 : (int64_t)rec->arg[5];
	sums_add_handoff(m, o->h.nr, by_of(o), rec->arg[4]);
	if (o->has_done || o->h.outcome == GRT_HANDOFF_IDLED)
		open_finish(m, o);
}

static void handoff_done(struct model *m, const struct grt_rec *rec)
{
	struct handoff_open *o = open_find(m, rec->arg[0], rec->arg[1], awaits_done, 0);

	if (!o)
		o = open_add(m, (int64_t)rec->arg[0], (int64_t)rec->arg[1]);
	o->has_done = true;
	o->h.done_ns = rec->time_ns;
	o->h.to_m = (int64_t)rec->arg[2];
	if (o->has_handoff)
		open_finish(m, o);
}

void handoffs_apply(struct model *m, const struct grt_rec *rec)
{
	laws_note_event(m, rec);
	switch (rec->kind) {
	case GRT_K_SWITCH_OUT:
		m->call = *rec;
		break;
	case GRT_K_entersyscall:
		returns_enter(m, rec);
		break;
	case GRT_K_exitsyscall:
		returns_leave(m, rec);
		break;
	case GRT_K_exitsyscall_slow:
		returns_back(m, rec);
		break;
	case GRT_K_retake:
		retake(m, rec);
		break;
	case GRT_K_entersyscallblock:
		block(m, rec);
		break;
	case GRT_K_handoff:
		handoff(m, rec);
		break;
	case GRT_K_handoff_done:
		handoff_done(m, rec);
		break;
	}
}
