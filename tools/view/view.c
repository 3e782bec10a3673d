/* SPDX-License-Identifier: MIT */
/* view.c - what all formats share: words and order. */
#define _GNU_SOURCE
#include <stdlib.h>

#include "formats.h"

#define COLUMNS_MIN 20

static const struct format *const formats[] = {
	[VIEW_TEXT] = &format_text,
	[VIEW_JSON] = &format_json,
	[VIEW_TAP] = &format_tap,
	[VIEW_JUNIT] = &format_junit,
};

struct view *view_new(FILE *out, const struct report *r, const struct view_opts *o)
{
	struct view *v = calloc(1, sizeof(*v));
	void *state = calloc(1, r->state_bytes ? r->state_bytes : 1);

	if (!v || !state) {
		free(v);
		free(state);
		return NULL;
	}
	*v = (struct view){
		.format = formats[o->format],
		.report = r,
		.opts = o->report_opts,
		.state = state,
		.out = out,
		.columns = o->columns > COLUMNS_MIN ? o->columns : COLUMNS_MIN,
		.lines = o->lines,
	};
	json_init(&v->json, out);
	return v;
}

void view_begin(struct view *v, const struct model *m, const struct view_head *h)
{
	v->head = *h;
	v->format->begin(v, m);
}

void view_row(struct view *v, const struct model *m)
{
	v->format->row(v, m);
	fflush(v->out);
}

void view_totals(struct view *v, const struct model *m, const struct view_end *e)
{
	v->format->totals(v, m, e);
	fflush(v->out);
}

void view_free(struct view *v)
{
	if (!v)
		return;
	fflush(v->out);
	free(v->state);
	free(v);
}

const char *view_state_word(enum grt_mstate s)
{
	static const char *const word[] = {
#define WORD(nr, word) [nr] = #word,
		MSTATES(WORD)
#undef WORD
	};

	return (unsigned int)s < GRT_MS_COUNT ? word[s] : "?";
}

const char *view_why_word(enum view_why w)
{
	static const char *const word[] = {
		[VIEW_ASKED] = "asked",
		[VIEW_EXITED] = "exited",
		[VIEW_REPLACED] = "replaced",
		[VIEW_SIGNAL] = "interrupted",
	};

	return word[w];
}

const char *view_loss_word(enum grt_loss reason)
{
	switch (reason) {
	case GRT_LOSS_RING:
		return "ring";
	case GRT_LOSS_MEMORY:
		return "memory";
	case GRT_LOSS_MAP:
		return "map";
	case GRT_LOSS_CUT:
		return "cut";
	case GRT_LOSS_REORDER:
		return "reorder";
	}
	return "other";
}

static int state_rank(enum grt_mstate s)
{
	static const int rank[GRT_MS_COUNT] = {
		[GRT_MS_blocked] = 0, [GRT_MS_hostage] = 1,  [GRT_MS_syscall] = 2,
		[GRT_MS_running] = 3, [GRT_MS_spinning] = 4, [GRT_MS_polling] = 5,
		[GRT_MS_locked] = 6,  [GRT_MS_idle] = 7,     [GRT_MS_system] = 8,
		[GRT_MS_foreign] = 9,
	};

	return rank[s];
}

static int thread_compare(const void *a, const void *b, void *arg)
{
	const struct model_thread *all = arg;
	const struct model_thread *x = &all[*(const size_t *)a], *y = &all[*(const size_t *)b];
	uint64_t x_since = x->since_ns ? x->since_ns : UINT64_MAX;
	uint64_t y_since = y->since_ns ? y->since_ns : UINT64_MAX;

	if (x->state != y->state)
		return state_rank(x->state) - state_rank(y->state);
	if (x_since != y_since)
		return x_since < y_since ? -1 : 1;
	if (x->m != y->m)
		return x->m < y->m ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

size_t *view_threads_sorted(const struct model *m)
{
	const struct model_thread *all;
	size_t n = model_threads(m, &all);
	size_t *order = n ? calloc(n, sizeof(*order)) : NULL;

	if (!order)
		return NULL;
	for (size_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), thread_compare, (void *)(uintptr_t)all);
	return order;
}
