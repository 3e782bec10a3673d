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
	uint32_t max_overhead_ppm; /* of the target's CPU time; 0: no limit; or SESSION_UNSET */
	bool is_silent;            /* no rows: as the verb says, unless an interval was asked for */
};
#define SESSION_UNSET UINT32_MAX
/* Of verbs that are told of each wait on a descriptor: at 1 % a busy server would often be unseen. */
#define SESSION_NETPOLL_PPM 30000
#define SESSION_NETPOLL_SHARE "3%"
extern struct session_opts session_opts;

/* clang-format off */
#define SESSION_OPTS SESSION_OPTS_OF("1s", "1%")
/* Of a verb with another interval_ns or max_overhead_ppm. */
#define SESSION_OPTS_OF(interval, overhead) \
	{ "interval", 'i', OPT_DURATION, "TIME", "time between rows (" interval ")", \
	  &session_opts.interval_ns }, \
	{ "rows", 'n', OPT_UINT, "N", "stop after so many rows", &session_opts.rows }, \
	{ "for", 0, OPT_DURATION, "TIME", "stop after so long", &session_opts.for_ns }, \
	{ "once", 0, OPT_FLAG, NULL, "one row, as -n 1", &session_opts.once }, \
	{ "json", 0, OPT_FLAG, NULL, "one JSON object a line", &session_opts.json }, \
	{ "sample", 0, OPT_FLAG, NULL, "no BPF: read memory and /proc only", &session_opts.sample }, \
	{ "max-overhead", 0, OPT_PERCENT, "SHARE", "of the target's CPU time (" overhead "); above it " \
	  "probes are shed; 0%: never", &session_opts.max_overhead_ppm }
/* clang-format on */

#define SESSION_ARGS "PID | FILE | -- COMMAND..."
#define KIND(name) (1ull << GRT_K_##name)
/* Cold ones only: what hand-offs, new threads and the laws are made from. */
#define COLD_KINDS                                                                     \
	(KIND(m_new) | KIND(m_start) | KIND(m_exit) | KIND(exitsyscall_slow) |         \
	 KIND(entersyscallblock) | KIND(retake) | KIND(handoff) | KIND(handoff_done) | \
	 KIND(procs_change))

/* Who hears all that a session hears of a live process: a recorder. Of its first image only. */
struct session_tap {
	/* Before the first record. Returns an exit code, after diag_error if it is not EXIT_FINE. */
	int (*begin)(void *arg, const struct target *t, const struct source_status *st);
	source_emit_fn record; /* before the model has it */
	/* All records of a tick were handed over; what the first one says of the time before it, or NULL. */
	void (*tick)(void *arg, const char *note);
	bool (*is_enough)(void *arg); /* asked at each tick */
	void (*end)(void *arg, enum view_why why);
};

/* Reading all stacks of a large process takes as long as the rest of a snapshot, and longer. */
enum session_stacks {
	SESSION_NO_STACKS,
	SESSION_STACKS_IN_CASE, /* of what may soon be shown: as often as that is cheap */
	SESSION_STACKS_NOW,
};

/* Who says what the model means: a check. Of a process's first image, or of a recording. */
struct session_judge {
	/* Before it looks: which stacks of the snapshot it wants. NULL: they are in it. */
	enum session_stacks (*stacks)(void *arg, const struct model *m);
	void (*look)(void *arg, const struct model *m); /* at each tick */
	bool (*is_sure)(void *arg);                     /* nothing can change any more */
	/* All is settled, and nothing is shown yet. */
	void (*end)(void *arg, const struct model *m, const struct source_status *st,
		    const struct view_end *e);
};

struct verb {
	const char *name;
	const struct report *report;
	const void *report_opts;
	struct source_opts want;   /* sample_only is an option of the user's */
	bool needs_events;         /* also for a single row */
	bool is_silent;            /* only the totals are shown, unless an interval was asked for */
	uint32_t max_overhead_ppm; /* unless the user says another; 0: 1 % */
	bool is_last_row;          /* a single row of a recording is its last one */
	const struct session_tap *tap; /* or NULL */
	void *tap_arg;
	const struct session_judge *judge; /* or NULL */
	void *judge_arg;
	/* If the user did not say; 0: a second, and without end. for_ns is not of commands and files. */
	int64_t interval_ns, for_ns;
	enum view_format format; /* without --json */
	bool is_document; /* only the totals are shown, and alone on stdout: a command's go to stderr */
};

/* argc, argv: the operands. Returns an exit code. */
int session_main(const struct verb *v, int argc, char **argv);

/* What operands turn out to be. Both take over what they look at, and return an exit code. */
struct started;
/* started: a command that waits to be released; NULL: it runs already. */
int session_study(const struct verb *v, struct target *t, struct started *started);
int session_replay(const struct verb *v, struct source *recording);

#endif
