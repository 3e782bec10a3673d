/* SPDX-License-Identifier: MIT */
/* mem.h - reading memory by thread id, for target.c before there is a struct target. */
#ifndef GOTRACE_MEM_H
#define GOTRACE_MEM_H

#include "target.h"

/* As target_read_many. -ESRCH: the thread is gone, which does not mean that its process is. */
int mem_read_many(pid_t tid, struct target_read *r, int n);
/* One place: 0 or -errno; -EFAULT if not all of it could be read. */
int mem_read(pid_t tid, uint64_t addr, void *buf, uint32_t bytes);

#endif
