/* SPDX-License-Identifier: MIT */
/*
 * groups.h - threads that do the same, by call or by where in the program they make it. A group is
 * told by its thread that waits longest. By stack: the same call and the same frames; where the stack
 * is not known, as by call. By call: the same words (brief.h), but for things of one kind that hold few
 * threads each: 97 FIFOs with a reader each are one group, and the file that half of them wait
 * for is one of its own.
 */
#ifndef GOTRACE_GROUPS_H
#define GOTRACE_GROUPS_H

#include "model.h"

enum group_by { GROUP_BY_CALL, GROUP_BY_STACK };

struct group {
	const struct model_thread *first; /* waits longest */
	size_t n;
	size_t objects;    /* different things the call is made on */
	const char *name;  /* of one of them, or NULL */
	const char *kind;  /* of all of them: "FIFO"; NULL: not known, or they differ */
	size_t begin, end; /* bytes that their names begin and end with */
};

struct groups {
	struct group *row; /* most threads first, then the longest wait */
	size_t n;
	size_t *group_of; /* of each thread given */
};

/* threads: pointers into model_threads, in any order. False: no memory. */
bool groups_make(struct groups *ret, const struct model *m, enum group_by by,
		 const struct model_thread *const *threads, size_t n);
void groups_free(struct groups *g);
/* "read(/dev/urandom)", or "read(97 FIFOs: /tmp/x/fifo-*)" where they differ. */
void group_call(char *buf, size_t bytes, const struct model *m, const struct group *g);

#endif
