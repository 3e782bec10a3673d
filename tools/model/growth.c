/* SPDX-License-Identifier: MIT */
/*
 * growth.c - the ledger: a row for each (call, where from) that Ms were blocked in when threads
 * were made. Row 0 is of threads made when nothing was blocked, row 1 of what found no row of its
 * own.
 *
 * Each thread made adds 1 / (blocked Ms) to one running sum; a block's share is how much the sum
 * grew while it lasted. So a new thread costs one addition, however many Ms are blocked.
 */
#include <stdlib.h>
#include <string.h>

#include "../hash.h"
#include "../syscalls.h"
#include "brief.h"
#include "state.h"

#define SLOTS (2 * CAUSES_MAX) /* a power of two */
enum { ROW_UNBLOCKED, ROW_OTHER, ROWS_SPECIAL };

static void row_add(struct ledger *l, const char *call, const char *where, uint64_t hash)
{
	struct cause *c = &l->row[l->n++];

	*c = (struct cause){ .hash = hash, .nr = GRT_NR_NONE };
	c->c.call = strdup(call);
	c->c.where = where[0] ? strdup(where) : NULL;
	c->c.is_other = l->n <= ROWS_SPECIAL;
}

static bool is_ready(struct ledger *l)
{
	if (l->row)
		return true;
	l->row = calloc(CAUSES_MAX, sizeof(*l->row));
	l->slot = calloc(SLOTS, sizeof(*l->slot));
	if (!l->row || !l->slot)
		return false;
	row_add(l, "nothing was blocked", "", 0);
	row_add(l, "other calls", "", 0);
	return true;
}

static int32_t row_find(struct ledger *l, const char *call, const char *where)
{
	uint64_t hash = hash_text(hash_text(1, call), where);
	uint32_t i = (uint32_t)(hash >> 20) & (SLOTS - 1);

	if (!is_ready(l))
		return CAUSE_NONE;
	for (; l->slot[i]; i = (i + 1) & (SLOTS - 1))
		if (l->row[l->slot[i] - 1].hash == hash)
			return (int32_t)l->slot[i] - 1;
	if (l->n == CAUSES_MAX)
		return ROW_OTHER;
	row_add(l, call, where, hash);
	l->slot[i] = (uint32_t)l->n;
	return (int32_t)l->n - 1;
}

/* Since when the first argument of a call is what it is; 0: since ever, or it is no descriptor. */
static uint64_t renamed_at(const struct model *m, int32_t nr, uint64_t arg, uint64_t look)
{
	const struct syscall_desc *d = syscall_desc(nr);
	bool is_fd = d && (d->args[0] == 'f' || d->args[0] == 'a');

	return is_fd ? text_renamed_ns(m, GRT_TEXT_FD, (uint64_t)(int32_t)arg, look) : 0;
}

static void note_kind(const struct model *m, struct cause *c, const struct model_thread *t)
{
	const char *kind = brief_object_kind(m, brief_object(m, t));

	if (kind && kind[0])
		c->c.kind = strdup(kind);
}

static void note_frames(const struct model *m, struct cause *c, const struct model_thread *t)
{
	const struct model_frame *frame;
	size_t n = model_stack(m, t, GRT_STACK_USER, &frame);

	for (size_t i = 0; i < n && i < CAUSE_FRAMES; i++)
		c->pcs[i] = frame[i].pc;
	c->c.npcs = n < CAUSE_FRAMES ? n : CAUSE_FRAMES;
}

int32_t ledger_row_of_thread(struct model *m, const struct model_thread *t)
{
	char call[BRIEF_BYTES], where[BRIEF_BYTES];
	struct cause *c;
	int32_t row;

	brief_call(call, m, t);
	brief_where(where, m, t);
	row = row_find(&m->ledger, call, where);
	if (row < ROWS_SPECIAL)
		return row;
	c = &m->ledger.row[row];
	c->nr = t->nr;
	c->has_arg = t->has_args || t->call_arg;
	c->arg = t->has_args ? t->args[0] : t->call_arg;
	c->renamed_ns = renamed_at(m, c->nr, c->arg, t->names_look);
	if (!c->c.npcs)
		note_frames(m, c, t);
	if (!c->c.kind)
		note_kind(m, c, t);
	return row;
}

bool ledger_row_knows_less(const struct model *m, int32_t row, int32_t than)
{
	const struct cause *all = m->ledger.row;

	return row >= ROWS_SPECIAL && than >= ROWS_SPECIAL && !all[row].c.where &&
	       all[than].c.where && !strcmp(all[row].c.call, all[than].c.call);
}

/*
 * Too short for a snapshot. Where the same call with the same argument, or on a thing of the same
 * name, was seen to come from last tells from where; without that it has a row of its own. A descriptor is
 * the same argument as long as its number is the same file's.
 */
