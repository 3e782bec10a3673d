/* SPDX-License-Identifier: MIT */
/*
 * trial.h - what this machine and this user may do, found out by doing it, on processes of our own:
 * lists of capabilities and versions of kernels say what should work, a trial says what does. They
 * are consulted only to explain a trial that failed.
 */
#ifndef GOTRACE_TRIAL_H
#define GOTRACE_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

enum trial_id {
	TRIAL_MEMORY, /* of processes of the same user */
	TRIAL_MEMORY_OTHERS,
	TRIAL_SYSCALL,      /* /proc/PID/syscall */
	TRIAL_MAPPED_FILES, /* files as mapped, even if they are gone from disk */
	TRIAL_RINGBUF,
	TRIAL_ITERATOR,
	TRIAL_SWITCHES,
	TRIAL_UPROBE_MULTI,
	TRIAL_UPROBE_PERF,
	TRIALS
};

struct trial {
	const char *key;  /* "task_iterator": a word for scripts */
	const char *what; /* "task iterator: state and call of each thread" */
	enum { TRIAL_NO, TRIAL_YES, TRIAL_UNTRIED } result;
	char why[192];    /* what was seen */
	char change[192]; /* what would make it work; empty if it does, or if nothing would */
};

/* Makes all trials; takes a few tens of ms. ret[id] is the trial of that id. */
void trials_run(struct trial ret[TRIALS]);
/* Level at which gotrace would run: 0, 1, 2 as in struct source_status; -1: not at all. */
int trials_level(const struct trial t[TRIALS]);

/* Parts of trials_run. */
void trials_run_proc(struct trial ret[TRIALS]);
void trials_run_bpf(struct trial ret[TRIALS]);
void trial_works(struct trial *t, const char *why);
/* Explains -errno by what this process lacks; caps: bits that the trial is known to need. */
void trial_fails(struct trial *t, const char *step, int error, unsigned long long caps);

#endif
