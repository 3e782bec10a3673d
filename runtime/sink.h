/* SPDX-License-Identifier: MIT */
/*
 * sink.h - the in-process consumer of probes: a ring of records per M, no lock, no allocation when
 * a probe fires, no privilege. Public side: grt/trace.h.
 */
#ifndef GRT_SINK_H
#define GRT_SINK_H

#include "types.h"

/* A new M, on its thread, before it may emit; and its end (the ring stays until it is read). */
void sink_thread_start(struct m *m);
void sink_thread_stop(struct m *m);

#endif
