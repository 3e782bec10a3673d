/* SPDX-License-Identifier: MIT */
/* schedtrace.h - GODEBUG=schedtrace=MS,scheddetail=1: the scheduler on stderr, as Go 1.27 prints it. */
#ifndef GRT_SCHEDTRACE_H
#define GRT_SCHEDTRACE_H

#include "types.h"

void schedtrace_init(const char *godebug); /* may be NULL */
bool schedtrace_is_on(void);
/* Print if it is time to. sysmon only. */
void schedtrace_tick(i64 now_ns);
/* Everything, now; for last words. Takes no lock. */
void sched_dump(void);

#endif
