/* SPDX-License-Identifier: MIT */
/*
 * output.c - see output.h. A write to a full pipe would sleep until somebody reads, whatever signal
 * comes: so it is only begun when it cannot sleep, and the wait for that ends soon after a signal.
 *
 * A writable pipe takes PIPE_BUF bytes at once. Not used: O_NONBLOCK, which whoever shares our stdout
 * would get as well; a timer that interrupts writes, which would interrupt everything else, too.
 */
#include "output.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "../diag.h"
#include "../source/source.h"

#define LOOK_MS 50   /* a signal may come just before the wait: look again */
#define GRACE_MS 500 /* after a signal: a reader that only is slow gets the totals */

static int grace_ms = GRACE_MS; /* left, for all that is to come */
static bool has_given_up, is_dropped;

static bool wait_writable(void)
{
	struct pollfd pfd = { .fd = STDOUT_FILENO, .events = POLLOUT };

	/* Errors are writable, too: the write tells which. */
	while (!has_given_up && poll(&pfd, 1, LOOK_MS) <= 0) {
		if (!source_was_signalled())
			continue;
		grace_ms -= LOOK_MS;
		has_given_up = grace_ms <= 0;
	}
	return !has_given_up;
}

/* All of it, or less after an error, as stdio wants it. */
static ssize_t put(void *cookie, const char *buf, size_t bytes)
{
	size_t done = 0;

	(void)cookie;
	while (!is_dropped && done < bytes) {
		size_t part = bytes - done < PIPE_BUF ? bytes - done : PIPE_BUF;
		ssize_t n;

		if (!wait_writable()) {
			errno = EINTR;
			return (ssize_t)done;
		}
		n = write(STDOUT_FILENO, buf + done, part);
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return (ssize_t)done;
		done += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)bytes;
}

void output_init(void)
{
	static const cookie_io_functions_t functions = { .write = put };
	FILE *f = fopencookie(NULL, "w", functions);

	if (!f)
		return;
	setvbuf(f, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
	fflush(stdout);
	stdout = f;
}

void output_end(void)
{
	struct pollfd pfd = { .fd = STDOUT_FILENO };
	bool is_unread;

	fflush(stdout);
	if (!ferror(stdout))
		return;
	is_unread = poll(&pfd, 1, 0) == 1 && (pfd.revents & (POLLERR | POLLHUP));
	if (!is_unread && !has_given_up)
		return;
	is_dropped = true;
	clearerr(stdout);
	fflush(stdout);
	if (!is_unread)
		diag_warn("interrupted: nobody read the rest of the output");
}
