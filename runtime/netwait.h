/* SPDX-License-Identifier: MIT */
/* netwait.h - a goroutine waits for a descriptor: parking, deadlines, turns. For io.c and net.c. */
#ifndef GRT_NETWAIT_H
#define GRT_NETWAIT_H

#include "types.h"

/*
 * Park the calling goroutine until fd, in its use by generation seq, is ready for mode
 * (GRT_MODE_*), or until deadline_ns (absolute; 0: none). 0: ready, try the call again, and wait
 * again if it still says EAGAIN, or else call netwait_done. -EBADF: that use has ended; -ETIMEDOUT;
 * -EPERM: not a goroutine; then all is done. Any number of goroutines may wait; one has the turn,
 * the others queue.
 */
int netwait(int fd, u64 seq, u32 mode, i64 deadline_ns);
/* The call did not say EAGAIN: the next one's turn. Nothing if it is not the caller's. */
void netwait_done(int fd, u32 mode);
int netwait_open(int fd);  /* netpoll_open, and wakes whom it expels */
int netwait_close(int fd); /* netpoll_close, likewise */

#endif
