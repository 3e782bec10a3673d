/* SPDX-License-Identifier: MIT */
/*
 * names.h - TEXT records: the names of what threads in calls are doing (descriptors, paths,
 * foreign functions), sent once and again when they change, so that whoever has the stream needs
 * nothing else to show it.
 */
#ifndef GOTRACE_NAMES_H
#define GOTRACE_NAMES_H

#include "../target/symname.h"
#include "source.h"

struct names;

/* NULL: no memory. */
struct names *names_new(const struct target *t);
void names_free(struct names *n);
/* A snapshot begins: descriptors may have changed. */
void names_begin(struct names *n);
/* What an M row and its CALL row, or NULL, need; of a call that goes on (GRT_RF_SAME_CALL) it was sent. */
void names_of_row(struct names *n, const struct grt_rec *row, const struct grt_rec *call,
		  source_emit_fn emit, void *arg);
/* What is mapped where a thread touched memory that is not there yet. */
void names_of_fault(struct names *n, uint64_t addr, source_emit_fn emit, void *arg);
/* Functions of the target, for who names them too. */
struct symname *names_functions(const struct names *n);
/* What a descriptor is; file: as fdname tells it. */
void names_put_fd(struct names *n, int fd, const char *name, uint64_t file, source_emit_fn emit,
		  void *arg);
/* One name, if it is new or has changed. */
void names_put(struct names *n, enum grt_text what, uint64_t key, const char *text,
	       source_emit_fn emit, void *arg);

#endif
