/* SPDX-License-Identifier: MIT */
/* io.h - shared by io.c and net.c: a call on a pollable descriptor, until it does not say EAGAIN. */
#ifndef GRT_IO_INTERNAL_H
#define GRT_IO_INTERNAL_H

#include "types.h"

/* One system call on a descriptor: number and arguments; args[0] is the fd. */
struct io_call {
	long nr;
	long args[6];
	u32 mode; /* GRT_MODE_*: what to wait for */
};

/*
 * On a pollable fd: call, wait while it says EAGAIN. On any other: a blocking call; a deadline is
 * then -EINVAL. EINTR is repeated. The result, or -errno.
 */
long io_call(const struct io_call *c, i64 deadline_ns);

#endif
