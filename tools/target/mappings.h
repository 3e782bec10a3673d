/* SPDX-License-Identifier: MIT */
/*
 * mappings.h - what is mapped at an address of a process, data too: "/data/index", "[heap]", "anonymous
 * memory". maps.h is about code and keeps files open; here are names only, of one moment.
 */
#ifndef GOTRACE_MAPPINGS_H
#define GOTRACE_MAPPINGS_H

#include <stdint.h>
#include <sys/types.h>

struct mappings;

/* tid: any thread whose /proc entries show the process. NULL: no memory. */
struct mappings *mappings_new(pid_t tid);
void mappings_free(struct mappings *m);
/* What was read is forgotten: the next question reads /proc again. */
void mappings_refresh(struct mappings *m);
/* Until the next refresh; control characters replaced. NULL: nothing is mapped there, or it may not be read. */
const char *mappings_name(struct mappings *m, uint64_t addr);

#endif
