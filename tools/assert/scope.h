/* SPDX-License-Identifier: MIT */
/*
 * scope.h - what a scope is; for this room only. Source and evidence are its observer's, and so is all that
 * runs by scope_run.
 */
#ifndef GOTRACE_SCOPE_H
#define GOTRACE_SCOPE_H

#include <pthread.h>
#include <sys/types.h>

#include "evidence.h"
#include "scope_open.h"

struct job {
	void (*run)(struct gotrace_scope *s, void *arg);
	void *arg;
};

struct gotrace_scope {
	struct scope_source in;
	struct evidence evidence;
	struct gotrace_handoff *copy; /* what gotrace_handoffs gave out */
	pthread_t observer;
	pid_t observer_tid;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job *job; /* lock; NULL: none */
	int done_fd;     /* becomes readable when a job is done */
	bool is_polled;  /* by libgrt's netpoller */
	bool is_ending;  /* lock */
	bool is_over;    /* the target has ended, or the recording */
};

/* On the observer's thread: come back when it is done. A goroutine that waits is parked. */
void scope_run(struct gotrace_scope *s, void (*run)(struct gotrace_scope *, void *), void *arg);
/* There: all that happened until now is known when this returns, and looked at. */
void scope_look(struct gotrace_scope *s);
/* There: what comes within that time. */
void scope_collect(struct gotrace_scope *s, int64_t for_ns);

#endif
