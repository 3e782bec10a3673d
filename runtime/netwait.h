/* SPDX-License-Identifier: MIT */
/* netwait.h - a goroutine waits for a descriptor: parking, deadlines, turns. For io.c and net.c. */
#ifndef GRT_NETWAIT_H
#define GRT_NETWAIT_H

#include "types.h"

/*
 * Park the calling goroutine until fd, in its use by generation seq, is ready for mode (GRT_MODE_*), or deadline_ns (absolute; 0: none).
 * 0: ready, try the call again (it may still say EAGAIN). -EBADF closed or not open, -ETIMEDOUT, -EPERM not
 * a goroutine. Any number of goroutines may wait; one is at the word, the others queue.
 */
int netwait(int fd, u64 seq, u32 mode, i64 deadline_ns);
int netwait_open(int fd);  /* netpoll_open, and wakes whom it expels */
int netwait_close(int fd); /* netpoll_close, likewise */

#endif
