/* SPDX-License-Identifier: MIT */
/*
 * session.h - what all verbs that watch have in common: a process, a recording or a command to start;
 * ticks; the end; exit codes. A verb is what it wants of the source and the report it shows.
 */
#ifndef GOTRACE_SESSION_H
#define GOTRACE_SESSION_H

#include "../source/source.h"
#include "../view/view.h"
#include "cmd.h"

/* Options of every watching verb; SESSION_OPTS are their rows. */
struct session_opts {
	int64_t interval_ns, for_ns; /* for_ns 0: no limit */
	unsigned long rows;          /* 0: no limit */
	bool once, json, sample;
};
extern struct session_opts session_opts;

#define SESSION_OPTS                                                                            \
	{                                                                                       \
		"interval",                                                                     \
		'i',                                                                            \
		OPT_DURATION,                                                                   \
		"TIME",                                                                         \
		"time between rows (1s)",                                                       \
		&session_opts.interval_ns                                                       \
	},                                                                                      \
		{ "rows", 'n', OPT_UINT, "N", "stop after so many rows", &session_opts.rows },  \
		{ "for", 0, OPT_DURATION, "TIME", "stop after so long", &session_opts.for_ns }, \
		{ "once", 0, OPT_FLAG, NULL, "one row, as -n 1", &session_opts.once },          \
		{ "json", 0, OPT_FLAG, NULL, "one JSON object a line", &session_opts.json },    \
	{                                                                                       \
		"sample", 0, OPT_FLAG, NULL, "no BPF: read memory and /proc only",              \
			&session_opts.sample                                                    \
	}

#define SESSION_ARGS "PID | -- COMMAND..."
#define KIND(name) (1ull << GRT_K_##name)
/* Cold ones only: what hand-offs, new threads and the laws are made from. */
#define COLD_KINDS                                                                     \
	(KIND(m_new) | KIND(m_start) | KIND(m_exit) | KIND(exitsyscall_slow) |         \
	 KIND(entersyscallblock) | KIND(retake) | KIND(handoff) | KIND(handoff_done) | \
	 KIND(procs_change))

struct verb {
	const char *name;
	const struct report *report;
	const void *report_opts;
	struct source_opts want; /* sample_only is an option of the user's */
	bool is_silent;          /* only the totals are shown, unless an interval was asked for */
	/* Each record, before the model has it; or NULL. A recorder writes it. */
	source_emit_fn on_record;
	void *on_record_arg;
};

/* argc, argv: the operands. Returns an exit code. */
int session_main(const struct verb *v, int argc, char **argv);

#endif
