/* SPDX-License-Identifier: MIT */
/*
 * blocked.c - the report of `gotrace blocked` for people. What most threads wait in comes first,
 * then a row a thread, the longest first; below a row where it waits in the kernel and from where
 * it was called, unless the row above says the same.
 *
 *	97 blocked: 96 in read(/dev/urandom) ← worker_read files.c:41, 1 in ...
 *	 M    TID   G    FOR  P TO AFTER  CALL
 *	12  48121  17  >4.1s   M3   61us  read(7</dev/urandom>, 65536) ← worker_read files.c:41
 *	     in urandom_read_iter ← worker_read files.c:41 ← main_fn files.c:80
 *
 * ">": at least so long. P TO: which M got the P, "none": it idles; only with probes.
 */
#include "blocked.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../model/brief.h"
#include "fmt.h"
#include "formats.h"
#include "grid.h"
#include "modules.h"
#include "wrap.h"

#define LINE_BYTES 4096
#define LEADING_GROUPS 3 /* in the first line */
#define DETAILS_INDENT 5
#define ARROW "\u2190"

struct screen {
	bool has_one; /* an empty line between two */
};

/* clang-format off */
static const struct grid_column rows_armed[] = {
	{ .head = "M", .importance = 9 },
	{ .head = "TID", .importance = 3 },
	{ .head = "G", .importance = 4 },
	{ .head = "FOR", .importance = 8 },
	{ .head = "P TO", .importance = 2 },
	{ .head = "AFTER", .importance = 1 },
	{ .head = "CALL", .importance = 10, .is_left = true },
};
static const struct grid_column rows_unarmed[] = {
	{ .head = "M", .importance = 9 },
	{ .head = "TID", .importance = 3 },
	{ .head = "G", .importance = 4 },
	{ .head = "FOR", .importance = 8 },
	{ .head = "CALL", .importance = 10, .is_left = true },
};
static const struct grid_column groups_columns[] = {
	{ .head = "THREADS", .importance = 9 },
	{ .head = "LONGEST", .importance = 8 },
	{ .head = "CALL", .importance = 10, .is_left = true },
};
static const struct grid_column hostage_columns[] = {
	{ .head = "HOSTAGE M", .importance = 9 },
	{ .head = "TID", .importance = 3 },
	{ .head = "G", .importance = 4 },
	{ .head = "P", .importance = 5 },
	{ .head = "FOR", .importance = 8 },
	{ .head = "CALL", .importance = 10, .is_left = true },
};
/* clang-format on */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void put_for(char *buf, const struct model *m, const struct model_thread *t)
{
	bool is_least;
	uint64_t ns;

	strcpy(buf, "-");
	if (!blocked_for(m, t, &ns, &is_least))
		return;
	buf[0] = '>';
	fmt_duration(buf + is_least, ns);
}

static void put_id(char *buf, bool is_known, uint64_t id)
{
	if (is_known)
		snprintf(buf, GRID_CELL_BYTES, "%" PRIu64, id);
	else
		strcpy(buf, "-");
}

static void put_heir(char *to, char *after, const struct model *m, const struct model_thread *t)
{
	uint64_t ns;
	int64_t heir;

	strcpy(to, "-");
	strcpy(after, "-");
	if (!model_heir(m, t, &heir, &ns))
		return;
	if (heir < 0) {
		strcpy(to, "none");
		return;
	}
	snprintf(to, GRID_CELL_BYTES, "M%" PRId64, heir);
	fmt_duration(after, ns);
}

/* The call, and from where if there is room: a word that is cut is worth less than none. */
static void put_call(char *cell, unsigned int room, const char *call, const char *where)
{
	char line[CALL_BYTES + BRIEF_BYTES];

	snprintf(line, sizeof(line), "%s%s%s", call[0] ? call : "-", where[0] ? " " ARROW " " : "",
		 where);
	if (strlen(line) > room || strlen(line) >= GRID_CELL_BYTES)
		snprintf(line, sizeof(line), "%s", call[0] ? call : "-");
	snprintf(cell, GRID_CELL_BYTES, "%.*s", GRID_CELL_BYTES - 1, line);
}

/* From the innermost of its own code to the outermost. */
static void put_frames(char *line, size_t n, const struct model *m, const struct model_thread *t)
{
	const struct model_frame *f, *own = brief_frame(m, t);
	size_t end = model_stack(m, t, GRT_STACK_USER, &f);
	size_t first = own ? (size_t)(own - f) : end;
	char name[BRIEF_BYTES];

	while (end > first + 1 && f[end - 1].flags & GRT_FRAME_SYSTEM)
		end--;
	for (size_t i = first; i < end && n < LINE_BYTES; i++) {
		brief_pc(name, m, f[i].pc);
		n += (size_t)snprintf(line + n, LINE_BYTES - n, " " ARROW " %s%s%s", name,
				      f[i].flags & GRT_FRAME_GUESSED ? "?" : "",
				      f[i].flags & GRT_FRAME_CUT ? " " ARROW " ..." : "");
	}
}

