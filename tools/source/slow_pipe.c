/* SPDX-License-Identifier: MIT */
/*
 * slow_pipe.c - see slow_pipe.h. A writable pipe takes PIPE_BUF bytes at once. Not used: O_NONBLOCK, which
 * whoever shares our stdout would get as well; a timer that interrupts writes, which would interrupt
 * everything else, too.
 */
#include "slow_pipe.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "source.h"

#define LOOK_MS 50 /* a signal may come just before the wait: look again */

static int wait_writable(int fd, int *grace_ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };

	/* Errors are writable, too: the write tells which. */
	while (poll(&pfd, 1, LOOK_MS) <= 0) {
		if (!source_was_signalled())
			continue;
		*grace_ms -= LOOK_MS;
		if (*grace_ms <= 0)
			return -EINTR;
	}
	return 0;
}

ssize_t slow_pipe_write(int fd, const void *from, size_t bytes, int *grace_ms)
{
	int rc = wait_writable(fd, grace_ms);
	ssize_t n;

	if (rc < 0)
		return rc;
	n = write(fd, from, bytes < PIPE_BUF ? bytes : PIPE_BUF);
	/* Who shares our stdout may have made it non-blocking. */
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n == 0)
		return -EIO;
	return n < 0 ? -errno : n;
}
