/* SPDX-License-Identifier: MIT */
/*
 * state.h - the status word of a G and its six transitions. Nobody else writes it.
 *
 *   dead -> runnable      g_born        running -> waiting    g_parked
 *   runnable -> running   g_runs        waiting -> runnable   g_readied
 *   running -> runnable   g_queued      running -> dead       g_ended
 *
 * "In a syscall" is no status: a G is in a call iff it runs and its M's call word has IN. Whoever makes
 * a transition owns the G, so that a store does; only making ready is a CAS, for there two may believe
 * that they do, and the second must not be missed (I8). Finding another status than expected ends the
 * process.
 */
#ifndef GRT_STATE_H
#define GRT_STATE_H

#include "types.h"

void g_born(struct g *g);
void g_runs(struct m *m, struct g *g);
void g_parked(struct m *m, struct g *g);
void g_readied(struct g *g);
void g_queued(struct m *m, struct g *g);
void g_ended(struct m *m, struct g *g);

#endif
