/* SPDX-License-Identifier: MIT */
/* sysmon.h - the monitor: takes Ps from calls that last, polls when nobody did, lets idle Ms go. */
#ifndef GRT_SYSMON_H
#define GRT_SYSMON_H

#include "types.h"

/* Run on the calling thread, an M marked system, until the main goroutine is done. */
void sysmon_run(void);
/* The main goroutine is done: let sysmon_run return. Any thread. */
void sysmon_finish(void);

/* One look at every P; returns how many were taken. For sysmon, and for tests with a clock of their own. */
u32 sysmon_retake(i64 now_ns);

#endif
