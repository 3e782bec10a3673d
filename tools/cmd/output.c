/* SPDX-License-Identifier: MIT */
/*
 * output.c - see output.h. stdout is a stream whose writes go through slow_pipe.h: the grace after a
 * signal is for all that is still to come, and gets a reader who only is slow the totals.
 */
#include "output.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "../diag.h"
#include "../source/slow_pipe.h"

static int grace_ms = SLOW_PIPE_GRACE_MS; /* left */
static bool has_given_up, is_dropped;

/* All of it, or less after an error, as stdio wants it. */
static ssize_t put(void *cookie, const char *buf, size_t bytes)
{
	size_t done = 0;

	(void)cookie;
	while (!is_dropped && done < bytes) {
		ssize_t n = has_given_up ? -EINTR
					 : slow_pipe_write(STDOUT_FILENO, buf + done, bytes - done,
							   &grace_ms);

		if (n < 0) {
			has_given_up |= n == -EINTR;
			errno = (int)-n;
			return (ssize_t)done;
		}
		done += (size_t)n;
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
