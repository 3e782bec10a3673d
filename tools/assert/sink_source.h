/* SPDX-License-Identifier: MIT */
/*
 * sink_source.h - this process as a source, by what libgrt offers in any container: its own sink for
 * events, and its own memory and /proc for snapshots. libgrt is not linked from here: where the program
 * has none, opening says so.
 */
#ifndef GOTRACE_SINK_SOURCE_H
#define GOTRACE_SINK_SOURCE_H

#include <stddef.h>

#include "../source/source.h"

/* t is this process. NULL, and a sentence in why. The sink is closed with the source. */
struct source *sink_source_open(struct target *t, uint64_t kinds, char *why, size_t why_bytes);

#endif
