/* SPDX-License-Identifier: MIT */
/*
 * state.h - the status word of a G and its six transitions. Nobody else writes it.
 *
 *   dead -> runnable      g_born        running -> waiting    g_parked
 *   runnable -> running   g_runs        waiting -> runnable   g_readied
 *   running -> runnable   g_queued      running -> dead       g_ended
 *
 * "In a syscall" is no status: a G is in a call iff it runs and its M's call word has IN. Each
 * transition is a CAS; finding another status than expected ends the process: a G that is not waiting
 * and is made ready, say, was readied twice (I8).
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
