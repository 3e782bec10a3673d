/* SPDX-License-Identifier: MIT */
/*
 * by_m.c - a row per M, blocked first, the longest first:
 *
 *	 M    TID  STATE       FOR    G  P  CALL
 *	12  48121  blocked   >4.1s   17  -  read(7</var/log/x>, 65536)
 *
 * ">": at least so long, a lower bound is all that is known. "-": none, or not known. The call is
 * the last column and is cut where the screen ends ("~"); narrow screens lose P and TID first.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fmt.h"
#include "formats.h"
#include "waits.h"

enum by_m_column { B_M, B_TID, B_STATE, B_FOR, B_G, B_P, B_COUNT };

#define CALL_COLUMNS_MIN 12 /* what must be left for the call before columns go */

struct by_m_row {
	char text[B_COUNT][FMT_BYTES];
	char call[CALL_BYTES];
};

struct by_m_layout {
	unsigned int width[B_COUNT];
	bool is_shown[B_COUNT];
	unsigned int call_columns;
};

static const char *const head[B_COUNT] = { "M", "TID", "STATE", "FOR", "G", "P" };

static void put_id(char *buf, int64_t id)
{
	if (id < 0)
		strcpy(buf, "-");
	else
		snprintf(buf, FMT_BYTES, "%" PRId64, id);
}

static void row_read(struct by_m_row *r, const struct model *m, const struct model_thread *t)
{
	bool is_least = t->attr & GRT_MA_SINCE_AT_LEAST;
	uint64_t now_ns = model_snap(m)->time_ns;
	char *since = r->text[B_FOR];

	put_id(r->text[B_M], t->m);
	put_id(r->text[B_TID], t->tid);
	put_id(r->text[B_G], t->g ? (int64_t)t->g : -1);
	put_id(r->text[B_P], t->p);
	snprintf(r->text[B_STATE], FMT_BYTES, "%s", view_state_word(t->state));
	strcpy(since, "-");
	/* "At least nothing" is nothing known. */
	if (t->since_ns && (now_ns > t->since_ns || !is_least)) {
		since[0] = '>';
		fmt_duration(since + is_least, now_ns > t->since_ns ? now_ns - t->since_ns : 0);
	}
	call_text(r->call, sizeof(r->call), m, t);
}

static unsigned int fixed_width(const struct by_m_layout *l)
{
	unsigned int total = 0;

	for (int i = 0; i < B_COUNT; i++)
		if (l->is_shown[i])
			total += l->width[i] + 2;
	return total;
}

static void layout_fit(struct by_m_layout *l, const struct by_m_row *rows, size_t n,
		       unsigned int screen)
{
	static const enum by_m_column goes_first[] = { B_P, B_TID, B_G };

	for (int i = 0; i < B_COUNT; i++) {
		l->is_shown[i] = true;
		l->width[i] = (unsigned int)strlen(head[i]);
		for (size_t k = 0; k < n; k++)
			if (strlen(rows[k].text[i]) > l->width[i])
				l->width[i] = (unsigned int)strlen(rows[k].text[i]);
	}
	for (size_t i = 0; i < sizeof(goes_first) / sizeof(goes_first[0]); i++)
		if (fixed_width(l) + CALL_COLUMNS_MIN > screen)
			l->is_shown[goes_first[i]] = false;
	l->call_columns = fixed_width(l) < screen ? screen - fixed_width(l) : CALL_COLUMNS_MIN;
}

static void put_line(FILE *out, const struct by_m_layout *l, const char *const *text,
		     const char *call)
{
	for (int i = 0; i < B_COUNT; i++) {
		bool is_left = i == B_STATE;

		if (!l->is_shown[i])
			continue;
		fprintf(out, "%*s  ", is_left ? -(int)l->width[i] : (int)l->width[i], text[i]);
	}
	fprintf(out, "%s\n", call);
}

static void put_row(FILE *out, const struct by_m_layout *l, const struct by_m_row *r)
{
	const char *text[B_COUNT];
	char call[CALL_BYTES];

	for (int i = 0; i < B_COUNT; i++)
		text[i] = r->text[i];
	fmt_clean(call, sizeof(call), r->call[0] ? r->call : "-", l->call_columns);
	put_line(out, l, text, call);
}

static void put_hidden(FILE *out, const struct by_m_layout *l, unsigned int screen)
{
	char line[128];
	size_t n = 0;

	for (int i = 0; i < B_COUNT; i++)
		if (!l->is_shown[i])
			n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%s", n ? ", " : "",
					      head[i]);
	if (n)
		fprintf(out, "no room in %u columns for: %s\n", screen, line);
}

/* A table a tick, an empty line between two. */
struct tables {
	bool has_one;
};

static void text(struct view *v, const struct model *m)
{
	const struct model_thread *all;
	size_t n = model_threads(m, &all), *order = view_threads_sorted(m);
	struct by_m_row *rows = calloc(n ? n : 1, sizeof(*rows));
	struct tables *tables = v->state;
	struct by_m_layout l;

	if (tables->has_one)
		fputc('\n', v->out);
	tables->has_one = true;
	if (rows && order) {
		for (size_t i = 0; i < n; i++)
			row_read(&rows[i], m, &all[order[i]]);
		layout_fit(&l, rows, n, v->columns);
		put_hidden(v->out, &l, v->columns);
		put_line(v->out, &l, head, "CALL");
		for (size_t i = 0; i < n; i++)
			put_row(v->out, &l, &rows[i]);
	}
	free(rows);
	free(order);
}

static void put_thread(struct json *j, const struct model *m, const struct model_thread *t)
{
	uint64_t now_ns = model_snap(m)->time_ns;
	char kernel_state[2] = { t->kernel_state, '\0' };
	uint64_t for_ns = now_ns > t->since_ns ? now_ns - t->since_ns : 0;

	json_open(j, NULL, '{');
	json_uint_or_null(j, "m", t->m >= 0, (uint64_t)t->m);
	json_uint(j, "tid", t->tid);
	json_text(j, "state", view_state_word(t->state));
	json_uint_or_null(j, "for_ns", t->since_ns, for_ns);
	json_bool(j, "for_at_least", t->attr & GRT_MA_SINCE_AT_LEAST);
	json_uint_or_null(j, "g", t->g, t->g);
	json_uint_or_null(j, "p", t->p >= 0, (uint64_t)t->p);
	json_text(j, "kernel_state", t->kernel_state ? kernel_state : NULL);
	json_bool(j, "waits_for_cpu", t->attr & GRT_MA_WAITING);
	json_bool(j, "is_throttled", t->attr & GRT_MA_THROTTLED);
	json_call(j, "call", m, t);
	json_close(j);
}

static void json(struct view *v, struct json *j, const struct model *m)
{
	const struct model_thread *all;
	size_t n = model_threads(m, &all), *order = view_threads_sorted(m);

	(void)v;
	json_uint(j, "time_ns", model_snap(m)->time_ns);
	json_open(j, "ms", '[');
	for (size_t i = 0; order && i < n; i++)
		put_thread(j, m, &all[order[i]]);
	json_close(j);
	waits_json(j, m);
	free(order);
}

const struct report report_by_m = {
	.name = "threads",
	.armed = &threads_armed,
	.unarmed = &threads_unarmed,
	.state_bytes = sizeof(struct tables),
	.text = text,
	.text_totals = waits_text_totals,
	.json_type = "by_m",
	.json = json,
};
