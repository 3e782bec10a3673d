/* SPDX-License-Identifier: MIT */
/*
 * sink.h - the in-process consumer of probes: a ring of records per M, no lock, no allocation when
 * a probe fires, no privilege. Public side: grt/trace.h.
 */
#ifndef GRT_SINK_H
#define GRT_SINK_H

#include "types.h"

/* A new M, on its thread, before it may fire a probe. The ring stays with its slot of allm. */
void sink_thread_start(struct m *m);

#endif
