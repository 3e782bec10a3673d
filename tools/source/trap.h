/* SPDX-License-Identifier: MIT */
/*
 * trap.h - what one hit of a probe costs here: measured on ourselves, with an empty program on a site
 * like those of the target (a one-byte nop).
 */
#ifndef GOTRACE_TRAP_H
#define GOTRACE_TRAP_H

#include <stdint.h>

struct trap;

/* prog_fd: an empty uprobe program, loaded for uprobe_multi. NULL: it may not be attached. */
struct trap *trap_open(int prog_fd);
/* CPU time of one hit, ns: what it adds to a thread that runs into it. */
uint64_t trap_cost_ns(const struct trap *t);
void trap_close(struct trap *t);

#endif
