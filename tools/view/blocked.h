/* SPDX-License-Identifier: MIT */
/*
 * blocked.h - what both formats of `gotrace blocked` show: which threads, in which order, in which
 * groups, and what is wrong with what they wait on.
 */
#ifndef GOTRACE_VIEW_BLOCKED_H
#define GOTRACE_VIEW_BLOCKED_H

#include "../model/groups.h"
#include "view.h"

#define BLOCKED_ANY_NR (-100)
#define BLOCKED_ANY_FD (-1)

struct blocked_opts {
	bool by_stack, by_call; /* groups, not rows */
	uint64_t min_ns;
	int32_t nr; /* BLOCKED_ANY_NR, a call's number, GRT_NR_FOREIGN */
	int fd;     /* BLOCKED_ANY_FD, or what the call is made on */
};

/* A note on descriptors, and the threads that wait on such. */
struct finding {
	const char *note;                 /* "socket in blocking mode" */
	const struct model_thread *first; /* waits longest */
	uint64_t threads;
};
#define FINDINGS_MAX 8

struct blocked_list {
	const struct model_thread **blocked, **hostage; /* longest first */
	size_t nblocked, nhostages;
	size_t all_blocked; /* with those that the options leave out */
	struct groups groups;
	struct finding finding[FINDINGS_MAX];
	size_t nfindings;
	uint64_t parked; /* goroutines that wait for no descriptor and no call */
};

/* False: no memory. */
bool blocked_list_make(struct blocked_list *ret, const struct model *m,
		       const struct blocked_opts *o);
void blocked_list_free(struct blocked_list *l);
/* For how long; false: not known. */
bool blocked_for(const struct model *m, const struct model_thread *t, uint64_t *ret_ns,
		 bool *ret_is_least);
/* The descriptor that a thread's call is made on, -1: none. */
int blocked_fd(const struct model *m, const struct model_thread *t);
/* Its GRT_TEXT_FD, GRT_TEXT_FD_KIND or GRT_TEXT_FD_NOTE, as its call knows it; NULL: none, or not known. */
const char *blocked_fd_text(const struct model *m, const struct model_thread *t,
			    enum grt_text what);

/* For how long Ps were held, all together: at least. */
uint64_t blocked_held_ns(const struct model *m, const struct blocked_list *l);
/* NULL: some have one, there are none, or it is not known. */
const char *blocked_why_no_wait_points(const struct model *m, const struct blocked_list *l);

void blocked_json(struct view *v, struct json *j, const struct model *m);

#endif
