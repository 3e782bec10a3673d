/* SPDX-License-Identifier: MIT */
/* delays.h - how long each M of the target was runnable without a CPU (schedstat), for predicates. */
#ifndef GOTRACE_DELAYS_H
#define GOTRACE_DELAYS_H

#include "evidence.h"

/* Since the first call with this evidence. Ms of the newest snapshot only. */
void delays_read(struct evidence *e, pid_t pid);

#endif
