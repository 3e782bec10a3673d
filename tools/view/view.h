/* SPDX-License-Identifier: MIT */
/*
 * view.h - how a model is shown: one file a format, each a table of callbacks. A view reads const
 * models only; its one output is a stream. Every view must have `lost`: none can forget loss.
 */
#ifndef GOTRACE_VIEW_H
#define GOTRACE_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../model/model.h"
#include "call.h"

/* What the first line says. Texts belong to the caller and live as long as the view. */
struct view_head {
	int pid;
	const char *comm;
	const char *runtime;        /* "libgrt" */
	int level;                  /* of the privilege ladder */
	const char *why_not_higher; /* empty at the top */
	int armed, wanted;          /* probes */
	bool has_iterator;          /* the kernel's view comes from BPF, not from /proc */
	int64_t interval_ns;
	const char *note; /* what else must be known: what was missed, a replaced file; or NULL */
};

/* Rows asked for are shown; the target has exited; it has replaced its image; a signal. */
enum view_why { VIEW_ASKED, VIEW_EXITED, VIEW_REPLACED, VIEW_SIGNAL };

/* What the last lines say. */
struct view_end {
	enum view_why why;
	uint64_t rows, observed_ns;
	const char *law_broken; /* NULL: all hold */
	uint64_t probe_hits;
};

struct view;

struct view_ops {
	void (*begin)(struct view *v, const struct model *m, const struct view_head *h);
	/* Column heads, sized for this model. row repeats them by itself where that helps. */
	void (*header)(struct view *v, const struct model *m);
	void (*row)(struct view *v, const struct model *m);
	void (*by_m)(struct view *v, const struct model *m);
	void (*totals)(struct view *v, const struct model *m, const struct view_end *e);
	/* What was lost so far, in its place: totals ends with it, and so does whatever else must.
	 */
	void (*lost)(struct view *v, const struct model *m);
	void (*end)(struct view *v);
};

struct view {
	const struct view_ops *ops;
	FILE *out;
	const struct call_names *names; /* may be NULL */
	struct view_head head;
};

/* columns: width of the screen; lines: its height, 0: not a terminal. NULL: no memory. */
struct view *view_table_new(FILE *out, const struct call_names *names, unsigned int columns,
			    unsigned int lines);
/* One JSON object a line, as schema.md says. */
struct view *view_json_new(FILE *out, const struct call_names *names);
void view_free(struct view *v);

const char *view_state_word(enum grt_mstate s);
const char *view_why_word(enum view_why w);
const char *view_loss_word(enum grt_loss reason);
/*
 * Threads in the order people ask for them: blocked first, then hostages, and so on by state;
 * within a state the longest first, what is not known last. Writes indexes into model_threads; the
 * caller frees. NULL: no memory, or no thread.
 */
size_t *view_threads_sorted(const struct model *m);

#endif
