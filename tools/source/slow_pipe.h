/* SPDX-License-Identifier: MIT */
/*
 * slow_pipe.h - a write to a full pipe would sleep until somebody reads, whatever signal comes: so it is
 * only begun when it cannot sleep, and the wait for that ends soon after a signal.
 */
#ifndef GOTRACE_SLOW_PIPE_H
#define GOTRACE_SLOW_PIPE_H

#include <stddef.h>
#include <sys/types.h>

#define SLOW_PIPE_GRACE_MS 500 /* after a signal, for a reader that only is slow */

/*
 * Some of it, as soon as it can be taken: how much, 0 if it is to be tried again, or -errno; -EINTR: we
 * were asked to end, and the grace, which the wait is taken from, is over.
 */
ssize_t slow_pipe_write(int fd, const void *from, size_t bytes, int *grace_ms);

#endif