int32_t ledger_row_of_call(struct model *m, int32_t nr, bool has_arg, uint64_t arg)
{
	struct ledger *l = &m->ledger;
	char call[BRIEF_BYTES];
	uint64_t renamed_ns = renamed_at(m, nr, arg, UINT64_MAX);

	for (size_t i = l->n; i-- > ROWS_SPECIAL;) {
		const struct cause *c = &l->row[i];

		if (c->nr == nr && c->c.where && has_arg && c->has_arg && c->arg == arg &&
		    c->renamed_ns == renamed_ns)
			return (int32_t)i;
	}
	brief_call_nr(call, m, nr, has_arg, arg);
	for (size_t i = l->n; has_arg && i-- > ROWS_SPECIAL;)
		if (l->row[i].nr == nr && l->row[i].c.where && !strcmp(l->row[i].c.call, call))
			return (int32_t)i;
	return row_find(l, call, "");
}

void ledger_charge(struct model *m, int32_t row, double threads)
{
	struct ledger *l = &m->ledger;

	if (is_ready(l))
		l->row[row == CAUSE_NONE ? ROW_OTHER : row].c.threads += threads;
}

void ledger_made(struct model *m, uint64_t cause, uint64_t blocked)
{
	struct model_growth *g = &m->ledger.growth;

	g->made++;
	g->made_by[cause < GROWTH_MADE_BYS ? cause : 0]++;
	if (blocked)
		m->ledger.shares += 1.0 / (double)blocked;
	else
		ledger_charge(m, ROW_UNBLOCKED, 1);
}

void ledger_gone(struct model *m)
{
	m->ledger.growth.gone++;
}

void ledger_begin_snapshot(struct model *m)
{
	struct ledger *l = &m->ledger;
	const struct model_snap *s = &m->now.snap;

	for (size_t i = 0; i < l->n; i++)
		l->row[i].c.now = 0;
	if (l->nlate == 0) {
		l->growth.threads_at_first = s->threads;
		l->growth.since_ns = s->time_ns;
	}
	l->late[l->nlate % LATE_POINTS].time_ns = s->time_ns;
	l->late[l->nlate % LATE_POINTS].threads = s->threads;
	l->nlate++;
}

void ledger_note_now(struct model *m, int32_t row)
{
	if (row != CAUSE_NONE)
		m->ledger.row[row].c.now++;
}

/* The oldest point that is not too old. */
static void settle_late(struct ledger *l)
{
	uint64_t last = l->nlate - 1, i = l->nlate > LATE_POINTS ? l->nlate - LATE_POINTS : 0;
	uint64_t now_ns = l->late[last % LATE_POINTS].time_ns;

	while (i < last && l->late[i % LATE_POINTS].time_ns + GROWTH_LATE_NS < now_ns)
		i++;
	l->growth.late_ns = now_ns - l->late[i % LATE_POINTS].time_ns;
	l->growth.late_threads = (int64_t)l->late[last % LATE_POINTS].threads -
				 (int64_t)l->late[i % LATE_POINTS].threads;
}

static int cause_compare(const void *a, const void *b)
{
	const struct model_cause *x = a, *y = b;

	if (x->threads != y->threads)
		return x->threads > y->threads ? -1 : 1;
	if (x->now != y->now)
		return x->now > y->now ? -1 : 1;
	return strcmp(x->call, y->call);
}

void ledger_settle(struct model *m)
{
	struct ledger *l = &m->ledger;

	l->nsorted = 0;
	if (l->nlate)
		settle_late(l);
	for (size_t i = 0; i < l->n; i++) {
		struct cause *c = &l->row[i];

		if ((c->c.threads <= 0 && !c->c.now) || !c->c.call)
			continue;
		if (!array_reserve((void **)&l->sorted, &l->sorted_cap, l->nsorted,
				   sizeof(*l->sorted)))
			return;
		c->c.pcs = c->pcs;
		l->sorted[l->nsorted++] = c->c;
	}
	if (l->nsorted)
		qsort(l->sorted, l->nsorted, sizeof(*l->sorted), cause_compare);
}

void ledger_fini(struct ledger *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free((char *)l->row[i].c.call);
		free((char *)l->row[i].c.where);
		free((char *)l->row[i].c.kind);
	}
	free(l->row);
	free(l->slot);
	free(l->sorted);
}

const struct model_growth *model_growth(const struct model *m)
{
	return &m->ledger.growth;
}

const struct model_limits *model_limits(const struct model *m)
{
	return &m->now.limits;
}

size_t model_causes(const struct model *m, const struct model_cause **ret)
{
	*ret = m->ledger.sorted;
	return m->ledger.nsorted;
}