/* Where it waits and who called; empty if neither is known. */
static void details(char line[LINE_BYTES], const struct model *m, const struct model_thread *t)
{
	const char *wait_point = brief_wait_point(m, t);
	size_t n = 0;

	line[0] = '\0';
	if (wait_point)
		n = (size_t)snprintf(line, LINE_BYTES, "in %s", wait_point);
	put_frames(line, n, m, t);
}

static void put_details(struct view *v, char before[LINE_BYTES], const struct model *m,
			const struct model_thread *t)
{
	char line[LINE_BYTES];

	details(line, m, t);
	if (line[0] && strcmp(line, before))
		wrap_put(v->out, line, DETAILS_INDENT, v->columns);
	memcpy(before, line, LINE_BYTES);
}

static void read_row(struct grid_row *r, struct view *v, const struct model *m,
		     const struct model_thread *t)
{
	unsigned int i = 0;

	put_id(r->cell[i++], t->m >= 0, (uint64_t)t->m);
	put_id(r->cell[i++], true, t->tid);
	put_id(r->cell[i++], t->g, t->g);
	put_for(r->cell[i++], m, t);
	if (!v->head.armed)
		return;
	put_heir(r->cell[i], r->cell[i + 1], m, t);
}

static void put_rows(struct view *v, const struct model *m, const struct blocked_list *l)
{
	bool is_armed = v->head.armed != 0;
	unsigned int n = is_armed ? COUNT(rows_armed) : COUNT(rows_unarmed);
	char before[LINE_BYTES] = "", call[CALL_BYTES], where[BRIEF_BYTES];
	struct grid_row *r = calloc(1, sizeof(*r));
	struct grid g;

	grid_init(&g, is_armed ? rows_armed : rows_unarmed, n, v->columns);
	for (size_t i = 0; r && i < l->nblocked; i++) {
		read_row(r, v, m, l->blocked[i]);
		grid_widen(&g, r);
	}
	g.width[n - 1] = v->columns;
	grid_fit(&g);
	grid_tell_hidden(&g, v->out);
	grid_put_heads(&g, v->out);
	for (size_t i = 0; r && i < l->nblocked; i++) {
		read_row(r, v, m, l->blocked[i]);
		call_text(call, sizeof(call), m, l->blocked[i]);
		brief_where(where, m, l->blocked[i]);
		put_call(r->cell[n - 1], grid_room(&g), call, where);
		grid_put_row(&g, r, v->out);
		put_details(v, before, m, l->blocked[i]);
	}
	free(r);
}

static void put_groups(struct view *v, const struct model *m, const struct blocked_list *l,
		       bool with_where)
{
	unsigned int n = COUNT(groups_columns);
	char before[LINE_BYTES] = "", call[CALL_BYTES], where[BRIEF_BYTES] = "";
	struct grid_row *r = calloc(1, sizeof(*r));
	struct grid g;

	grid_init(&g, groups_columns, n, v->columns);
	g.width[n - 1] = v->columns;
	grid_fit(&g);
	grid_put_heads(&g, v->out);
	for (size_t i = 0; r && i < l->groups.n; i++) {
		const struct group *group = &l->groups.row[i];

		put_id(r->cell[0], true, group->n);
		put_for(r->cell[1], m, group->first);
		group_call(call, sizeof(call), m, group);
		if (with_where)
			brief_where(where, m, group->first);
		put_call(r->cell[2], grid_room(&g), call, where);
		grid_put_row(&g, r, v->out);
		if (with_where)
			put_details(v, before, m, group->first);
	}
	free(r);
}

/* "these hold a P and run nobody: 2 of 2 Ps, nothing can run; 1.0s of their time lost so far" */
static void put_held(struct view *v, const struct model *m, const struct blocked_list *l)
{
	uint32_t procs = model_snap(m)->procs;
	uint64_t lost_ns = blocked_held_ns(m, l);
	char line[LINE_BYTES], lost[FMT_BYTES];
	size_t n;

	n = (size_t)snprintf(line, sizeof(line), "these hold a P and run nobody: %zu of %u P%s",
			     l->nhostages, procs, procs == 1 ? "" : "s");
	if (l->nhostages == procs)
		n += (size_t)snprintf(line + n, sizeof(line) - n, ", nothing can run");
	if (lost_ns) {
		fmt_duration(lost, lost_ns);
		snprintf(line + n, sizeof(line) - n, "; %s of their time lost so far", lost);
	}
	wrap_put(v->out, line, 0, v->columns);
}

