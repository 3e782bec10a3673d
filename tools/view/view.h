/* SPDX-License-Identifier: MIT */
/*
 * view.h - how a model is shown. A report is what is said: one file, one const struct report, in both
 * formats. A format is how all reports begin and end: text.c for people, json.c for programs. Views
 * read const models only; their one output is a stream. Loss is the formats' business: no report can
 * forget it.
 */
#ifndef GOTRACE_VIEW_H
#define GOTRACE_VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../json.h"
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
	bool is_recorded;
	int64_t interval_ns;
	const char *note; /* what else must be known: what was missed, a replaced file; or NULL */
};

/* Rows asked for are shown; the target has exited; it has replaced its image; a signal. */
enum view_why { VIEW_ASKED, VIEW_EXITED, VIEW_REPLACED, VIEW_SIGNAL };

/* What the last lines say. */
struct view_end {
	enum view_why why;
	bool has_failed; /* reading it did: an error was told */
	uint64_t rows, observed_ns;
	const char *law_broken; /* NULL: all hold */
	uint64_t probe_hits;
};

/* What is counted without gaps, what is only looked at, what cannot be known. */
struct report_truth {
	const char *text; /* "exact: ...; sampled every %s: ..." */
	const char *const *exact, *const *sampled, *const *unknown; /* members, by path; end: NULL */
};

struct view;

/* Each function is called with everything settled; those that may be NULL say so. */
struct report {
	const char *name;                           /* the verb; its schema is schema/NAME.json */
	const struct report_truth *armed, *unarmed; /* with probes, and without */
	size_t state_bytes;                         /* of v->state, zero at first */
	/* One tick. */
	void (*text)(struct view *v, const struct model *m);
	/* Before the last lines that all reports have; or NULL. */
	void (*text_totals)(struct view *v, const struct model *m, const struct view_end *e);
	/* One tick: members of an object of this type; `type` and `lost` are the format's. */
	const char *json_type;
	void (*json)(struct view *v, struct json *j, const struct model *m);
	/* Members of an object "totals" before the last one; or NULL. */
	void (*json_totals)(struct view *v, struct json *j, const struct model *m,
			    const struct view_end *e);
};

extern const struct report report_threads, report_by_m, report_handoff, report_netpoll;
extern const struct report report_blocked, report_growth;

/* The last two are of report_check only. */
enum view_format { VIEW_TEXT, VIEW_JSON, VIEW_TAP, VIEW_JUNIT };

struct format; /* formats.h */
struct view {
	const struct format *format;
	const struct report *report;
	const void *opts; /* the verb's own options */
	void *state;      /* the report's */
	FILE *out;
	unsigned int columns; /* width of the screen */
	unsigned int lines;   /* its height, 0: not a terminal */
	struct view_head head;
	struct json json;
	uint64_t lost_told;
};

struct view_opts {
	enum view_format format;
	const void *report_opts;
	unsigned int columns, lines;
};

/* NULL: no memory. */
struct view *view_new(FILE *out, const struct report *r, const struct view_opts *o);
void view_begin(struct view *v, const struct model *m, const struct view_head *h);
void view_row(struct view *v, const struct model *m);
void view_totals(struct view *v, const struct model *m, const struct view_end *e);
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
