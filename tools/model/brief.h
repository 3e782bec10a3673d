/* SPDX-License-Identifier: MIT */
/*
 * brief.h - what a thread waits in, in words short enough to be compared: "fsync(/data/wal)", and
 * from where in the program: "wal_sync files.c:41". Threads with the same words do the same; that
 * is what groups and the ledger of threads are made from. Names only, no numbers that differ by
 * thread: buffers and sizes are left out. call_text of the views shows whole calls.
 */
#ifndef GOTRACE_BRIEF_H
#define GOTRACE_BRIEF_H

#include "model.h"

#define BRIEF_BYTES 256

/* What a call is made on: a descriptor or a string. */
struct brief_object {
	enum grt_text what; /* GRT_TEXT_FD, GRT_TEXT_STRING; 0: nothing */
	uint64_t key;
	uint64_t look; /* of its names: model_text_at */
};

/* GRT_TEXT_FD or GRT_TEXT_STRING; GRT_TEXT_FD_KIND or GRT_TEXT_STRING_KIND. NULL: not known. */
const char *brief_object_name(const struct model *m, struct brief_object o);
const char *brief_object_kind(const struct model *m, struct brief_object o);
struct brief_object brief_object(const struct model *m, const struct model_thread *t);
/* By its kernel stack, not by its fault_addr: that may be what an older fault left behind. */
bool brief_is_in_page_fault(const struct model *m, const struct model_thread *t);
/* "read(/dev/urandom)", "read(fd 7)", "nanosleep", "foreign slow_lookup"; never empty. */
void brief_call(char buf[BRIEF_BYTES], const struct model *m, const struct model_thread *t);
/* The same of a call that only its number and first argument are known of. */
void brief_call_nr(char buf[BRIEF_BYTES], const struct model *m, int32_t nr, bool has_arg,
		   uint64_t arg);
/* The innermost frame that is somebody's own code; NULL: not known. */
const struct model_frame *brief_frame(const struct model *m, const struct model_thread *t);
/* "worker_read files.c:41"; the bare address where there is no name. */
void brief_pc(char buf[BRIEF_BYTES], const struct model *m, uint64_t pc);
/* Of brief_frame; empty: not known. */
void brief_where(char buf[BRIEF_BYTES], const struct model *m, const struct model_thread *t);
/*
 * Where in the kernel it waits: the innermost function that is not the scheduler's; NULL: not
 * known.
 */
const char *brief_wait_point(const struct model *m, const struct model_thread *t);

#endif