static void put_hostages(struct view *v, const struct model *m, const struct blocked_list *l)
{
	unsigned int n = COUNT(hostage_columns);
	struct grid_row *r = calloc(1, sizeof(*r));
	char call[CALL_BYTES], before[LINE_BYTES] = "";
	struct grid g;

	grid_init(&g, hostage_columns, n, v->columns);
	for (int pass = 0; r && pass < 2; pass++) {
		for (size_t i = 0; i < l->nhostages; i++) {
			const struct model_thread *t = l->hostage[i];

			put_id(r->cell[0], t->m >= 0, (uint64_t)t->m);
			put_id(r->cell[1], true, t->tid);
			put_id(r->cell[2], t->g, t->g);
			put_id(r->cell[3], t->p >= 0, (uint64_t)t->p);
			put_for(r->cell[4], m, t);
			call_text(call, sizeof(call), m, t);
			put_call(r->cell[5], pass ? grid_room(&g) : 0, call, "");
			if (!pass) {
				grid_widen(&g, r);
				continue;
			}
			grid_put_row(&g, r, v->out);
			put_details(v, before, m, t);
		}
		if (pass)
			break;
		grid_fit(&g);
		put_held(v, m, l);
		grid_put_heads(&g, v->out);
	}
	free(r);
}

static void put_findings(struct view *v, const struct model *m, const struct blocked_list *l)
{
	char line[LINE_BYTES], call[BRIEF_BYTES];

	for (size_t i = 0; i < l->nfindings; i++) {
		const struct finding *f = &l->finding[i];

		brief_call(call, m, f->first);
		snprintf(line, sizeof(line),
			 "%s: each thread that waits on one is pinned, %" PRIu64
			 " now; the longest in %s, fd %d",
			 f->note, f->threads, call, blocked_fd(m, f->first));
		wrap_put(v->out, line, 0, v->columns);
	}
}

/* Why rows have no "in ...", if that is for all of one reason. */
static void put_why_no_wait_points(struct view *v, const struct model *m,
				   const struct blocked_list *l)
{
	const char *why = blocked_why_no_wait_points(m, l);
	char line[LINE_BYTES];

	if (!why)
		return;
	snprintf(line, sizeof(line), "where in the kernel they wait is not known: %s", why);
	wrap_put(v->out, line, 0, v->columns);
}

/* "97 blocked: 96 in read(/dev/urandom) ← worker_read files.c:41, 1 in ..." */
static void put_summary(struct view *v, const struct model *m, const struct blocked_list *l)
{
	char line[LINE_BYTES], call[CALL_BYTES], where[BRIEF_BYTES];
	size_t n = (size_t)snprintf(line, sizeof(line), "%zu blocked", l->nblocked), rest;

	if (l->nblocked != l->all_blocked)
		n += (size_t)snprintf(line + n, sizeof(line) - n, " of %zu", l->all_blocked);
	rest = l->nblocked;
	for (size_t i = 0; i < l->groups.n && i < LEADING_GROUPS; i++) {
		const struct group *g = &l->groups.row[i];

		group_call(call, sizeof(call), m, g);
		brief_where(where, m, g->first);
		n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%zu in %s%s%s",
				      i ? ", " : ": ", g->n, call, where[0] ? " " ARROW " " : "",
				      where);
		rest -= g->n;
	}
	if (rest)
		n += (size_t)snprintf(line + n, sizeof(line) - n, ", %zu in other calls", rest);
	if (l->parked)
		snprintf(line + n, sizeof(line) - n,
			 "; %" PRIu64 " goroutine%s parked: on a lock, a channel or a timer",
			 l->parked, l->parked == 1 ? " is" : "s are");
	wrap_put(v->out, line, 0, v->columns);
}

static void text(struct view *v, const struct model *m)
{
	const struct blocked_opts *o = v->opts;
	struct screen *s = v->state;
	struct blocked_list l;

	if (!blocked_list_make(&l, m, o))
		return;
	if (s->has_one)
		fputc('\n', v->out);
	s->has_one = true;
	put_summary(v, m, &l);
	if (l.nblocked && (o->by_call || o->by_stack))
		put_groups(v, m, &l, o->by_stack);
	else if (l.nblocked)
		put_rows(v, m, &l);
	put_why_no_wait_points(v, m, &l);
	if (l.nhostages)
		put_hostages(v, m, &l);
	put_findings(v, m, &l);
	modules_text(v, m);
	blocked_list_free(&l);
}

static const char *const exact[] = { "ms.heir", NULL };
static const char *const sampled[] = { "blocked",           "ms", "hostages", "groups", "findings",
				       "goroutines_parked", NULL };
static const char *const unknown[] = { "ms.heir", NULL };

static const struct report_truth armed = {
	.text = "who got the P: exact; all else as seen every %s",
	.exact = exact,
	.sampled = sampled,
};
static const struct report_truth unarmed = {
	.text = "as seen at one moment; not known: who got the P",
	.sampled = sampled,
	.unknown = unknown,
};

const struct report report_blocked = {
	.name = "blocked",
	.armed = &armed,
	.unarmed = &unarmed,
	.state_bytes = sizeof(struct screen),
	.text = text,
	.json_type = "blocked",
	.json = blocked_json,
};
