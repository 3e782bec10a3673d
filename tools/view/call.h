/* SPDX-License-Identifier: MIT */
/*
 * call.h - what a thread is doing in the words of strace: read(7</var/log/x>, 65536). Names of
 * descriptors, strings and functions come through callbacks, since a view does no I/O; where there
 * is none, or it does not know, the bare number stands.
 */
#ifndef GOTRACE_CALL_H
#define GOTRACE_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../model/model.h"

#define CALL_BYTES 512

/* Each writes a name and returns true, or returns false. */
struct call_names {
	void *arg;
	bool (*fd)(void *arg, int fd, char *buf, size_t bytes);            /* "/var/log/x" */
	bool (*text)(void *arg, uint64_t addr, char *buf, size_t bytes);   /* the string there */
	bool (*symbol)(void *arg, uint64_t addr, char *buf, size_t bytes); /* "usleep" */
};

/* NULL: no such call. */
const char *call_name(int32_t nr);
/* Empty when there is nothing to say. names may be NULL. */
void call_text(char *buf, size_t bytes, const struct model_thread *t,
	       const struct call_names *names);

#endif
